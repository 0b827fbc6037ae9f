"""The logs in SQL; see `shiori.ports` for what each method promises."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from mesh.database import Database
from shiori.domain.logs.records import (
    AuditEntry,
    EntryFilter,
    ErrorFilter,
    ErrorRecord,
    Kind,
    Outcome,
    Position,
)
from shiori.storage.models import AuditEntryRow, ErrorRecordRow

# After a removal for want of room, so much of it is taken.
_SHARE_LEFT = 0.9
_REFUSALS = ("UNAUTHENTICATED", "PERMISSION_DENIED")

Row = TypeVar("Row", AuditEntryRow, ErrorRecordRow)


class SqlAuditEntries:
    """Keeps the entries of the audit log in shiori's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Store entries; those whose id is there already are left alone."""
        async with self._database.session() as session:
            await _insert(session, AuditEntryRow, "entry_id", [_entry_values(e) for e in entries])

    async def newest(
        self, wanted: EntryFilter, *, own: str, after: Position | None, limit: int
    ) -> Sequence[AuditEntry]:
        """Return entries by time and id, newest first."""
        query = select(AuditEntryRow).where(*_entry_conditions(wanted, own))
        if after is not None:
            query = query.where(_comes_later(AuditEntryRow.time, AuditEntryRow.entry_id, after))
        query = query.order_by(AuditEntryRow.time.desc(), AuditEntryRow.entry_id.desc())
        async with self._database.session() as session:
            return [_entry(row) for row in await session.scalars(query.limit(limit))]

    async def arrived(
        self, wanted: EntryFilter, *, own: str, after: int, until: int, limit: int
    ) -> Sequence[AuditEntry]:
        """Return entries in the order in which they were stored."""
        query = (
            select(AuditEntryRow)
            .where(AuditEntryRow.sequence > after, AuditEntryRow.sequence <= until)
            .where(*_entry_conditions(wanted, own))
            .order_by(AuditEntryRow.sequence)
            .limit(limit)
        )
        async with self._database.session() as session:
            return [_entry(row) for row in await session.scalars(query)]

    async def last_sequence(self) -> int:
        """Return the sequence of the entry stored last."""
        async with self._database.session() as session:
            return int(await session.scalar(select(func.max(AuditEntryRow.sequence))) or 0)

    async def remove_before(self, time: datetime) -> int:
        """Remove entries of before a time."""
        return await _remove_before(self._database, AuditEntryRow, time)

    async def remove_oldest(self, max_bytes: int) -> int:
        """Remove the entries stored first when all take more than this."""
        return await _remove_oldest(self._database, AuditEntryRow, max_bytes)


class SqlErrorRecords:
    """Keeps the records of errors in shiori's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, errors: Sequence[ErrorRecord]) -> None:
        """Store records; those whose incident is there already are left alone."""
        async with self._database.session() as session:
            await _insert(session, ErrorRecordRow, "incident", [_error_values(e) for e in errors])

    async def get(self, incident: str) -> ErrorRecord | None:
        """Return a record, or None."""
        query = select(ErrorRecordRow).where(ErrorRecordRow.incident == incident)
        async with self._database.session() as session:
            row = await session.scalar(query)
        return None if row is None else _error(row)

    async def newest(
        self, wanted: ErrorFilter, *, own: str, after: Position | None, limit: int
    ) -> Sequence[ErrorRecord]:
        """Return records by time and incident, newest first."""
        query = select(ErrorRecordRow).where(*_error_conditions(wanted, own))
        if after is not None:
            query = query.where(_comes_later(ErrorRecordRow.time, ErrorRecordRow.incident, after))
        query = query.order_by(ErrorRecordRow.time.desc(), ErrorRecordRow.incident.desc())
        async with self._database.session() as session:
            return [_error(row) for row in await session.scalars(query.limit(limit))]

    async def remove_before(self, time: datetime) -> int:
        """Remove records of before a time."""
        return await _remove_before(self._database, ErrorRecordRow, time)

    async def remove_oldest(self, max_bytes: int) -> int:
        """Remove the records stored first when all take more than this."""
        return await _remove_oldest(self._database, ErrorRecordRow, max_bytes)


async def _insert(
    session: AsyncSession, row: type[Row], key: str, values: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows, but for those whose key is there already."""
    if not values:
        return
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(row).on_conflict_do_nothing(index_elements=[key])
    await session.execute(statement, list(values))


async def _remove_before(database: Database, row: type[Row], time: datetime) -> int:
    async with database.session() as session:
        return await _removed(session, row, row.time < time)


