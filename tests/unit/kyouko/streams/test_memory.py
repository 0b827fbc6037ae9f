"""The bound of all streams together."""

import asyncio

from kyouko.domain.streams.memory import Share, StreamMemory


def test_who_holds_nothing_may_always_take_a_frame() -> None:
    """Who holds something waits while the bound is reached."""
    memory = StreamMemory(100)
    large, small = Share(memory), Share(memory)

    large.add(100)
    first = (large.may_grow, small.may_grow)
    small.add(1)
    second = (large.may_grow, small.may_grow)
    large.add(-50)
    third = (large.may_grow, small.may_grow)

    assert ((False, True), (False, False), (True, True)) == (first, second, third)


def test_a_stream_that_ends_gives_all_back() -> None:
    """What comes of it afterwards does not count."""
    memory = StreamMemory(100)
    share = Share(memory)
    share.add(70)
    during = memory.taken_bytes

    share.close()
    share.add(-70)

    assert (70, 0) == (during, memory.taken_bytes)


async def test_who_waits_hears_of_room() -> None:
    """It comes when others give back, or end."""
    memory = StreamMemory(100)
    waiting, other = Share(memory), Share(memory)
    waiting.add(1)
    other.add(99)
    event = asyncio.Event()
    task = asyncio.create_task(waiting.changed(event))
    await asyncio.sleep(0)
    before = event.is_set()

    other.close()
    await asyncio.wait_for(task, 30)

    assert not before
    assert event.is_set()
