"""What was done in the mesh, and what went wrong in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hanami.shiori.v1 import audit_service_pb2 as audit_pb
from hanami.shiori.v1 import audit_service_pb2_grpc, error_service_pb2_grpc
from hanami.shiori.v1 import error_service_pb2 as error_pb

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.errors import HanamiError, Unauthenticated
from hanami_sdk.names import project_name, user_name
from hanami_sdk.times import timestamp_of

Outcome = Literal["SUCCEEDED", "FAILED", "REFUSED"]


@dataclass(frozen=True)
class AuditQuery:
    """Which entries are wanted: all that fit every field that is set.

    Attributes:
        user: who called or claimed to be: an id, `users/{user}` or `services/{service}`.
        project: an id or name.
        method: its full name, or the part after the slash, such as `CreateNetwork`.
        resource: a full name.
        outcome: `REFUSED` are those who were not let in or not allowed it.
        start: at or after this time, which needs a time zone.
        end: before this time.
    """

    user: str = ""
    project: str = ""
    method: str = ""
    resource: str = ""
    outcome: Outcome | None = None
    start: datetime | None = None
    end: datetime | None = None

    def message(self) -> audit_pb.AuditFilter:
        """Return the query as the contract has it."""
        return audit_pb.AuditFilter(
            user=_principal_name(self.user),
            project=project_name(self.project) if self.project else "",
            method=self.method,
            resource=self.resource,
            outcome=audit_pb.AuditOutcome.Value(f"AUDIT_OUTCOME_{self.outcome or 'UNSPECIFIED'}"),
            start_time=timestamp_of(self.start),
            end_time=timestamp_of(self.end),
        )


class Audit:
    """Reads the audit log: admins all of it, others what they did themselves."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = audit_service_pb2_grpc.AuditServiceStub(connection.channel)

    def list(self, query: AuditQuery | None = None) -> AsyncIterator[audit_pb.AuditEntry]:
        """Iterate over entries, newest first.

        Raises:
            PermissionDenied: somebody else's entries (ROLE_INSUFFICIENT).
        """
        return walk_pages(
            self._connection,
            self._stub.ListAuditEntries,
            audit_pb.ListAuditEntriesRequest(
                filter=(query or AuditQuery()).message(), page_size=500
            ),
            audit_pb.ListAuditEntriesResponse,
            lambda page: page.entries,
        )

    async def watch(
        self, query: AuditQuery | None = None, *, after_sequence: int | None = None
    ) -> AsyncIterator[audit_pb.AuditEntry]:
        """Yield entries as they arrive, until nobody asks for more.

        A watch that breaks, or ends with its token, goes on where it was.

        Args:
            query: which entries.
            after_sequence: of the last entry known; those to come when left out.

        Raises:
            PermissionDenied: somebody else's entries (ROLE_INSUFFICIENT).
        """
        failures, opened = 0, False
        request = audit_pb.WatchAuditEntriesRequest(filter=(query or AuditQuery()).message())
        if after_sequence is not None:
            request.after_sequence = after_sequence
        while True:
            try:
                async for entry in self._connection.server_stream(
                    self._stub.WatchAuditEntries, request, audit_pb.AuditEntry
                ):
                    failures, opened = 0, True
                    request.after_sequence = entry.sequence
                    yield entry
                await asyncio.sleep(self._connection.options.retries.first_delay)
            except Unauthenticated:
                # A quiet watch ends with its token too; a second refusal is one.
                if failures and not opened:
                    raise
                failures, opened = failures + 1, False
            except HanamiError as error:
                failures += 1
                delay = self._connection.options.retries.delay(failures, error)
                if delay is None:
                    raise
                await asyncio.sleep(delay)


class Errors:
    """Reads the error log: admins all of it, others what went wrong in their own calls."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = error_service_pb2_grpc.ErrorServiceStub(connection.channel)

    async def get(self, incident: str) -> error_pb.ErrorRecord:
        """Return what is known of an incident, by the id that an error told."""
        name = incident if "/" in incident else f"errorRecords/{incident}"
        request = error_pb.GetErrorRecordRequest(name=name)
        return await self._connection.unary(
            self._stub.GetErrorRecord, request, error_pb.ErrorRecord
        )

    def list(
        self,
        *,
        user: str = "",
        project: str = "",
        service: str = "",
        method: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> AsyncIterator[error_pb.ErrorRecord]:
        """Iterate over records, newest first; the fields are as in `AuditQuery`.

        Raises:
            PermissionDenied: somebody else's records (ROLE_INSUFFICIENT).
        """
        wanted = error_pb.ErrorFilter(
            user=_principal_name(user),
            project=project_name(project) if project else "",
            service=service,
            method=method,
            start_time=timestamp_of(start),
            end_time=timestamp_of(end),
        )
        return walk_pages(
            self._connection,
            self._stub.ListErrorRecords,
            error_pb.ListErrorRecordsRequest(filter=wanted, page_size=100),
            error_pb.ListErrorRecordsResponse,
            lambda page: page.errors,
        )


def _principal_name(user: str) -> str:
    return user if not user or "/" in user else user_name(user)
