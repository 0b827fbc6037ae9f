"""Tells whoever watches a task of its changes, and not more often than is useful."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from kyouko.domain.tasks.task import Task
from mesh.errors import DomainError

_LEAST_SECONDS: Final = 0.2


class Watcher:
    """One who watches one task."""

    def __init__(self) -> None:
        self._task: Task | None = None
        self._error: DomainError | None = None
        self._changed = asyncio.Event()
        # The end is told at once; what lies before it waits its time.
        self._final = asyncio.Event()

    def tell(self, task: Task) -> None:
        """Take a newer state of the task."""
        self._task = task
        self._changed.set()
        if task.state.has_ended:
            self._final.set()

    def end(self, error: DomainError) -> None:
        """End the watching with an error."""
        self._error = error
        self._changed.set()
        self._final.set()

    async def states(self, first: Task) -> AsyncIterator[Task]:
        """Yield the first state, then every change, until the task has ended.

        Raises:
            DomainError: What `end` was told.
        """
        yield first
        has_ended = first.state.has_ended
        while not has_ended:
            await self._changed.wait()
            self._changed.clear()
            if self._error is not None:
                raise self._error
            if self._task is not None:
                has_ended = self._task.state.has_ended
                yield self._task
                await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_LEAST_SECONDS):
                await self._final.wait()
        except TimeoutError:
            return


class Watchers:
    """All who watch tasks, by the tasks' numbers."""

    def __init__(self) -> None:
        self._by_number: dict[int, set[Watcher]] = {}

    @contextmanager
    def watching(self, number: int) -> Iterator[Watcher]:
        """Watch a task for as long as the context lasts."""
        watcher = Watcher()
        watchers = self._by_number.setdefault(number, set())
        watchers.add(watcher)
        try:
            yield watcher
        finally:
            watchers.discard(watcher)
            if not watchers:
                self._by_number.pop(number, None)

    def tell(self, task: Task) -> None:
        """Tell all who watch a task of its newest state."""
        for watcher in self._by_number.get(task.number, ()):
            watcher.tell(task)

    def end(self, error: DomainError) -> None:
        """End all watching with an error."""
        for watchers in self._by_number.values():
            for watcher in watchers:
                watcher.end(error)
