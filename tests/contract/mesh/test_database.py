"""Sessions and column types, on every database."""

import asyncio
import random
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from mesh.database import Database
from mesh.errors import Unavailable
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


async def test_queries_cut_off_leave_nothing_behind(database: Database) -> None:
    """A query can be cancelled at any moment, also twice: everything it started ends."""
    moments = random.Random(1)
    before = asyncio.all_tasks()
    for _ in range(100):
        query = asyncio.create_task(database.check())
        for _ in range(moments.randrange(12)):
            await asyncio.sleep(0)
        query.cancel()
        await asyncio.sleep(0)
        query.cancel()
        await asyncio.wait([query])

    left = asyncio.all_tasks() - before
    running = (await asyncio.wait(left, timeout=20))[1] if left else set()

    assert set() == running
    await database.check()


async def test_a_change_cut_off_locks_nobody_out(database: Database, tables: Tables) -> None:
    """Whenever a change is cancelled, the next one goes through at once."""
    moments = random.Random(1)
    unfinished = []  # What they raise holds on to all that they were doing.

    async def note(number: int) -> None:
        async with database.session() as session:
            await session.execute(insert(tables.moments), [{"id": number}, {"id": -number}])

    for number in range(1, 400, 2):
        change = asyncio.create_task(note(number))
        await asyncio.sleep(moments.uniform(0, 0.004))
        change.cancel()
        unfinished.append(await asyncio.gather(change, return_exceptions=True))
        async with asyncio.timeout(8):
            await note(number + 1)

    assert 200 == len(unfinished)


def test_a_loop_may_end_right_after_queries_were_cut_off(database_url: str) -> None:
    """Closing a database waits for what its connections still have to say."""
    slow = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " SELECT count(*) FROM n"
    )

    async def query(database: Database) -> None:
        async with database.session() as session:
            await session.execute(slow)

    async def cut_off() -> None:
        database = Database(database_url, schema="mesh")
        await database.check()
        queries = [asyncio.create_task(query(database)) for _ in range(2)]
        await asyncio.wait(queries, timeout=0.02)
        for cancelled in queries * 2:
            cancelled.cancel()
            await asyncio.sleep(0)
        await asyncio.wait(queries)
        await database.close()

    before = threading.active_count()
    for _ in range(5):
        asyncio.run(cut_off())

    assert threading.active_count() <= before


async def test_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """A database that cannot be reached is told as such, by its role and not by its address."""
    url = f"postgresql+asyncpg://postgres@/nothing?host={tmp_path}"
    database = Database(url, schema="mesh")

    with pytest.raises(Unavailable) as caught:
        async with database.session():
            pytest.fail("there is a session on nothing")

    await database.close()
    assert "DEPENDENCY_UNAVAILABLE" == caught.value.reason
    assert {"dependency": "database"} == caught.value.metadata
    assert str(tmp_path) not in caught.value.message


@pytest.mark.postgres
async def test_lost_connection_is_unavailable_and_the_next_one_works(postgres_url: str) -> None:
    """A connection that breaks amid a session fails that session only."""
    database = Database(postgres_url, schema="mesh")

    async def lose_it() -> None:
        async with database.session() as session:
            process = await session.scalar(text("SELECT pg_backend_pid()"))
            async with database.engine.connect() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({process})"))
            await session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await lose_it()
    async with database.session() as session:
        answer = await session.scalar(text("SELECT 1"))

    await database.close()
    assert 1 == answer
