"""Writes entries down at once, and brings them to shiori when it is there."""

import asyncio
import random
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from hanami.shiori.v1.audit_service_pb2 import AUDIT_KIND_GAP, AuditEntry
from hanami.shiori.v1.error_service_pb2 import ErrorRecord

from mesh.audit.spool import Batch, Spool
from mesh.errors import DomainError, InvalidArgument

_log = structlog.get_logger(__name__)
_ENTRY, _ERROR = 1, 2
# Entries that come within this time travel together.
_GATHERING_SECONDS = 0.1
_BATCH_RECORDS = 500
_BATCH_BYTES = 2**20
_ERRORS_AT_ONCE = 100
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_SEND_SECONDS = 10.0
# How long a service that stops may try to get rid of its last entries.
_CLOSING_SECONDS = 2.0


class LogHome(Protocol):
    """Where the logs are kept. A record that comes twice is stored once."""

    async def take_entries(self, entries: Sequence[AuditEntry]) -> None:
        """Store entries of the audit log.

        Raises:
            DomainError: They are not stored; InvalidArgument: and never will be.
        """

    async def take_errors(self, errors: Sequence[ErrorRecord]) -> None:
        """Store records of errors; raises as `take_entries`."""


class AuditTrail:
    """The audit entries and error records of one service on their way to their home."""

    def __init__(self, service: str, spool: Spool, home: LogHome) -> None:
        """Take the parts; to be made in the loop that runs `deliver_forever`."""
        self.service = service
        self._spool = spool
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._written = asyncio.Event()
        self._delivering = asyncio.Lock()
        self._is_away = False
        self.lost = 0
        self._lost_untold = 0
        self._lost_since = 0.0

    def write(self, entry: AuditEntry) -> None:
        """Write an entry down. Never blocks, and never fails: a loss is counted and logged."""
        if not self._append(_ENTRY, entry.SerializeToString()):
            self._lose(entry)

    def report(self, error: ErrorRecord) -> None:
        """Write the record of an error down; may be called in any thread."""
        self._append(_ERROR, error.SerializeToString())

    async def deliver_forever(self) -> None:
        """Bring what is written to its home, again and again."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            if self._spool.is_empty:
                await self._written.wait()
                await asyncio.sleep(_GATHERING_SECONDS)
            self._written.clear()
            if await self._deliver_all():
                pause = _FIRST_PAUSE_SECONDS
            else:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  no secret
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def close(self) -> None:
        """Deliver what is left if its home is there; the rest waits for the next start."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self._deliver_all()
        if not self._spool.is_empty:
            _log.info("entries wait for the next start", bytes=self._spool.size_bytes)
        self._spool.close()

    def _append(self, kind: int, content: bytes) -> bool:
        is_kept = self._spool.append(kind, content)
        if threading.get_ident() == self._thread:
            self._written.set()
        else:
            self._loop.call_soon_threadsafe(self._written.set)
        return is_kept

    async def _deliver_all(self) -> bool:
        """Return whether nothing is left."""
        async with self._delivering:
            while True:
                batch = self._spool.peek(max_records=_BATCH_RECORDS, max_bytes=_BATCH_BYTES)
                if not batch.records and self._spool.is_empty:
                    return True
                if not await self._deliver(batch):
                    return False
                self._spool.drop(batch)
                self._tell_losses()

    async def _deliver(self, batch: Batch) -> bool:
        """Return whether a batch needs no further attempt."""
        entries = [AuditEntry.FromString(data) for kind, data in batch.records if kind == _ENTRY]
        errors = [ErrorRecord.FromString(data) for kind, data in batch.records if kind == _ERROR]
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                if entries:
                    await self._home.take_entries(entries)
                for start in range(0, len(errors), _ERRORS_AT_ONCE):
                    await self._home.take_errors(errors[start : start + _ERRORS_AT_ONCE])
        except InvalidArgument as error:
            self.lost += len(entries)
            _log.error("audit entries refused", count=len(entries), error=error.message)
        except (DomainError, TimeoutError) as error:
            if not self._is_away:
                _log.warning("audit entries wait: shiori does not take them", error=repr(error))
            self._is_away = True
            return False
        if self._is_away:
            _log.info("shiori takes audit entries again")
        self._is_away = False
        return True

    def _lose(self, entry: AuditEntry) -> None:
        self.lost += 1
        self._lost_untold += 1
        self._lost_since = self._lost_since or time.time()
        if self.lost == 1 or self.lost % 1000 == 0 or self._lost_untold == 1:
            _log.error(
                "audit entries are lost: no room is left",
                lost=self.lost,
                method=entry.method,
                principal=entry.principal,
            )

    def _tell_losses(self) -> None:
        """Let the log itself say what is missing in it."""
        if not self._lost_untold:
            return
        moment = Timestamp()
        moment.FromNanoseconds(int(self._lost_since * 1e9))
        gap = AuditEntry(
            entry_id=uuid.uuid4().hex,
            kind=AUDIT_KIND_GAP,
            time=moment,
            service=self.service,
            lost_count=self._lost_untold,
        )
        if self._append(_ENTRY, gap.SerializeToString()):
            _log.warning("audit entries were lost", lost=self._lost_untold)
            self._lost_untold, self._lost_since = 0, 0.0
