"""Streams in two halves: answers by one call, messages by many that may overtake one another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb

from mesh.tensors import tensor_of
from tests.integration.kyouko.servers import (
    NETWORK,
    Request,
    RunningKyouko,
    Stream,
    info_of,
    rows_of_two_kinds,
    start_kyouko,
)
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori


class Halves(Stream):
    """A stream in two halves."""

    def __init__(self, kyouko: RunningKyouko, call: Any) -> None:
        super().__init__(call)
        self.kyouko = kyouko
        self.stream_id = ""

    async def opened(self) -> pb.LearnOpened:
        """Return the first message, and remember the stream's id."""
        opened = await super().opened()
        self.stream_id = opened.stream_id
        return opened

    async def say(self, number: int, message: Request, metadata: Metadata | None = None) -> int:
        """Send a message; returns the number of the last one taken."""
        request = pb.SendLearningRequest(stream_id=self.stream_id, number=number, message=message)
        answer = await self.kyouko.learning.SendLearning(
            request, metadata=metadata or self.kyouko.alice
        )
        return answer.last_number

    async def refusal(self, number: int, message: Request, **options: Any) -> str:
        """Send a message that is refused; returns the reason."""
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.say(number, message, **options)
        return info_of(refused.value).reason


@asynccontextmanager
async def halves(
    kyouko: RunningKyouko, mode: str = "LEARN", **fields: Any
) -> AsyncIterator[Halves]:
    """Open a stream in two halves as alice."""
    opening = pb.LearnOpen(network=NETWORK, mode=pb.LearnMode.Value(f"LEARN_MODE_{mode}"), **fields)
    call = kyouko.learning.OpenLearning(pb.OpenLearningRequest(open=opening), metadata=kyouko.alice)
    try:
        yield Halves(kyouko, call)
    finally:
        call.cancel()


def frame(sequence: int, start: int = 0, rows: int = 10) -> Request:
    """Return a frame of labelled rows."""
    inputs, labels = rows_of_two_kinds()
    part = slice(start, start + rows)
    message = pb.LearnFrame(sequence=sequence, inputs=tensor_of(inputs[part]))
    message.labels.values.extend(labels[part])
    return Request(frame=message)


CLOSE = Request(close=pb.LearnClose())


async def test_both_halves_make_one_stream(kyouko: RunningKyouko) -> None:
    """Rows sent by calls are learned, answered in order, and kept at the end."""
    await kyouko.create_network()
    async with halves(kyouko) as stream:
        opened = await stream.opened()
        taken = [await stream.say(n, frame(n, 10 * n)) for n in (1, 2, 3)]
        results = [(await stream.read()).result for _ in range(3)]
        await stream.say(4, CLOSE)
        closed = (await stream.read()).closed

    assert [1, 2, 3] == taken == [result.sequence for result in results]
    assert 30 == closed.network.statistics.learned_rows
    assert len(opened.stream_id) >= 32


async def test_calls_that_overtake_one_another_are_put_in_order(kyouko: RunningKyouko) -> None:
    """The last number is sent first, and its message is taken last."""
    await kyouko.create_network()
    async with halves(kyouko) as stream:
        await stream.opened()
        early = asyncio.create_task(stream.say(3, frame(3)))
        middle = asyncio.create_task(stream.say(2, frame(2)))
        await asyncio.sleep(0.05)
        await stream.say(1, frame(1))
        await asyncio.gather(early, middle)
        sequences = [(await stream.read()).result.sequence for _ in range(3)]

    assert [1, 2, 3] == sequences


async def test_a_repeated_call_takes_nothing_twice(kyouko: RunningKyouko) -> None:
    """Whoever lost an answer repeats the call, and the rows count once."""
    await kyouko.create_network()
    async with halves(kyouko) as stream:
        await stream.opened()
        first = await asyncio.gather(*(stream.say(1, frame(1)) for _ in range(3)))
        again = await stream.say(1, frame(1))
        await stream.say(2, CLOSE)
        answers = [await stream.read(), await stream.read()]

    assert ([1, 1, 1], 1) == (first, again)
    assert ["result", "closed"] == [answer.WhichOneof("message") for answer in answers]
    assert 10 == answers[1].closed.network.statistics.learned_rows


async def test_sends_wait_for_room_in_the_window(kyouko: RunningKyouko) -> None:
    """Whoever reads no answers is held up, not refused, and nothing gets lost."""
    await kyouko.create_network()
    async with halves(kyouko, max_outstanding_rows=10) as stream:
        await stream.opened()
        sending = [asyncio.create_task(stream.say(n, frame(n))) for n in range(1, 21)]
        sequences = [(await stream.read()).result.sequence for _ in range(20)]
        await asyncio.gather(*sending)

    assert list(range(1, 21)) == sequences


