"""Opens the trail of a service, and its way to shiori."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import grpc
import structlog
from hanami.shiori.v1 import (
    audit_service_pb2,
    audit_service_pb2_grpc,
    error_service_pb2,
    error_service_pb2_grpc,
)

from mesh.audit.spool import Spool
from mesh.audit.trail import AuditTrail, LogHome
from mesh.clients import ServiceTokens, call_metadata, channel_to, translated_errors
from mesh.ownership import owned
from mesh.settings import MeshSettings

_log = structlog.get_logger(__name__)
Tokens = Callable[[], Awaitable[str]]


class RemoteLogs:
    """Shiori's logs, over gRPC. See `mesh.audit.LogHome`."""

    def __init__(self, channel: grpc.aio.Channel, tokens: Tokens) -> None:
        self._audit = audit_service_pb2_grpc.AuditServiceStub(channel)
        self._errors = error_service_pb2_grpc.ErrorServiceStub(channel)
        self._tokens = tokens

    async def take_entries(self, entries: Sequence[audit_service_pb2.AuditEntry]) -> None:
        """Send entries."""
        request = audit_service_pb2.RecordAuditEntriesRequest(entries=entries)
        metadata = call_metadata(await self._tokens())
        async with translated_errors("shiori"):
            await self._audit.RecordAuditEntries(request, metadata=metadata)

    async def take_errors(self, errors: Sequence[error_service_pb2.ErrorRecord]) -> None:
        """Send records of errors."""
        request = error_service_pb2.RecordErrorsRequest(errors=errors)
        metadata = call_metadata(await self._tokens())
        async with translated_errors("shiori"):
            await self._errors.RecordErrors(request, metadata=metadata)


@asynccontextmanager
async def remote_trail(
    settings: MeshSettings, misaki: grpc.aio.Channel
) -> AsyncIterator[AuditTrail | None]:
    """Open the trail of a service to shiori; None when the service has no secret.

    Args:
        settings: The service's.
        misaki: Gives the service its tokens.

    Raises:
        SystemExit: Another process writes in the same folder.
    """
    secret_file = settings.service_secret_file
    if secret_file is None:
        _log.warning("calls are not audited: HANAMI_SERVICE_SECRET_FILE is not set")
        yield None
        return
    tokens = ServiceTokens(misaki, service=settings.service_name, secret_file=secret_file)
    async with trail_to_shiori(settings, tokens.token) as trail:
        yield trail


@asynccontextmanager
async def trail_to_shiori(settings: MeshSettings, tokens: Tokens) -> AsyncIterator[AuditTrail]:
    """Open the trail of a service that has its tokens from anywhere.

    Raises:
        SystemExit: Another process writes in the same folder.
    """
    async with (
        channel_to(settings.shiori_address, service="shiori", tls=settings.tls) as shiori,
        running_trail(settings, RemoteLogs(shiori, tokens)) as trail,
    ):
        yield trail


@asynccontextmanager
async def running_trail(settings: MeshSettings, home: LogHome) -> AsyncIterator[AuditTrail]:
    """Open the trail of a service to a home of the logs, and deliver while it is open.

    Raises:
        SystemExit: Another process writes in the same folder.
    """
    folder = settings.data_directory / "audit"
    with owned(folder, service=settings.service_name):
        spool = Spool(folder, max_bytes=settings.audit_spool_bytes)
        trail = AuditTrail(settings.service_name, spool, home)
        delivering = asyncio.create_task(trail.deliver_forever())
        try:
            yield trail
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
            await trail.close()
