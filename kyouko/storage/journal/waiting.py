"""Tells the event loop that journals have moved on, and lets others wait for that."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from kyouko.storage.journal.pending import PendingRecords
from kyouko.storage.journal.problems import journal_unavailable


class Watched(Protocol):
    """Something whose watchers want to know when it moves on."""

    def notify(self) -> None:
        """Call all watchers, on the event loop."""


class Watchers:
    """The callbacks of those who watch one journal; used on the event loop only."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[[], None]] = {}

    def add(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Add a callback; returns what removes it."""
        key = object()
        self._callbacks[key] = notify

        def remove() -> None:
            self._callbacks.pop(key, None)

        return remove

    def notify(self) -> None:
        """Call all, each on its own: what one of them raises does not concern the others."""
        loop = asyncio.get_running_loop()
        for callback in self._callbacks.values():
            loop.call_soon(callback)


class Changes:
    """Wakes those who wait for any journal to move on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiters: list[asyncio.Future[None]] = []

    async def next(self) -> None:
        """Wait for the next change. Whoever looked on the loop just before misses none."""
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    async def until_room(self, pending: PendingRecords, is_full: Callable[[], bool]) -> None:
        """Wait until more may be appended.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: nothing can be made durable.
        """
        while True:
            _raise_problem(pending)
            if not is_full():
                return
            await self.next()

    async def until_durable(self, pending: PendingRecords) -> None:
        """Wait until all that was appended is durable.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: nothing can be made durable.
        """
        target = pending.last_position
        while pending.durable_position < target:
            _raise_problem(pending)
            await self.next()

    def publish_threadsafe(self, changed: Iterable[Watched]) -> None:
        """Tell of changes, from any thread: one call of the loop for all of them."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.publish, list(changed))

    def publish(self, changed: Iterable[Watched]) -> None:
        """Tell of changes, on the loop."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        for one in changed:
            one.notify()


def _raise_problem(pending: PendingRecords) -> None:
    if pending.problem:
        raise journal_unavailable(pending.problem)
