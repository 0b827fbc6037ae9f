"""One owner per network: work on it waits in a bounded queue and runs in order.

The work runs in a thread, never on the event loop. Because one task takes it
from the queue, a network needs no lock, also when who asked for the work has
gone away meanwhile.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Final, TypeVar

from kyouko.domain.networks.learner import Learner
from kyouko.domain.networks.ledger import Ledger

T = TypeVar("T")
_QUEUE_LENGTH: Final = 64


class Owner:
    """Runs work on one network, one piece after the other."""

    def __init__(self, ledger: Ledger, executor: Executor) -> None:
        self.ledger = ledger
        self._executor = executor
        self._queue: asyncio.Queue[tuple[Callable[[Ledger], Any], asyncio.Future[Any]]] = (
            asyncio.Queue(_QUEUE_LENGTH)
        )
        self._task = asyncio.create_task(self._work())
        self._is_closed = False

    @property
    def learner(self) -> Learner:
        """The network's learner, to read from."""
        return self.ledger.learner

    async def submit(self, work: Callable[[Ledger], T]) -> "asyncio.Future[T]":
        """Queue work; waits while the queue is full. The future brings its result.

        Raises:
            RuntimeError: The owner has stopped; nobody would ever do the work.
        """
        if self._is_closed:
            raise RuntimeError("the network has left memory")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._queue.put((work, future))
        return future

    async def run(self, work: Callable[[Ledger], T]) -> T:
        """Queue work and wait for its result."""
        return await (await self.submit(work))

    async def close(self) -> None:
        """Finish what is queued, then stop."""
        self._is_closed = True
        await self._queue.join()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            work, future = await self._queue.get()
            try:
                if not future.cancelled():
                    result = await loop.run_in_executor(self._executor, work, self.ledger)
                    if not future.done():
                        future.set_result(result)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            finally:
                self._queue.task_done()
