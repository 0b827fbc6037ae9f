"""How samples reach those who watch."""

import asyncio

import pytest

from azuki.domain.broadcast import Broadcast
from azuki.domain.measurements import Sample
from mesh.errors import ResourceExhausted, Unavailable
from tests.unit.azuki.builders import sample

NAME = "users/alice"


async def collect(broadcast: Broadcast, count: int, name: str = NAME) -> list[Sample]:
    """Return the next samples of a new reader."""
    found: list[Sample] = []
    async for entry in broadcast.samples(name):
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
    broadcast = Broadcast(max_readers_each=3)
    readers = [asyncio.create_task(collect(broadcast, 2)) for _ in range(3)]
    await readers_of(broadcast, 3)

    broadcast.send(sample(1))
    broadcast.send(sample(2))
    received = await asyncio.gather(*readers)

    assert [[sample(1), sample(2)]] * 3 == received


async def test_a_slow_reader_holds_nobody_up_and_keeps_the_latest() -> None:
    """A reader that falls behind loses the oldest samples only."""
    broadcast = Broadcast(max_readers_each=3, backlog=2)
    slow = broadcast.samples(NAME)
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
    broadcast = Broadcast(max_readers_each=3)
    reader = asyncio.create_task(collect(broadcast, 1))
    await readers_of(broadcast, 1)

    broadcast.close()

    with pytest.raises(Unavailable) as caught:
        await reader
    assert caught.value.reason == "SHUTTING_DOWN"
    assert broadcast.reader_count == 0


async def test_a_reader_that_comes_after_the_close_is_told_at_once() -> None:
    """Nobody waits for samples that will never come."""
    broadcast = Broadcast(max_readers_each=3)
    broadcast.close()

    with pytest.raises(Unavailable):
        await collect(broadcast, 1)


async def test_a_cancelled_reader_leaves_nothing_behind() -> None:
    """A client that goes away frees its place."""
    broadcast = Broadcast(max_readers_each=3)
    reader = asyncio.create_task(collect(broadcast, 1))
    await readers_of(broadcast, 1)

    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)

    assert broadcast.reader_count == 0


async def test_one_name_reads_so_often_and_no_more() -> None:
    """The reader too many is told the limit; others, and a later one, are let in."""
    broadcast = Broadcast(max_readers_each=1)
    first = asyncio.create_task(collect(broadcast, 1))
    await readers_of(broadcast, 1)

    with pytest.raises(ResourceExhausted) as caught:
        await collect(broadcast, 1)
    other = asyncio.create_task(collect(broadcast, 1, "users/bob"))
    await readers_of(broadcast, 2)
    broadcast.send(sample(1))
    await asyncio.gather(first, other)
    again = asyncio.create_task(collect(broadcast, 1))
    await readers_of(broadcast, 1)
    broadcast.send(sample(2))

    assert caught.value.reason == "LIMIT_REACHED"
    assert caught.value.metadata == {"limit": "1", "actual": "2"}
    assert [sample(2)] == await again
