"""What tasks need: where they are kept, where predictions are collected, and traces."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from kyouko.domain.tasks.task import Task
from mesh.visibility import Sight


class TaskRepository(Protocol):
    """Keeps tasks. Each method is one transaction."""

    async def create(self, task: Task) -> Task:
        """Store a new task; returns it with its number.

        Raises:
            AlreadyExists: RESOURCE_EXISTS.
            NotFound: RESOURCE_NOT_FOUND: the network is gone.
        """

    async def get(self, project_id: str, network_id: str, task_id: str) -> Task:
        """Return a task.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def list(
        self, project_id: str, network_id: str | None, *, sight: Sight, after: int, limit: int
    ) -> Sequence[Task]:
        """Return tasks by number after `after`, of one network in sight or of all of them."""

    async def update(self, task: Task) -> None:
        """Store state, progress, failure and times of a task; a missing one is left missing.

        Raises:
            ValueError: A number of the progress is not finite.
        """

    async def unfinished(self) -> Sequence[Task]:
        """Return all tasks that have not ended, by number."""


class Tracing(Protocol):
    """Links a running task to the call that queued it."""

    def current(self) -> Mapping[str, str]:
        """Return the present trace context (W3C headers)."""

    def task_span(
        self, name: str, link: Mapping[str, str], attributes: Mapping[str, Any]
    ) -> AbstractContextManager[None]:
        """Open a span that is current inside and linked to an earlier context."""


class PredictionFile(Protocol):
    """Collects the predictions of a task until they can be stored."""

    @property
    def path(self) -> Path:
        """Where the file is."""

    async def append(self, columns: Sequence[Sequence[Any]]) -> None:
        """Add rows, given as columns of equal length."""

    async def discard(self) -> None:
        """Remove the file."""


class PredictionFiles(Protocol):
    """Makes such files."""

    async def create(self, header: Sequence[str]) -> PredictionFile:
        """Begin a CSV file with these columns."""
