"""What a store of answers has to do, on every database."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from mesh.database import Database
from mesh.errors import AlreadyExists
from mesh.idempotency import ABANDONED_AFTER, RETENTION, RequestKey, SqlIdempotencyStore
from tests.contract.mesh.conftest import SettableClock, Tables

KEY = RequestKey("users/alice", "/x/Create", "0b0e9a52-7d0a-4b6c-9a4f-1c7ce0cfa9a1")
A_MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def store(database: Database, tables: Tables, clock: SettableClock) -> SqlIdempotencyStore:
    """Return an empty store."""
    return SqlIdempotencyStore(database, tables.idempotency_keys, now=clock)


async def test_first_call_proceeds(store: SqlIdempotencyStore) -> None:
    """A key not seen before is claimed."""
    assert await store.begin(KEY, "body") is None


async def test_repeated_call_gets_the_answer(store: SqlIdempotencyStore) -> None:
    """After the first call has stored its answer, the second gets it."""
    await store.begin(KEY, "body")
    await store.complete(KEY, b"answer")

    assert b"answer" == await store.begin(KEY, "body")


async def test_empty_answer_is_an_answer(store: SqlIdempotencyStore) -> None:
    """A message without fields takes no bytes, and is kept all the same."""
    await store.begin(KEY, "body")
    await store.complete(KEY, b"")

    assert b"" == await store.begin(KEY, "body")


@pytest.mark.parametrize("completed", [True, False])
async def test_other_body_is_refused(store: SqlIdempotencyStore, completed: bool) -> None:
    """A key belongs to one request, while that is at work and afterwards."""
    await store.begin(KEY, "body")
    if completed:
        await store.complete(KEY, b"answer")

    with pytest.raises(AlreadyExists) as caught:
        await store.begin(KEY, "another body")

    assert "REQUEST_ID_REUSED" == caught.value.reason
    assert {"request_id": KEY.request_id} == caught.value.metadata


@pytest.mark.parametrize("change", [{"principal": "users/bob"}, {"method": "/x/Delete"}])
async def test_keys_of_others_are_other_keys(
    store: SqlIdempotencyStore, change: dict[str, str]
) -> None:
    """The same id of another caller or method has nothing to do with it."""
    await store.begin(KEY, "body")
    await store.complete(KEY, b"answer")

    assert await store.begin(replace(KEY, **change), "another body") is None


async def test_failed_call_may_be_repeated(store: SqlIdempotencyStore) -> None:
    """A freed key can be claimed again, even with another body."""
    await store.begin(KEY, "body")

    await store.abandon(KEY)

    assert await store.begin(KEY, "another body") is None


async def test_call_at_work_is_waited_for(store: SqlIdempotencyStore) -> None:
    """The second of two calls at once gets the answer of the first, when it is there."""
    await store.begin(KEY, "body")
    second = asyncio.create_task(store.begin(KEY, "body"))
    done, _ = await asyncio.wait({second}, timeout=0.2)

    await store.complete(KEY, b"answer")

    assert set() == done
    assert b"answer" == await second


async def test_of_many_calls_at_once_one_proceeds(store: SqlIdempotencyStore) -> None:
    """However many come together, one is at work and all others get its answer."""

    async def call() -> bytes:
        stored = await store.begin(KEY, "body")
        if stored is not None:
            return stored
        started.append(1)
        await asyncio.sleep(0.05)
        await store.complete(KEY, b"answer")
        return b"answer"

    started: list[int] = []

    answers = await asyncio.gather(*(call() for _ in range(8)))

    assert [b"answer"] * 8 == answers
    assert [1] == started


async def test_waiting_call_takes_over_from_a_failed_one(store: SqlIdempotencyStore) -> None:
    """When the first call fails, the second proceeds."""
    await store.begin(KEY, "body")
    second = asyncio.create_task(store.begin(KEY, "body"))
    await asyncio.sleep(0.1)

    await store.abandon(KEY)

    assert await second is None


async def test_call_of_a_dead_process_is_given_up(
    store: SqlIdempotencyStore, clock: SettableClock
) -> None:
    """A claim without an answer ends after its time."""
    await store.begin(KEY, "body")
    clock.now += ABANDONED_AFTER + A_MOMENT

    assert await store.begin(KEY, "body") is None


async def test_answers_are_kept_for_a_day(store: SqlIdempotencyStore, clock: SettableClock) -> None:
    """An answer is there until its day is over, and then the id is new again."""
    await store.begin(KEY, "body")
    await store.complete(KEY, b"answer")
    clock.now += RETENTION - A_MOMENT
    just_before = await store.begin(KEY, "body")
    clock.now += 2 * A_MOMENT

    assert b"answer" == just_before
    assert await store.begin(KEY, "another body") is None


async def test_old_answers_are_removed(
    store: SqlIdempotencyStore, database: Database, tables: Tables, clock: SettableClock
) -> None:
    """The table does not grow for ever: a new claim sweeps out what is over."""
    for number in range(5):
        await store.begin(replace(KEY, request_id=str(number)), "body")
    clock.now += RETENTION + A_MOMENT

    await store.begin(KEY, "body")

    async with database.session() as session:
        count = await session.scalar(select(func.count()).select_from(tables.idempotency_keys))
    assert 1 == count
