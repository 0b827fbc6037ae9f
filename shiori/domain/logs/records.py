"""Entries of the audit log and records of errors, and what can be asked of them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# What a row takes beside its texts: numbers, times, keys and indexes. An entry of 200
# characters took 746 bytes of a SQLite file.
_ROW_BYTES = 550


class Kind(StrEnum):
    """What an entry tells of; the names equal those of the contract."""

    CALL = "CALL"
    STREAM_OPENED = "STREAM_OPENED"
    STREAM_CLOSED = "STREAM_CLOSED"
    GAP = "GAP"


class Outcome(StrEnum):
    """How calls ended, coarsely; the names equal those of the contract."""

    UNSPECIFIED = "UNSPECIFIED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One line of the audit log; see the contract for what each field means.

    `sequence` is 0 until the entry is stored; `code` is the name of a gRPC code.
    """

    entry_id: str
    kind: Kind
    time: datetime
    duration: timedelta = timedelta()
    principal: str = ""
    claimed_principal: str = ""
    service: str = ""
    method: str = ""
    resource: str = ""
    project_id: str = ""
    address: str = ""
    via: str = ""
    code: str = "OK"
    reason: str = ""
    incident: str = ""
    trace_id: str = ""
    token_id: str = ""
    stream_id: str = ""
    row_count: int = 0
    caller_left: bool = False
    lost_count: int = 0
    sequence: int = 0

    @property
    def size_bytes(self) -> int:
        """What it takes to keep the entry, roughly."""
        return _ROW_BYTES + sum(
            len(text)
            for text in (
                *(self.entry_id, self.principal, self.claimed_principal, self.service, self.method),
                *(self.resource, self.project_id, self.address, self.via, self.code, self.reason),
                *(self.incident, self.trace_id, self.token_id, self.stream_id),
            )
        )


@dataclass(frozen=True, kw_only=True)
class ErrorRecord:
    """An error that a service logged; see the contract for what each field means."""

    incident: str
    time: datetime
    service: str = ""
    event: str = ""
    method: str = ""
    principal: str = ""
    resource: str = ""
    project_id: str = ""
    trace_id: str = ""
    error: str = ""
    stack_trace: str = ""

    @property
    def size_bytes(self) -> int:
        """What it takes to keep the record, roughly."""
        return _ROW_BYTES + sum(
            len(text.encode(errors="replace"))
            for text in (
                *(self.incident, self.service, self.event, self.method, self.principal),
                *(self.resource, self.project_id, self.trace_id, self.error, self.stack_trace),
            )
        )

    def without_details(self) -> "ErrorRecord":
        """Return what those may see who do not run the installation."""
        return replace(self, error="", stack_trace="")


@dataclass(frozen=True, kw_only=True)
class EntryFilter:
    """Which entries are wanted: all that fit every field that is set."""

    user: str = ""
    project_id: str = ""
    method: str = ""
    resource: str = ""
    outcome: Outcome = Outcome.UNSPECIFIED
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ErrorFilter:
    """Which records are wanted: all that fit every field that is set."""

    user: str = ""
    project_id: str = ""
    service: str = ""
    method: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Position:
    """Where a listing goes on: after the entry of this time and id, newest first."""

    time: datetime
    key: str

    def __str__(self) -> str:
        return f"{self.time.isoformat()}/{self.key}"


@dataclass(frozen=True)
class Retention:
    """How long records are kept, and how much of them; the oldest go first."""

    age: timedelta
    max_bytes: int
