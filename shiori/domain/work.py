"""Blocking work beside the event loop, ended in good order when its caller gives up."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


async def run(executor: Executor, work: Callable[[], T], *, stop: Callable[[], None]) -> T:
    """Run blocking work in a thread; a cancelled caller waits until it has ended.

    So what the work uses (files, folders) may be removed as soon as this returns.

    Args:
        executor: Where to run.
        work: What to do.
        stop: Called on cancellation; makes the work end early if it can.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop()
        # The caller has given up: what the work brings, or how it fails, is of no interest.
        with suppress(Exception):
            await future
        raise


def nothing_to_stop() -> None:
    """Stand in for a stop of work that is short."""


async def prefetched(executor: Executor, items: Iterator[T]) -> AsyncGenerator[T, None]:
    """Yield items of a blocking iterator, with the next one always under way.

    Args:
        executor: Where the iterator runs, one step at a time.
        items: The iterator.
    """
    loop = asyncio.get_running_loop()

    def take_one() -> list[T]:
        return list(islice(items, 1))

    upcoming = loop.run_in_executor(executor, take_one)
    try:
        while taken := await asyncio.shield(upcoming):
            upcoming = loop.run_in_executor(executor, take_one)
            yield taken[0]
    finally:
        # The thread must be done with the file before it may go. An error of the step
        # that nobody waits for any more has been raised above, or is of no interest.
        with suppress(Exception):
            await upcoming
