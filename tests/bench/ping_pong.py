"""One row at a time: how long an answer takes through the mesh, and how long a bare echo takes.

Both sides send the same bytes with the same bare client, so what differs is the mesh: its
checks, its queues, its journal, its engine.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb

from tests.bench.echo_client import echo_call, read_echo
from tests.bench.echo_server import ENGINE_METHOD
from tests.bench.learn_client import Target, learning, messages_of, read_result
from tests.bench.mnist import Mnist

ROWS = 2000
# Not measured: paths, caches and connections get warm.
WARM_ROWS = 200
DURABLE_ROWS = 100


@dataclass(frozen=True)
class Latency:
    """What one run found, seconds."""

    p50: float
    p99: float


async def echo_latency(address: str, data: Mnist) -> Latency:
    """Measure the bare stream."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = echo_call(channel)
        found = await _ping_pong(call, _rows(data, WARM_ROWS + ROWS), read_echo)
        await call.done_writing()
        return found


async def engine_latency(address: str, data: Mnist) -> Latency:
    """Measure the bare stream whose server learns each row by the engine alone."""
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.stream_stream(ENGINE_METHOD)()
        found = await _ping_pong(call, _rows(data, WARM_ROWS + ROWS), read_echo)
        await call.done_writing()
        return found


async def learn_latency(target: Target, data: Mnist) -> Latency:
    """Measure learning, each row sent when the one before it is answered."""
    async with learning(target) as (call, last):
        return await _ping_pong(call, _rows(data, WARM_ROWS + ROWS, last=last), read_result)


async def durable_delays(target: Target, data: Mnist) -> list[float]:
    """Return the seconds from a result to the message that says it is durable."""
    delays = []
    async with learning(target) as (call, last):
        for sequence, message in enumerate(_rows(data, DURABLE_ROWS, last=last), last + 1):
            await call.write(message)
            answer = await _answer(call)
            answered = time.perf_counter()
            durable = answer.result.durable_sequence
            while durable < sequence:
                news = pb.LearnResponse.FromString(await call.read())
                durable = max(durable, news.progress.durable_sequence)
            delays.append(time.perf_counter() - answered)
    return delays


def _rows(data: Mnist, count: int, *, last: int = 0) -> list[bytes]:
    images, labels = data.train_images[:count], data.train_labels[:count]
    return messages_of(images, labels, frame_rows=1, last=last)


async def _ping_pong(
    call: Any, messages: Sequence[bytes], read: Callable[[Any], Awaitable[None]]
) -> Latency:
    seconds = []
    for message in messages:
        started = time.perf_counter()
        await call.write(message)
        await read(call)
        seconds.append(time.perf_counter() - started)
    found = np.percentile(seconds[WARM_ROWS:], [50, 99])
    return Latency(float(found[0]), float(found[1]))


async def _answer(call: Any) -> pb.LearnResponse:
    while True:
        response = pb.LearnResponse.FromString(await call.read())
        if response.WhichOneof("message") != "progress":
            return response
