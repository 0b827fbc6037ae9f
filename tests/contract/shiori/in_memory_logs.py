"""Shiori's logs without a database."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from shiori.domain.logs.records import (
    AuditEntry,
    EntryFilter,
    ErrorFilter,
    ErrorRecord,
    Outcome,
    Position,
)

T = TypeVar("T")


class InMemoryAuditEntries:
    """Keeps entries in a list."""

    def __init__(self) -> None:
        self._entries: list[AuditEntry] = []
        self._sequence = 0

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Store entries whose id is new."""
        for entry in entries:
            if all(entry.entry_id != known.entry_id for known in self._entries):
                self._sequence += 1
                self._entries.append(replace(entry, sequence=self._sequence))

    async def newest(
        self, wanted: EntryFilter, *, own: str, after: Position | None, limit: int
    ) -> Sequence[AuditEntry]:
        """Return entries, newest first."""
        found = [entry for entry in self._entries if _fits_entry(entry, wanted, own)]
        found.sort(key=lambda entry: (entry.time, entry.entry_id), reverse=True)
        if after is not None:
            found = [e for e in found if (e.time, e.entry_id) < (after.time, after.key)]
        return found[:limit]

    async def arrived(
        self, wanted: EntryFilter, *, own: str, after: int, until: int, limit: int
    ) -> Sequence[AuditEntry]:
        """Return entries in the order of their arrival."""
        return [
            entry
            for entry in self._entries
            if after < entry.sequence <= until and _fits_entry(entry, wanted, own)
        ][:limit]

    async def last_sequence(self) -> int:
        """Return the highest sequence there is."""
        return max((entry.sequence for entry in self._entries), default=0)

    async def remove_before(self, time: datetime) -> int:
        """Remove what is older."""
        return self._keep([entry for entry in self._entries if entry.time >= time])

    async def remove_oldest(self, max_bytes: int) -> int:
        """Remove what was stored first."""
        return self._keep(_youngest(self._entries, max_bytes, lambda entry: entry.size_bytes))

    def _keep(self, kept: list[AuditEntry]) -> int:
        removed = len(self._entries) - len(kept)
        self._entries = kept
        return removed


class InMemoryErrorRecords:
    """Keeps records in a list."""

    def __init__(self) -> None:
        self._errors: list[ErrorRecord] = []

    async def add(self, errors: Sequence[ErrorRecord]) -> None:
        """Store records whose incident is new."""
        for error in errors:
            if await self.get(error.incident) is None:
                self._errors.append(error)

    async def get(self, incident: str) -> ErrorRecord | None:
        """Return a record, or None."""
        return next((error for error in self._errors if error.incident == incident), None)

    async def newest(
        self, wanted: ErrorFilter, *, own: str, after: Position | None, limit: int
    ) -> Sequence[ErrorRecord]:
        """Return records, newest first."""
        found = [error for error in self._errors if _fits_error(error, wanted, own)]
        found.sort(key=lambda error: (error.time, error.incident), reverse=True)
        if after is not None:
            found = [e for e in found if (e.time, e.incident) < (after.time, after.key)]
        return found[:limit]

    async def remove_before(self, time: datetime) -> int:
        """Remove what is older."""
        return self._keep([error for error in self._errors if error.time >= time])

    async def remove_oldest(self, max_bytes: int) -> int:
        """Remove what was stored first."""
        return self._keep(_youngest(self._errors, max_bytes, lambda error: error.size_bytes))

    def _keep(self, kept: list[ErrorRecord]) -> int:
        removed = len(self._errors) - len(kept)
        self._errors = kept
        return removed


def _youngest(items: list[T], max_bytes: int, size: Callable[[T], int]) -> list[T]:
    if sum(map(size, items)) <= max_bytes:
        return items
    kept: list[T] = []
    room = int(max_bytes * 0.9)
    for item in reversed(items):
        room -= size(item)
        if room < 0:
            break
        kept.insert(0, item)
    return kept


def _fits_entry(entry: AuditEntry, wanted: EntryFilter, own: str) -> bool:
    people = (entry.principal, entry.claimed_principal)
    outcome = {
        Outcome.UNSPECIFIED: True,
        Outcome.SUCCEEDED: entry.code == "OK",
        Outcome.FAILED: entry.code != "OK",
        Outcome.REFUSED: entry.code in ("UNAUTHENTICATED", "PERMISSION_DENIED"),
    }
    return (
        all(user in people for user in (own, wanted.user) if user)
        and wanted.resource in ("", entry.resource)
        and outcome[wanted.outcome]
        and _fits(entry, wanted)
    )


def _fits_error(error: ErrorRecord, wanted: ErrorFilter, own: str) -> bool:
    return (
        all(user == error.principal for user in (own, wanted.user) if user)
        and wanted.service in ("", error.service)
        and _fits(error, wanted)
    )


def _fits(record: AuditEntry | ErrorRecord, wanted: EntryFilter | ErrorFilter) -> bool:
    names = ("", record.method, record.method.rpartition("/")[2])
    return (
        wanted.project_id in ("", record.project_id)
        and wanted.method in names
        and (wanted.start is None or record.time >= wanted.start)
        and (wanted.end is None or record.time < wanted.end)
    )
