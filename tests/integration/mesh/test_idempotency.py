"""Calls with a `request_id`, through a real server and a real database."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hanami.misaki.v1 import user_service_pb2

from mesh.database import Database, new_metadata
from mesh.errors import NotFound
from mesh.idempotency import IdempotencyStore, SqlIdempotencyStore, idempotency_table
from tests.integration.mesh.garden import Garden, planted
from tests.integration.statuses import refusal

REQUEST_ID = "0b0e9a52-7d0a-4b6c-9a4f-1c7ce0cfa9a1"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[IdempotencyStore]:
    """Return a store in a SQLite file."""
    metadata = new_metadata()
    table = idempotency_table(metadata)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'keys.db'}", schema="mesh")
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield SqlIdempotencyStore(database, table)
    await database.close()


def _numbered() -> Any:
    """Return a handler whose answers differ from call to call."""
    numbers = iter(range(100))

    async def answer(_: Any) -> user_service_pb2.User:
        await asyncio.sleep(0.05)
        return user_service_pb2.User(name=f"users/{next(numbers)}")

    return answer


async def test_calls_at_once_have_one_effect(store: IdempotencyStore) -> None:
    """Repeated while at work, a call has one effect and everybody the same answer."""
    async with planted(Garden(unary=_numbered()), idempotency=store) as garden:
        answers = await asyncio.gather(
            *(garden.create_user(request_id=REQUEST_ID) for _ in range(6))
        )

    assert {"users/0"} == {answer.name for answer in answers}
    assert ["CreateUser"] == garden.garden.calls


async def test_calls_without_id_are_not_remembered(store: IdempotencyStore) -> None:
    """Two calls without a `request_id` have two effects."""
    async with planted(Garden(unary=_numbered()), idempotency=store) as garden:
        names = [(await garden.create_user()).name for _ in range(2)]

    assert ["users/0", "users/1"] == names


async def test_other_body_is_refused(store: IdempotencyStore) -> None:
    """Any difference in the request is REQUEST_ID_REUSED, and nothing happens."""
    async with planted(Garden(unary=_numbered()), idempotency=store) as garden:
        await garden.create_user(request_id=REQUEST_ID)
        answer = await refusal(garden.create_user(request_id=REQUEST_ID, admin=True))

    assert (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED") == (answer.code, answer.reason)
    assert ["CreateUser"] == garden.garden.calls


async def test_errors_are_not_remembered(store: IdempotencyStore) -> None:
    """A call that failed is made anew when repeated."""
    outcomes = iter([NotFound("users/x"), None])

    async def fail_once(_: Any) -> user_service_pb2.User:
        error = next(outcomes)
        if error is not None:
            raise error
        return user_service_pb2.User(name="users/x")

    async with planted(Garden(unary=fail_once), idempotency=store) as garden:
        first = await refusal(garden.create_user(request_id=REQUEST_ID))
        second = await garden.create_user(request_id=REQUEST_ID)

    assert (grpc.StatusCode.NOT_FOUND, "users/x") == (first.code, second.name)


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.02, 0.1])
async def test_call_cut_off_gets_its_answer_when_repeated(
    store: IdempotencyStore, seconds: float
) -> None:
    """Whenever a caller leaves, the call has one effect, and repeating it tells which."""
    async with planted(Garden(unary=_numbered()), idempotency=store) as garden:
        ids = [str(uuid.uuid4()) for _ in range(8)]
        calls = [garden.create_user(request_id=one) for one in ids]
        await asyncio.sleep(seconds)
        for call in calls:
            call.cancel()
        names = [(await garden.create_user(request_id=one)).name for one in ids]

    assert len(ids) == len(set(names))
    assert len(ids) == len(garden.garden.calls)


async def test_call_over_time_gets_its_answer_when_repeated(store: IdempotencyStore) -> None:
    """A caller whose deadline passes is let go at once, and finds the answer later."""
    go_on = asyncio.Event()
    answer = _numbered()

    async def slow(request: Any) -> Any:
        await go_on.wait()
        return await answer(request)

    async with planted(Garden(unary=slow), idempotency=store) as garden:
        first = await garden.create_user(request_id=REQUEST_ID, timeout=0.5).code()
        go_on.set()
        second = await garden.create_user(request_id=REQUEST_ID)

    assert (grpc.StatusCode.DEADLINE_EXCEEDED, "users/0") == (first, second.name)
    assert ["CreateUser"] == garden.garden.calls


async def test_remembered_answer_is_no_way_around_the_gates(store: IdempotencyStore) -> None:
    """Without a token a stored answer is not given out."""
    async with planted(Garden(unary=_numbered()), idempotency=store) as garden:
        await garden.create_user(request_id=REQUEST_ID)
        answer = await refusal(garden.create_user(request_id=REQUEST_ID, metadata=()))

    assert grpc.StatusCode.UNAUTHENTICATED == answer.code
