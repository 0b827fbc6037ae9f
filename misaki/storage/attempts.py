"""Counts of wrong passwords in SQL; see `misaki.ports.AttemptStore`."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mesh.database import Database
from misaki.domain.attempts import Attempts, Limits
from misaki.storage.models import AttemptRow


class SqlAttemptStore:
    """Keeps the counts in misaki's database, so that all its instances share them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def attempts(self, keys: Collection[str]) -> Mapping[str, Attempts]:
        """Return the counts that there are of some keys."""
        query = select(AttemptRow).where(AttemptRow.key.in_(keys))
        async with self._database.session() as session:
            return {row.key: _attempts(row) for row in await session.scalars(query)}

    async def count_failure(self, key: str, limits: Limits, *, now: datetime) -> None:
        """Count one more failure."""
        try:
            await self._count(key, limits, now)
        except IntegrityError:  # The row is new, and somebody was faster to make it.
            await self._count(key, limits, now)

    async def count_success(self, *, clear: str, remember: str, now: datetime) -> None:
        """Drop the count of one key, and note the time under another."""
        try:
            async with self._database.session() as session:
                await session.execute(delete(AttemptRow).where(AttemptRow.key == clear))
                await _noted(session, remember, now)
        except IntegrityError:  # As above; then the time is noted.
            await self.count_success(clear=clear, remember=remember, now=now)

    async def forget_attempts(self, *, older_than: datetime) -> None:
        """Drop the counts that have not changed since."""
        async with self._database.session() as session:
            await session.execute(delete(AttemptRow).where(AttemptRow.last_failure < older_than))

    async def _count(self, key: str, limits: Limits, now: datetime) -> None:
        same = update(AttemptRow).where(AttemptRow.key == key)
        async with self._database.session() as session:
            # Writes before it reads: others with the same key wait from here on.
            await session.execute(same.values(failures=AttemptRow.failures))
            # The row may be made between the two statements: it is locked here once more.
            row = await session.get(AttemptRow, key, with_for_update=True)
            after = limits.after_failure(_attempts(row) if row else None, now)
            if row is None:
                row = AttemptRow(key=key)
                session.add(row)
            row.failures = after.failures
            row.last_failure = after.last_failure
            row.blocked_until = after.blocked_until


async def _noted(session: AsyncSession, key: str, now: datetime) -> None:
    statement = update(AttemptRow).where(AttemptRow.key == key).values(last_failure=now)
    found = await session.execute(
        statement.returning(AttemptRow.key), execution_options={"synchronize_session": False}
    )
    if found.first() is None:
        session.add(AttemptRow(key=key, failures=0, last_failure=now))


def _attempts(row: AttemptRow) -> Attempts:
    return Attempts(row.failures, row.last_failure, row.blocked_until)
