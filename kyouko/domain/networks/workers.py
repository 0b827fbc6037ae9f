"""The threads in which networks work, shared by all of them in turn.

Work comes in two classes. Interactive work (streams, single predictions) goes before batch
work (tasks), but not for ever: batch work goes behind a bounded number of interactive pieces
that come after it, so that a busy stream slows a task down and never stops it.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import PriorityQueue
from threading import Thread
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
# How many interactive pieces that come later go before a piece of batch work.
PATIENCE: Final = 16

_Work = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], "Future[Any]"]


class Workers(Executor):
    """A pool of threads for short pieces of work."""

    def __init__(self, count: int, name: str) -> None:
        self._queue: PriorityQueue[tuple[float, int, _Work | None]] = PriorityQueue()
        self._numbers = itertools.count()
        self._threads = [
            Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        self._is_shut = False
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Queue interactive work."""
        return self._submit(0, fn, args, kwargs)

    def submit_batch(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Queue batch work."""
        return self._submit(PATIENCE, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end once all work is done, or at once all that has not begun."""
        self._is_shut = True
        if cancel_futures:
            while not self._queue.empty():
                work = self._queue.get_nowait()[2]
                if work is not None:
                    work[3].cancel()
        for _ in self._threads:
            self._queue.put((float("inf"), next(self._numbers), None))
        if wait:
            for thread in self._threads:
                thread.join()

    def _submit(
        self, patience: int, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> "Future[T]":
        if self._is_shut:
            raise RuntimeError("the workers have been sent home")
        future: Future[T] = Future()
        number = next(self._numbers)
        self._queue.put((number + patience, number, (fn, args, kwargs, future)))
        return future

    def _run(self) -> None:
        while True:
            work = self._queue.get()[2]
            if work is None:
                return
            fn, args, kwargs, future = work
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
                del result
            # Nothing of it may stay alive until the next piece comes.
            del work, fn, args, kwargs, future
