"""The newest state of every unfinished task, in memory and in the repository."""

import asyncio
import time
from typing import Final

import structlog

from kyouko.domain.tasks.task import Task
from kyouko.domain.tasks.watching import Watchers
from kyouko.ports import TaskRepository
from mesh.errors import DomainError

_log = structlog.get_logger(__name__)
# Progress in between is stored now and then only: it is of use after a crash, to people.
_STORE_SECONDS: Final = 5.0
_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 0.5


class TaskBoard:
    """Keeps tasks that have not ended, and tells of their changes."""

    def __init__(self, repository: TaskRepository) -> None:
        self.watchers = Watchers()
        self._repository = repository
        self._tasks: dict[int, Task] = {}
        self._stored_at: dict[int, float] = {}

    def newest(self, task: Task) -> Task:
        """Return the newest state of a task that was read from the repository."""
        return self._tasks.get(task.number, task)

    def add(self, task: Task) -> None:
        """Take in a task that has not ended."""
        self._tasks[task.number] = task

    async def progressed(self, task: Task) -> None:
        """Take in progress."""
        self._tasks[task.number] = task
        now = time.monotonic()
        if now - self._stored_at.get(task.number, now) >= _STORE_SECONDS:
            self._stored_at[task.number] = now
            await self._store(task)
        self._stored_at.setdefault(task.number, now)
        self.watchers.tell(task)

    async def changed(self, task: Task) -> None:
        """Take in a change of state; it is stored before anybody is told."""
        await self._store(task)
        if task.state.has_ended:
            self._tasks.pop(task.number, None)
            self._stored_at.pop(task.number, None)
        else:
            self._tasks[task.number] = task
        self.watchers.tell(task)

    def end_watching(self, error: DomainError) -> None:
        """End all watching with an error."""
        self.watchers.end(error)

    async def _store(self, task: Task) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._repository.update(task)
                return
            except Exception as error:
                _log.warning("cannot store a task", task=task.name, error=repr(error))
                if attempt < _ATTEMPTS:
                    await asyncio.sleep(_PAUSE_SECONDS * attempt)
        # People see the state of the memory until the next start, which calls the task failed.
        _log.error("a task's state is not stored", task=task.name, state=task.state)
