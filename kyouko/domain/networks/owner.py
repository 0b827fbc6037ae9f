"""One owner per network: work on it waits in a bounded queue and runs piece by piece.

The work runs in a thread, never on the event loop. Because one task takes it
from the queue, a network needs no lock, also when who asked for the work has
gone away meanwhile. Streams and predictions go before tasks, as they do among
networks (`kyouko.domain.networks.workers`); work of one class runs in order.
"""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from kyouko.domain.networks.learner import Learner
from kyouko.domain.networks.ledger import Ledger
from kyouko.domain.networks.workers import PATIENCE, Workers

T = TypeVar("T")
_QUEUE_LENGTH: Final = 64
# Its turn, its number, whether it is batch work, the work itself, and who waits for it.
_Piece = tuple[int, int, bool, Callable[[Ledger], Any], "asyncio.Future[Any]"]


class Owner:
    """Runs work on one network, one piece after the other."""

    def __init__(self, ledger: Ledger, workers: Workers) -> None:
        self.ledger = ledger
        self._workers = workers
        self._numbers = itertools.count()
        self._queue: asyncio.PriorityQueue[_Piece] = asyncio.PriorityQueue(_QUEUE_LENGTH)
        self._task = asyncio.create_task(self._work())
        self._is_closed = False

    @property
    def learner(self) -> Learner:
        """The network's learner, to read from."""
        return self.ledger.learner

    async def submit(
        self, work: Callable[[Ledger], T], *, is_batch: bool = False
    ) -> "asyncio.Future[T]":
        """Queue work; waits while the queue is full. The future brings its result.

        Raises:
            RuntimeError: The owner has stopped; nobody would ever do the work.
        """
        if self._is_closed:
            raise RuntimeError("the network has left memory")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        number = next(self._numbers)
        await self._queue.put((number + PATIENCE * is_batch, number, is_batch, work, future))
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
            _, _, is_batch, work, future = await self._queue.get()
            submit = self._workers.submit_batch if is_batch else self._workers.submit
            try:
                if not future.cancelled():
                    result = await asyncio.wrap_future(submit(work, self.ledger), loop=loop)
                    if not future.done():
                        future.set_result(result)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            finally:
                self._queue.task_done()
