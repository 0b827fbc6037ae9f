"""`hanami.shiori.v1.AuditService` and `hanami.shiori.v1.ErrorService`."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from hanami.shiori.v1 import audit_service_pb2 as audit_pb
from hanami.shiori.v1 import audit_service_pb2_grpc, error_service_pb2_grpc
from hanami.shiori.v1 import error_service_pb2 as error_pb

from mesh.calls import current_caller
from shiori import convert_logs as convert
from shiori.domain.logs.audit import AuditLog
from shiori.domain.logs.errors import ErrorLog

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]


class AuditServicer(audit_service_pb2_grpc.AuditServiceServicer):
    """Keeps the audit log."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def ListAuditEntries(
        self, request: audit_pb.ListAuditEntriesRequest, context: "Context"
    ) -> audit_pb.ListAuditEntriesResponse:
        """Return a page of entries."""
        page = await self._log.list(
            current_caller(),
            convert.entry_filter(request.filter),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return convert.entries_message(page)

    async def WatchAuditEntries(
        self, request: audit_pb.WatchAuditEntriesRequest, context: "Context"
    ) -> AsyncIterator[audit_pb.AuditEntry]:
        """Stream entries as they arrive."""
        wanted = convert.entry_filter(request.filter)
        watch = self._log.watch(current_caller(), wanted, after=convert.watch_start(request))
        async with aclosing(watch) as entries:
            async for entry in entries:
                yield convert.entry_message(entry)

    async def RecordAuditEntries(
        self, request: audit_pb.RecordAuditEntriesRequest, context: "Context"
    ) -> audit_pb.RecordAuditEntriesResponse:
        """Store entries of the calling service."""
        entries = [convert.entry_of(entry) for entry in request.entries]
        await self._log.record(current_caller().principal.short_name, entries)
        return audit_pb.RecordAuditEntriesResponse()


class ErrorServicer(error_service_pb2_grpc.ErrorServiceServicer):
    """Keeps the error log."""

    def __init__(self, log: ErrorLog) -> None:
        self._log = log

    async def GetErrorRecord(
        self, request: error_pb.GetErrorRecordRequest, context: "Context"
    ) -> error_pb.ErrorRecord:
        """Return a record."""
        incident = convert.incident_of(request.name)
        return convert.error_message(await self._log.get(current_caller(), incident))

    async def ListErrorRecords(
        self, request: error_pb.ListErrorRecordsRequest, context: "Context"
    ) -> error_pb.ListErrorRecordsResponse:
        """Return a page of records."""
        page = await self._log.list(
            current_caller(),
            convert.error_filter(request.filter),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return convert.errors_message(page)

    async def RecordErrors(
        self, request: error_pb.RecordErrorsRequest, context: "Context"
    ) -> error_pb.RecordErrorsResponse:
        """Store records of the calling service."""
        errors = [convert.error_of(error) for error in request.errors]
        await self._log.record(current_caller().principal.short_name, errors)
        return error_pb.RecordErrorsResponse()
