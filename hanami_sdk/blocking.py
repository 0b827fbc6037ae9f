"""Lets blocking code use asynchronous code: an event loop in a thread of its own.

Everything the client does is written once, asynchronously; `blocking` and
`blocking_iterator` turn those methods into ordinary ones, signature and
docstring included.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
CoreT = TypeVar("CoreT")
ItemT = TypeVar("ItemT")


class LoopThread:
    """An event loop that runs in a background thread until it is closed."""

    def __init__(self) -> None:
        self.loop = _new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="hanami-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a coroutine in the loop and return its result to this thread.

        An interrupt (Ctrl-C) cancels the coroutine.
        """
        if self._thread is threading.current_thread() or not self._thread.is_alive():
            work.close()
            raise RuntimeError("The client is closed, or used from within its own thread.")
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[ItemT]) -> Iterator[ItemT]:
        """Yield what an asynchronous iterator yields."""
        try:
            while True:
                try:
                    item = self.run(_next(items))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            if self._thread.is_alive():
                self.run(_close(items))

    def close(self) -> None:
        """Stop the loop and wait for its thread."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            for task in (left := asyncio.all_tasks(self.loop)):
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


class Face(Generic[CoreT]):
    """A blocking face of an asynchronous object."""

    def __init__(self, core: CoreT, thread: LoopThread) -> None:
        self._core = core
        self._thread = thread


def blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, ResultT]],
) -> Callable[Concatenate[Any, P], ResultT]:
    """Turn a coroutine method of the core into a blocking method of its face."""

    @functools.wraps(method)
    def call(self: Face[Any], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        return self._thread.run(method(self._core, *args, **kwargs))

    return cast("Callable[Concatenate[Any, P], ResultT]", call)


def blocking_iterator(
    method: Callable[Concatenate[Any, P], AsyncIterator[ItemT]],
) -> Callable[Concatenate[Any, P], Iterator[ItemT]]:
    """Turn an asynchronous iterator method of the core into an ordinary one."""

    @functools.wraps(method)
    def call(self: Face[Any], *args: P.args, **kwargs: P.kwargs) -> Iterator[ItemT]:
        return self._thread.iterate(method(self._core, *args, **kwargs))

    return cast("Callable[Concatenate[Any, P], Iterator[ItemT]]", call)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop, which is faster on pipelined streams, where it exists."""
    try:
        import uvloop
    except ImportError:  # It does not exist for Windows.
        return asyncio.new_event_loop()
    return cast("asyncio.AbstractEventLoop", uvloop.new_event_loop())


async def _next(items: AsyncIterator[ItemT]) -> ItemT:
    return await anext(items)


async def _close(items: AsyncIterator[ItemT]) -> None:
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
