"""Learns over a bare channel, without the client library: ready-made messages, a window at a time.

What the bare echo of `tests.bench.echo_client` is measured against has the same client.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb

from hanami_sdk.frames import encode_frame, split_rows
from tests.bench.echo_client import WINDOW

LEARN_METHOD = "/hanami.kyouko.v1.LearningService/Learn"
Images = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Target:
    """A network to talk to over a bare channel.

    Attributes:
        address: host:port of the gateway.
        name: the network's full name.
        token: lets its bearer learn there.
    """

    address: str
    name: str
    token: str


def messages_of(images: Images, labels: Labels, *, frame_rows: int, last: int = 0) -> list[bytes]:
    """Return requests of so many rows each, numbered from `last` + 1."""
    messages = []
    for sequence, frame in enumerate(split_rows(images, labels, frame_rows=frame_rows), last + 1):
        message = encode_frame(frame)
        message.sequence = sequence
        messages.append(pb.LearnRequest(frame=message).SerializeToString())
    return messages


@asynccontextmanager
async def learning(target: Target) -> AsyncIterator[tuple[Any, int]]:
    """Open a stream; yields it and its last sequence."""
    async with grpc.aio.insecure_channel(target.address) as channel:
        call: Any = channel.stream_stream(LEARN_METHOD)(
            metadata=(("authorization", f"Bearer {target.token}"),)
        )
        opening = pb.LearnOpen(network=target.name, mode=pb.LEARN_MODE_LEARN)
        await call.write(pb.LearnRequest(open=opening).SerializeToString())
        first = pb.LearnResponse.FromString(await call.read())
        yield call, first.opened.last_sequence
        await call.done_writing()


async def measure_learning(
    target: Target, messages: Sequence[bytes], *, window: int = WINDOW
) -> tuple[float, float]:
    """Send frames to a fresh network, and wait for as many results.

    Args:
        target: Where to.
        messages: Of `messages_of`, numbered from 1.
        window: The most messages under way unanswered.

    Returns:
        The moments of the first message and of the last result.
    """
    async with learning(target) as (call, _):
        room = asyncio.Semaphore(window)

        async def send() -> None:
            for message in messages:
                await room.acquire()
                await call.write(message)

        started = time.perf_counter()
        sending = asyncio.create_task(send())
        for _ in messages:
            await read_result(call)
            room.release()
        ended = time.perf_counter()
        await sending
        return started, ended


async def read_result(call: Any) -> None:
    """Read on to the result of a frame: what says how far the journal is comes in between.

    Raises:
        RuntimeError: Something else came.
    """
    while True:
        data = await call.read()
        if data is grpc.aio.EOF:
            raise RuntimeError(f"the stream ended early: {await call.details()}")
        if data.startswith(_RESULT):
            return
        if not data.startswith(_PROGRESS):
            raise RuntimeError(f"no result: {pb.LearnResponse.FromString(data)}")


def _tag_of(field: str) -> bytes:
    number = pb.LearnResponse.DESCRIPTOR.fields_by_name[field].number
    return bytes([number << 3 | 2])


# The first byte of a message tells its kind: parsing it all would be measured too.
_RESULT = _tag_of("result")
_PROGRESS = _tag_of("progress")
