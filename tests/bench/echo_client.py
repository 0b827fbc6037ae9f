"""Sends ready-made messages over a bare bidirectional stream, a window at a time."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import grpc

from tests.bench.echo_server import ANSWER_BYTES, METHOD

WINDOW = 16


async def measure_stream(
    address: str, messages: Sequence[bytes], *, answer_bytes: int = 0, window: int = WINDOW
) -> float:
    """Send every message and wait for as many answers.

    Args:
        address: host:port.
        messages: Serialised messages.
        answer_bytes: The size of each answer; 0 for the message itself.
        window: The most messages under way unanswered.

    Returns:
        Seconds from the first message to the last answer.
    """
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        call = echo_call(channel, answer_bytes)
        room = asyncio.Semaphore(window)

        async def send() -> None:
            for message in messages:
                await room.acquire()
                await call.write(message)
            await call.done_writing()

        started = time.perf_counter()
        sending = asyncio.create_task(send())
        for _ in messages:
            await read_echo(call)
            room.release()
        seconds = time.perf_counter() - started
        await sending
        return seconds


def echo_call(channel: grpc.aio.Channel, answer_bytes: int = 0) -> Any:
    """Open a stream on which every message is answered by itself, or by so many bytes."""
    return channel.stream_stream(METHOD)(metadata=((ANSWER_BYTES, str(answer_bytes)),))


async def read_echo(call: Any) -> None:
    """Read one answer.

    Raises:
        RuntimeError: The stream is over.
    """
    if await call.read() is grpc.aio.EOF:
        raise RuntimeError(f"the stream ended early: {await call.details()}")
