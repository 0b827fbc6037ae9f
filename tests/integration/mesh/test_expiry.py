"""Streams end with the tokens they were opened with."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from hanami.kyouko.v1 import learning_service_pb2, task_service_pb2

from mesh.tokens import LEEWAY_SECONDS
from tests.integration.mesh.garden import Garden, RunningGarden, planted
from tests.integration.statuses import refusal

Metadata = tuple[tuple[str, str], ...]


def _ending(garden: RunningGarden, who: str = "users/alice") -> Metadata:
    """Return the metadata of somebody whose token counts for 1.5 seconds more."""
    end = time.time() + 1.5 - LEEWAY_SECONDS
    return garden.signer.bearer(who, roles={"garden": "MEMBER"}, exp=end)


async def _endless(_: Any) -> AsyncIterator[Any]:
    yield task_service_pb2.Task(name="first")
    await asyncio.Event().wait()


async def test_watch_ends_with_its_token() -> None:
    """A stream of answers that would go on tells TOKEN_INVALID when the token ends."""
    async with planted(Garden(stream=_endless)) as garden:
        call = garden.watch_task(metadata=_ending(garden))
        first = await call.read()
        answer = await refusal(call.read())

    assert "first" == first.name
    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID") == (answer.code, answer.reason)
    assert {"problem": "expired"} == answer.metadata


async def test_busy_watch_ends_with_its_token() -> None:
    """Messages that keep coming do not put the end off."""

    async def busy(_: Any) -> AsyncIterator[Any]:
        while True:
            yield task_service_pb2.Task(name="again")
            await asyncio.sleep(0.01)

    async def read_on(call: Any) -> None:
        async for _ in call:
            continue

    async with planted(Garden(stream=busy)) as garden:
        answer = await refusal(read_on(garden.watch_task(metadata=_ending(garden))))

    assert {"problem": "expired"} == answer.metadata


async def test_handler_cleans_up_when_the_token_ends() -> None:
    """What a handler does at its end is done."""
    over = asyncio.Event()

    async def careful(_: Any) -> AsyncIterator[Any]:
        try:
            yield task_service_pb2.Task(name="first")
            await asyncio.Event().wait()
        finally:
            over.set()

    async with planted(Garden(stream=careful)) as garden:
        call = garden.watch_task(metadata=_ending(garden))
        await call.read()
        await refusal(call.read())

        assert over.is_set()


async def test_upload_ends_with_its_token() -> None:
    """A stream of requests is no way around the end either."""
    async with planted() as garden:
        answer = await refusal(garden.upload(metadata=_ending(garden)))

    assert {"problem": "expired"} == answer.metadata


async def test_stream_that_renews_its_token_goes_on() -> None:
    """Learn brings fresh tokens in its messages and looks after their ends itself."""

    async def late(_: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(2.0)
        yield learning_service_pb2.LearnResponse()

    async with planted(Garden(two_way=late)) as garden:
        answer = await garden.learn(metadata=_ending(garden)).read()

    assert learning_service_pb2.LearnResponse() == answer


async def test_services_may_read_longer_than_a_token_lasts() -> None:
    """A service has no role that could be taken away, and its work is not cut off."""

    async def late(_: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(2.0)
        yield task_service_pb2.Task(name="late")

    async with planted(Garden(stream=late)) as garden:
        metadata = _ending(garden, "services/kyouko")
        answers = [task.name async for task in garden.watch_task(metadata=metadata)]

    assert ["late"] == answers
