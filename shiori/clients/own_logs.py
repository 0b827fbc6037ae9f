"""Shiori's own entries and errors: they need no wire to get into its logs."""

from collections.abc import Sequence

from hanami.shiori.v1 import audit_service_pb2, error_service_pb2

from shiori import convert_logs
from shiori.domain.logs.audit import AuditLog
from shiori.domain.logs.errors import ErrorLog


class OwnLogs:
    """The logs of this process. See `mesh.audit.LogHome`."""

    def __init__(self, audit: AuditLog, errors: ErrorLog, *, service: str) -> None:
        self._audit = audit
        self._errors = errors
        self._service = service

    async def take_entries(self, entries: Sequence[audit_service_pb2.AuditEntry]) -> None:
        """Store entries."""
        await self._audit.record(self._service, [convert_logs.entry_of(e) for e in entries])

    async def take_errors(self, errors: Sequence[error_service_pb2.ErrorRecord]) -> None:
        """Store records of errors."""
        await self._errors.record(self._service, [convert_logs.error_of(e) for e in errors])
