"""Blocking work beside the loop, and callers who give up."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shiori.domain import work


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """Return a pool of one thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def test_cancelled_caller_waits_for_the_end_of_the_work(
    executor: ThreadPoolExecutor,
) -> None:
    """When the cancellation arrives, the thread is done with its files."""
    began, stop, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        stop.wait(10)
        ended.set()

    task = asyncio.create_task(work.run(executor, slow, stop=stop.set))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended.is_set()


async def test_prefetched_items_come_in_order(executor: ThreadPoolExecutor) -> None:
    """All items come, in order, also when one of them counts as false."""
    items = [item async for item in work.prefetched(executor, iter([1, 0, None, 2]))]

    assert [1, 0, None, 2] == items


async def test_next_item_is_under_way_while_one_is_used(executor: ThreadPoolExecutor) -> None:
    """The iterator works on the second item while the caller holds the first."""
    second_begun = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        second_begun.set()
        yield 2

    stream = work.prefetched(executor, items())
    first = await anext(stream)

    assert 1 == first
    assert await asyncio.to_thread(second_begun.wait, 10)
    await stream.aclose()


async def test_error_of_the_iterator_reaches_the_caller(executor: ThreadPoolExecutor) -> None:
    """What goes wrong in the thread goes wrong for the one who reads."""

    def items() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    stream = work.prefetched(executor, items())
    await anext(stream)

    with pytest.raises(OSError, match="disk"):
        await anext(stream)
