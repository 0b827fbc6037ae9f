"""Asynchronous methods for blocking callers."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from hanami_sdk.blocking import Face, LoopThread, blocking, blocking_iterator


class Counter:
    """Counts, asynchronously."""

    def __init__(self) -> None:
        self.is_closed = False

    async def add(self, left: int, *, right: int = 1) -> int:
        """Add two numbers."""
        await asyncio.sleep(0)
        if right < 0:
            raise ValueError("only upwards")
        return left + right

    async def count(self, end: int) -> AsyncIterator[int]:
        """Count to an end."""
        try:
            for number in range(end):
                await asyncio.sleep(0)
                yield number
        finally:
            self.is_closed = True


class BlockingCounter(Face[Counter]):
    """Counts."""

    add = blocking(Counter.add)
    count = blocking_iterator(Counter.count)


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """Return a running loop thread."""
    made = LoopThread()
    yield made
    made.close()


def test_a_coroutine_method_becomes_an_ordinary_one(thread: LoopThread) -> None:
    """Arguments go in and the result comes back; the docstring stays."""
    counter = BlockingCounter(Counter(), thread)

    assert counter.add(2, right=3) == 5
    assert BlockingCounter.add.__doc__ == "Add two numbers."


def test_exceptions_reach_the_caller(thread: LoopThread) -> None:
    """What the core raises is raised here."""
    counter = BlockingCounter(Counter(), thread)

    with pytest.raises(ValueError, match="only upwards"):
        counter.add(1, right=-1)


def test_an_asynchronous_iterator_becomes_an_ordinary_one(thread: LoopThread) -> None:
    """All items come, in order."""
    counter = BlockingCounter(Counter(), thread)

    assert list(counter.count(4)) == [0, 1, 2, 3]


def test_an_iterator_left_early_is_closed(thread: LoopThread) -> None:
    """Nothing goes on in the background."""
    core = Counter()
    items = BlockingCounter(core, thread).count(1000)
    next(items)

    items.close()  # type: ignore[attr-defined]

    assert core.is_closed


def test_several_threads_may_call_at_once(thread: LoopThread) -> None:
    """The loop serves them all."""
    counter = BlockingCounter(Counter(), thread)
    sums: list[int] = []

    callers = [
        threading.Thread(target=lambda n=n: sums.append(counter.add(n, right=100)))
        for n in range(8)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert sorted(sums) == list(range(100, 108))


def test_the_callers_context_goes_along(thread: LoopThread) -> None:
    """A trace that is open in the calling thread is open in the call."""
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="none")
    trace.set("mine")

    async def read() -> str:
        return trace.get()

    assert thread.run(read()) == "mine"


def test_a_closed_client_says_so(thread: LoopThread) -> None:
    """A call after close is an error, not a hang."""
    counter = BlockingCounter(Counter(), thread)
    thread.close()

    with pytest.raises(RuntimeError, match="closed"):
        counter.add(1)
