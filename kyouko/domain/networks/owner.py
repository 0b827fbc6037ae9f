"""One owner per network: work on it waits in a bounded queue and runs piece by piece.

The work runs in a thread. Because one task takes it from the queue, a network needs no lock,
also when who asked for the work has gone away meanwhile. Streams and predictions go before
tasks, as they do among networks (`kyouko.domain.networks.workers`); work of one class runs in
order.

The exception is work that takes less time than handing it to a thread and back, such as one
row of a network of usual size: when nothing else is to be done, `at_once` runs it on the event
loop.
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
# What may be done on the event loop: less than two changes of threads take on a busy machine.
_SHORT_SECONDS: Final = 0.0003
# How much of the average cost of a row is the newest piece's.
_NEWEST_SHARE: Final = 0.1
# Its turn, its number, whether it is batch work, the work itself, and who waits for it.
_Piece = tuple[int, int, bool, Callable[[Ledger], Any], "asyncio.Future[Any]"]


class LeftMemory(RuntimeError):
    """The network of an owner has left memory; nobody would ever do the work."""


class Owner:
    """Runs work on one network, one piece after the other.

    Attributes:
        on_break: called when work has broken the network; it does no work any more then.
    """

    def __init__(self, ledger: Ledger, workers: Workers) -> None:
        self.ledger = ledger
        self.on_break: Callable[[], None] | None = None
        self._workers = workers
        self._numbers = itertools.count()
        self._queue: asyncio.PriorityQueue[_Piece] = asyncio.PriorityQueue(_QUEUE_LENGTH)
        self._task = asyncio.create_task(self._work())
        self._is_closed = False
        self._is_at_work = False
        # What a row takes; unknown until one was worked on.
        self._seconds_per_row: float | None = None

    @property
    def learner(self) -> Learner:
        """The network's learner, to read from."""
        return self.ledger.learner

    async def submit(
        self, work: Callable[[Ledger], T], *, is_batch: bool = False
    ) -> "asyncio.Future[T]":
        """Queue work; waits while the queue is full. The future brings its result.

        Raises:
            LeftMemory: The owner has stopped.
            Unavailable: NETWORK_RELOADING: earlier work broke the network.
        """
        self.ledger.check_whole()
        if self._is_closed:
            raise LeftMemory("the network has left memory")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        number = next(self._numbers)
        await self._queue.put((number + PATIENCE * is_batch, number, is_batch, work, future))
        return future

    def is_short(self, rows: int) -> bool:
        """Tell whether work on so many rows could be done on the event loop, and now."""
        is_idle = not (self._is_at_work or self._is_closed) and self._queue.empty()
        seconds = self._seconds_per_row
        return is_idle and seconds is not None and rows * seconds < _SHORT_SECONDS

    def at_once(self, work: Callable[[Ledger], T]) -> T:
        """Do short work on the event loop; ask `is_short` before."""
        if self._is_at_work or self._is_closed:
            raise RuntimeError("somebody else works on the network")
        try:
            return work(self.ledger)
        finally:
            self._look_for_a_break()

    def took(self, rows: int, seconds: float) -> None:
        """Note how long the work on so many rows took; that on none says nothing of others."""
        if not rows:
            return
        newest = seconds / rows
        known = newest if self._seconds_per_row is None else self._seconds_per_row
        # Another process may have had the processor meanwhile: one long piece says little.
        self._seconds_per_row = known + _NEWEST_SHARE * (min(newest, 2 * known) - known)

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
            self._is_at_work = True
            try:
                if not future.cancelled():
                    self.ledger.check_whole()
                    result = await asyncio.wrap_future(submit(work, self.ledger), loop=loop)
                    if not future.done():
                        future.set_result(result)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
                    if self.ledger.is_broken:
                        # Whoever waits for it may have ended by the break; no need to remind them.
                        future.exception()
            finally:
                self._is_at_work = False
                self._look_for_a_break()
                self._queue.task_done()

    def _look_for_a_break(self) -> None:
        if self.ledger.is_broken and not self._is_closed:
            self._is_closed = True
            if self.on_break is not None:
                self.on_break()
