"""How samples reach those who watch."""

import asyncio

import pytest

from azuki.domain.broadcast import Broadcast
from azuki.domain.measurements import Sample
from mesh.errors import Unavailable
from tests.unit.azuki.builders import sample


async def collect(broadcast: Broadcast, count: int) -> list[Sample]:
    """Return the next samples of a new reader."""
    found: list[Sample] = []
    async for entry in broadcast.samples():
        found.append(entry)
        if len(found) == count:
            break
    return found


async def readers_of(broadcast: Broadcast, count: int) -> None:
    """Wait until that many read."""
    for _ in range(10):
        if broadcast.reader_count == count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{broadcast.reader_count} readers came instead of {count}")


async def test_every_reader_gets_every_sample() -> None:
    """Several readers do not take samples from each other."""
    broadcast = Broadcast()
    readers = [asyncio.create_task(collect(broadcast, 2)) for _ in range(3)]
    await readers_of(broadcast, 3)

    broadcast.send(sample(1))
    broadcast.send(sample(2))
    received = await asyncio.gather(*readers)

    assert [[sample(1), sample(2)]] * 3 == received


async def test_a_slow_reader_holds_nobody_up_and_keeps_the_latest() -> None:
    """A reader that falls behind loses the oldest samples only."""
    broadcast = Broadcast(backlog=2)
    slow = broadcast.samples()
    first = asyncio.ensure_future(anext(slow))
    await readers_of(broadcast, 1)
    broadcast.send(sample(0))
    await first

    for second in range(1, 100):
        broadcast.send(sample(second))
    left = [await anext(slow), await anext(slow)]
    await slow.aclose()

    assert [sample(98), sample(99)] == left


async def test_closing_ends_readers_with_a_reason() -> None:
    """A reader learns that azuki stops, and may come back later."""
    broadcast = Broadcast()
    reader = asyncio.create_task(collect(broadcast, 1))
    await readers_of(broadcast, 1)

    broadcast.close()

    with pytest.raises(Unavailable) as caught:
        await reader
    assert caught.value.reason == "SHUTTING_DOWN"
    assert broadcast.reader_count == 0


async def test_a_reader_that_comes_after_the_close_is_told_at_once() -> None:
    """Nobody waits for samples that will never come."""
    broadcast = Broadcast()
    broadcast.close()

    with pytest.raises(Unavailable):
        await collect(broadcast, 1)


async def test_a_cancelled_reader_leaves_nothing_behind() -> None:
    """A client that goes away frees its place."""
    broadcast = Broadcast()
    reader = asyncio.create_task(collect(broadcast, 1))
    await readers_of(broadcast, 1)

    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)

    assert broadcast.reader_count == 0