async def _remove_oldest(database: Database, row: type[Row], max_bytes: int) -> int:
    async with database.session() as session:
        total = int(await session.scalar(select(func.sum(row.size_bytes))) or 0)
        if total <= max_bytes:
            return 0
        running = func.sum(row.size_bytes).over(order_by=row.sequence)
        rows = select(row.sequence, running.label("running")).subquery()
        excess = total - int(max_bytes * _SHARE_LEFT)
        last = select(func.min(rows.c.sequence)).where(rows.c.running >= excess)
        return await _removed(session, row, row.sequence <= await session.scalar(last))


async def _removed(session: AsyncSession, row: type[Row], which: ColumnElement[bool]) -> int:
    result = cast(CursorResult[Any], await session.execute(delete(row).where(which)))
    return result.rowcount


def _comes_later(time: Any, key: Any, position: Position) -> ColumnElement[bool]:
    """Return whether a row stands after a position, newest first."""
    return or_(time < position.time, and_(time == position.time, key < position.key))


def _entry_conditions(wanted: EntryFilter, own: str) -> list[ColumnElement[bool]]:
    row = AuditEntryRow
    conditions = [
        or_(row.principal == user, row.claimed_principal == user)
        for user in (own, wanted.user)
        if user
    ]
    if wanted.project_id:
        conditions.append(row.project_id == wanted.project_id)
    if wanted.resource:
        conditions.append(row.resource == wanted.resource)
    match wanted.outcome:
        case Outcome.SUCCEEDED:
            conditions.append(row.code == "OK")
        case Outcome.FAILED:
            conditions.append(row.code != "OK")
        case Outcome.REFUSED:
            conditions.append(row.code.in_(_REFUSALS))
    return conditions + _shared_conditions(row, wanted)


def _error_conditions(wanted: ErrorFilter, own: str) -> list[ColumnElement[bool]]:
    row = ErrorRecordRow
    conditions: list[ColumnElement[bool]] = [
        row.principal == user for user in (own, wanted.user) if user
    ]
    if wanted.project_id:
        conditions.append(row.project_id == wanted.project_id)
    if wanted.service:
        conditions.append(row.service == wanted.service)
    return conditions + _shared_conditions(row, wanted)


def _shared_conditions(
    row: type[AuditEntryRow] | type[ErrorRecordRow], wanted: EntryFilter | ErrorFilter
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if "/" in wanted.method:
        conditions.append(row.method == wanted.method)
    elif wanted.method:
        conditions.append(row.method.endswith(f"/{wanted.method}", autoescape=True))
    if wanted.start is not None:
        conditions.append(row.time >= wanted.start)
    if wanted.end is not None:
        conditions.append(row.time < wanted.end)
    return conditions


def _entry_values(entry: AuditEntry) -> dict[str, Any]:
    values = {
        column.key: getattr(entry, column.key)
        for column in AuditEntryRow.__table__.columns
        if column.key not in ("sequence", "duration_microseconds", "kind")
    }
    microseconds = entry.duration // timedelta(microseconds=1)
    return values | {"kind": entry.kind.value, "duration_microseconds": microseconds}


def _entry(row: AuditEntryRow) -> AuditEntry:
    return AuditEntry(
        entry_id=row.entry_id,
        kind=Kind(row.kind),
        time=row.time,
        duration=timedelta(microseconds=row.duration_microseconds),
        principal=row.principal,
        claimed_principal=row.claimed_principal,
        service=row.service,
        method=row.method,
        resource=row.resource,
        project_id=row.project_id,
        address=row.address,
        via=row.via,
        code=row.code,
        reason=row.reason,
        incident=row.incident,
        trace_id=row.trace_id,
        token_id=row.token_id,
        stream_id=row.stream_id,
        row_count=row.row_count,
        caller_left=row.caller_left,
        lost_count=row.lost_count,
        sequence=row.sequence,
    )


def _error_values(error: ErrorRecord) -> dict[str, Any]:
    return {
        column.key: getattr(error, column.key)
        for column in ErrorRecordRow.__table__.columns
        if column.key != "sequence"
    }


def _error(row: ErrorRecordRow) -> ErrorRecord:
    return ErrorRecord(
        incident=row.incident,
        time=row.time,
        service=row.service,
        event=row.event,
        method=row.method,
        principal=row.principal,
        resource=row.resource,
        project_id=row.project_id,
        trace_id=row.trace_id,
        error=row.error,
        stack_trace=row.stack_trace,
    )
