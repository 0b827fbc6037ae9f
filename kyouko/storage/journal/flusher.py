"""The one thread that writes all journals of a process.

It sleeps until something is appended, then stores what all journals have gathered, and rests for
the flush interval, so that one sync serves many records (group commit). What cannot be stored
stays where it is and is tried again. It needs Python's lock for some hundred microseconds a
round; writing and syncing happen without it.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Protocol

import structlog

_log = structlog.get_logger(__name__)
_FIRST_RETRY_SECONDS: Final = 0.05
_MOST_RETRY_SECONDS: Final = 1.0
_FOREVER_SECONDS: Final = 3600.0

Order = Callable[[], None]


class Storing(Protocol):
    """A journal, as the flusher sees it."""

    def store(self) -> str:
        """Make all that was appended durable; returns the problem that prevents it, or ""."""


class Flusher:
    """Stores journals when they ask for it.

    Args:
        flush_seconds: how long it rests between rounds unless somebody is in a hurry.
        after_round: told, in its thread, which journals a round has dealt with.
    """

    def __init__(
        self, *, flush_seconds: float, after_round: Callable[[list[Storing]], None]
    ) -> None:
        self._flush_seconds = flush_seconds
        self._after_round = after_round
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._waiting: dict[Storing, None] = {}
        self._failing: dict[Storing, _Retry] = {}
        self._last_round = 0.0
        self._is_urgent = False
        self._is_ending = False
        self._thread = Thread(target=self._run, name="journal-flusher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def order(self, order: Order) -> None:
        """Have something done in the thread, soon, between rounds. May be called anywhere."""
        self._orders.put(order)

    def perform(self, work: Callable[[], None]) -> Future[None]:
        """Have something done in the thread; the future tells how it ended."""
        done: Future[None] = Future()

        def order() -> None:
            try:
                work()
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        self.order(order)
        return done

    def gather(self, journal: Storing) -> None:
        """Store a journal in the next round. An order: called in the thread."""
        if journal not in self._failing:
            self._waiting[journal] = None

    def hurry(self) -> None:
        """Let the next round begin at once. An order: called in the thread."""
        self._is_urgent = True

    def forget(self, journal: Storing) -> None:
        """Never store a journal again. An order: called in the thread."""
        self._waiting.pop(journal, None)
        self._failing.pop(journal, None)

    def stop(self) -> None:
        """Store what waits once more, and end the thread. Waits for that."""
        self.order(self._end)
        self._thread.join()

    def _end(self) -> None:
        self._is_ending = True

    def _run(self) -> None:
        while not self._is_ending:
            if self._orders_done(self._seconds_to_rest(time.monotonic())):
                continue
            self._round()
        self._round()

    def _orders_done(self, seconds: float | None) -> bool:
        """Carry out the next order if one comes in time; tells whether one did."""
        try:
            order = self._orders.get(timeout=seconds) if seconds else self._orders.get_nowait()
        except Empty:
            return False
        try:
            order()
        except Exception:
            _log.exception("an order to the journals' writer failed")
        return True

    def _seconds_to_rest(self, now: float) -> float:
        """Return how long nothing needs to be stored."""
        moments = [retry.at for retry in self._failing.values()]
        if self._waiting:
            moments.append(0.0 if self._is_urgent else self._last_round + self._flush_seconds)
        return max(min(moments, default=now + _FOREVER_SECONDS) - now, 0.0)

    def _round(self) -> None:
        self._last_round = time.monotonic()
        due = [journal for journal, retry in self._failing.items() if retry.at <= self._last_round]
        journals = [*due, *self._waiting]
        self._waiting.clear()
        self._is_urgent = False
        for journal in journals:
            self._store(journal)
        if journals:
            self._after_round(journals)

    def _store(self, journal: Storing) -> None:
        problem = journal.store()
        if not problem:
            self._failing.pop(journal, None)
            return
        retry = self._failing.setdefault(journal, _Retry())
        retry.postpone(time.monotonic())


class _Retry:
    """When to try a failing journal again: soon at first, then every second."""

    def __init__(self) -> None:
        self.at = 0.0
        self._seconds = _FIRST_RETRY_SECONDS

    def postpone(self, now: float) -> None:
        """Wait longer than the last time."""
        self.at = now + self._seconds
        self._seconds = min(2 * self._seconds, _MOST_RETRY_SECONDS)
