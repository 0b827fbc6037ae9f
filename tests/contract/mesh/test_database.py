"""Sessions and column types, on every database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from mesh.database import Database
from tests.contract.mesh.conftest import Tables

TOKYO = timezone(timedelta(hours=9))


async def _moments(database: Database, tables: Tables) -> list[datetime | None]:
    async with database.session() as session:
        found = await session.scalars(select(tables.moments.c.moment).order_by("id"))
        return list(found)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=TOKYO),
        None,
    ],
)
async def test_moments_come_back_in_utc(
    database: Database, tables: Tables, moment: datetime | None
) -> None:
    """A moment is the same moment afterwards, to the microsecond, and in UTC."""
    async with database.session() as session:
        await session.execute(insert(tables.moments).values(id=1, moment=moment))

    (found,) = await _moments(database, tables)

    assert moment == found
    assert found is None or found.tzinfo is UTC or found.utcoffset() == timedelta(0)


async def test_moment_without_zone_is_refused(database: Database, tables: Tables) -> None:
    """A datetime that could mean any zone is an error, not a guess."""
    naive = datetime(2026, 1, 2)
    statement = insert(tables.moments).values(id=1, moment=naive)

    async with database.engine.connect() as connection:
        with pytest.raises(StatementError, match="needs a time zone"):
            await connection.execute(statement)


async def test_failed_session_changes_nothing(database: Database, tables: Tables) -> None:
    """What a session did before its error is undone."""

    async def fail_halfway() -> None:
        async with database.session() as session:
            await session.execute(insert(tables.moments).values(id=1))
            raise KeyError("halfway")

    with pytest.raises(KeyError):
        await fail_halfway()

    assert [] == await _moments(database, tables)


async def test_errors_do_not_repeat_values(database: Database, tables: Tables) -> None:
    """The text of a database error, which goes to the log, holds no values."""
    statement = insert(tables.moments).values(id=1, note="a secret")

    async def insert_it() -> None:
        async with database.session() as session:
            await session.execute(statement)

    await insert_it()
    with pytest.raises(IntegrityError) as caught:
        await insert_it()

    assert "a secret" not in str(caught.value)


async def test_open_database_is_healthy(database: Database) -> None:
    """The health check of an open database succeeds."""
    assert await database.check() is None  # type: ignore[func-returns-value]  # no error