async def test_what_cannot_be_learned_is_told_on_the_stream(kyouko: RunningKyouko) -> None:
    """The call is answered all the same, and the stream lives on."""
    await kyouko.create_network()
    wide = Request(frame=pb.LearnFrame(sequence=1, inputs=tensor_of(np.ones((1, 9), np.float32))))
    async with halves(kyouko) as stream:
        await stream.opened()
        await stream.say(1, wide)
        await stream.say(2, frame(2))
        fault, result = await stream.read(), await stream.read()

    assert ("fault", "result") == (fault.WhichOneof("message"), result.WhichOneof("message"))


async def test_a_session_goes_on_in_another_pair(kyouko: RunningKyouko) -> None:
    """A page that was reloaded resumes, and what was learned is acknowledged only."""
    await kyouko.create_network()
    async with halves(kyouko) as stream:
        token = (await stream.opened()).resume_token
        await stream.say(1, frame(1))
        await stream.read()
    async with halves(kyouko, resume_token=token) as stream:
        opened = await stream.opened()
        await stream.say(1, frame(1))
        await stream.say(2, frame(2))
        results = [(await stream.read()).result for _ in range(2)]

    assert 1 == opened.last_sequence
    assert [(True, 0), (False, 20)] == [
        (result.duplicate, 0 if result.duplicate else result.learned_rows) for result in results
    ]


async def test_a_second_open_ends_the_stream(kyouko: RunningKyouko) -> None:
    """Both halves say why."""
    await kyouko.create_network()
    async with halves(kyouko) as stream:
        await stream.opened()
        again = Request(open=pb.LearnOpen(network=NETWORK, mode=pb.LEARN_MODE_LEARN))
        reason = await stream.refusal(1, again)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()

    assert "STREAM_PROTOCOL" == reason == info_of(ended.value).reason


async def test_nothing_follows_the_last_word(kyouko: RunningKyouko) -> None:
    """A message after `close` is refused, and the stream still ends well."""
    await kyouko.create_network()
    async with halves(kyouko) as stream:
        await stream.opened()
        await stream.say(1, CLOSE)
        reason = await stream.refusal(2, frame(1))
        closed = await stream.read()

    # The stream may be gone by then.
    assert reason in ("STREAM_PROTOCOL", "RESOURCE_NOT_FOUND")
    assert "closed" == closed.WhichOneof("message")


async def test_a_stream_belongs_to_who_opened_it(
    kyouko: RunningKyouko, misaki: RunningMisaki
) -> None:
    """Another member who knows the id finds nothing."""
    await kyouko.create_network()
    bob = await misaki.create_user("bob", flowers="MEMBER")
    async with halves(kyouko) as stream:
        await stream.opened()
        foreign = await stream.refusal(1, frame(1), metadata=bob)
        own = await stream.say(1, frame(1))

    assert ("RESOURCE_NOT_FOUND", 1) == (foreign, own)


async def test_a_stream_that_has_ended_takes_nothing(kyouko: RunningKyouko) -> None:
    """When the answering call ends, waiting and later sends are let go."""
    await kyouko.create_network()
    async with halves(kyouko) as stream:
        await stream.opened()
        waiting = asyncio.create_task(stream.refusal(2, frame(2)))
        await asyncio.sleep(0.05)
    late = await stream.refusal(1, frame(1))

    assert ("RESOURCE_NOT_FOUND", "RESOURCE_NOT_FOUND") == (late, await waiting)


async def test_too_much_at_once_is_refused(kyouko: RunningKyouko) -> None:
    """A number far ahead would only fill memory."""
    await kyouko.create_network()
    async with halves(kyouko) as stream:
        await stream.opened()
        reason = await stream.refusal(66, frame(66))

    assert "LIMIT_REACHED" == reason


async def test_a_viewer_does_not_teach(kyouko: RunningKyouko, misaki: RunningMisaki) -> None:
    """The mode decides about the role needed, as on streams in one piece."""
    await kyouko.create_network()
    eve = await misaki.create_user("eve", flowers="VIEWER")
    opening = pb.LearnOpen(network=NETWORK, mode=pb.LEARN_MODE_LEARN)
    call = kyouko.learning.OpenLearning(pb.OpenLearningRequest(open=opening), metadata=eve)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await Stream(call).read()

    assert "ROLE_INSUFFICIENT" == info_of(refused.value).reason


async def test_a_stream_needs_an_opening(kyouko: RunningKyouko) -> None:
    """Without it the request is refused by the rules of the contract."""
    call = kyouko.learning.OpenLearning(pb.OpenLearningRequest(), metadata=kyouko.alice)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await Stream(call).read()

    assert "FIELD_INVALID" == info_of(refused.value).reason


async def test_a_silent_half_ends_the_stream(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """A stream to which nothing is sent for long makes room for others."""
    address = f"127.0.0.1:{shiori.running.port}"
    async with start_kyouko(
        misaki, address, tmp_path / "kyouko", shiori.alice, pair_idle_seconds=0.3
    ) as kyouko:
        await kyouko.create_network()
        async with halves(kyouko) as stream:
            await stream.opened()
            await stream.say(1, frame(1))
            await stream.read()
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await stream.read()
            late = await stream.refusal(2, frame(2))

    assert ("DEADLINE_EXCEEDED", "RESOURCE_NOT_FOUND") == (info_of(ended.value).reason, late)
