"""One row at a time: how long an answer takes through the mesh, and how long a bare echo takes.

Both sides send the same bytes with the same bare client, so what differs is the mesh: its
checks, its queues, its journal, its engine.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb

from hanami_sdk.frames import encode_frame, split_rows
from tests.bench.echo_client import echo_call
from tests.bench.mnist import Mnist

LEARN_METHOD = "/hanami.kyouko.v1.LearningService/Learn"
ROWS = 2000
# Not measured: paths, caches and connections get warm.
WARM_ROWS = 200
DURABLE_ROWS = 100


@dataclass(frozen=True)
class Latency:
    """What one run found, seconds."""

    p50: float
    p99: float


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


def messages_of(data: Mnist, count: int, *, first: int = 0, last: int = 0) -> list[bytes]:
    """Return requests of one row each, numbered from `last` + 1."""
    rows = slice(first, first + count)
    frames = split_rows(data.train_images[rows], data.train_labels[rows], frame_rows=1)
    messages = []
    for sequence, frame in enumerate(frames, last + 1):
        message = encode_frame(frame)
        message.sequence = sequence
        messages.append(pb.LearnRequest(frame=message).SerializeToString())
    return messages


async def echo_latency(address: str, data: Mnist) -> Latency:
    """Measure the bare stream."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = echo_call(channel)
        found = await _ping_pong(call, messages_of(data, WARM_ROWS + ROWS))
        await call.done_writing()
        return found


async def learn_latency(target: Target, data: Mnist) -> Latency:
    """Measure learning, each row sent when the one before it is answered."""
    async with _learning(target) as (call, last):
        return await _ping_pong(call, messages_of(data, WARM_ROWS + ROWS, last=last))


async def durable_delays(target: Target, data: Mnist) -> list[float]:
    """Return the seconds from a result to the message that says it is durable."""
    delays = []
    async with _learning(target) as (call, last):
        for sequence, message in enumerate(messages_of(data, DURABLE_ROWS, last=last), last + 1):
            await call.write(message)
            answer = await _answer(call)
            answered = time.perf_counter()
            durable = answer.result.durable_sequence
            while durable < sequence:
                news = pb.LearnResponse.FromString(await call.read())
                durable = max(durable, news.progress.durable_sequence)
            delays.append(time.perf_counter() - answered)
    return delays


@asynccontextmanager
async def _learning(target: Target) -> AsyncIterator[tuple[Any, int]]:
    """Open a stream without the client library; yields it and its last sequence."""
    async with grpc.aio.insecure_channel(target.address) as channel:
        call: Any = channel.stream_stream(LEARN_METHOD)(
            metadata=(("authorization", f"Bearer {target.token}"),)
        )
        opening = pb.LearnOpen(network=target.name, mode=pb.LEARN_MODE_LEARN)
        await call.write(pb.LearnRequest(open=opening).SerializeToString())
        first = pb.LearnResponse.FromString(await call.read())
        yield call, first.opened.last_sequence
        await call.done_writing()


async def _ping_pong(call: Any, messages: Sequence[bytes]) -> Latency:
    seconds = []
    for message in messages:
        started = time.perf_counter()
        await call.write(message)
        await _read_answer(call)
        seconds.append(time.perf_counter() - started)
    found = np.percentile(seconds[WARM_ROWS:], [50, 99])
    return Latency(float(found[0]), float(found[1]))


async def _read_answer(call: Any) -> None:
    """Read on to the answer of a frame: what says how far the journal is comes in between."""
    while True:
        data = await call.read()
        if data is grpc.aio.EOF:
            raise RuntimeError(f"the stream ended early: {await call.details()}")
        if not data.startswith(_PROGRESS):
            return


async def _answer(call: Any) -> pb.LearnResponse:
    while True:
        response = pb.LearnResponse.FromString(await call.read())
        if response.WhichOneof("message") != "progress":
            return response


def _tag_of(field: str) -> bytes:
    number = pb.LearnResponse.DESCRIPTOR.fields_by_name[field].number
    return bytes([number << 3 | 2])


# The first byte of a message tells its kind: parsing it all would be measured too.
_PROGRESS = _tag_of("progress")
