"""Reads under way, and whether who reads may still know of what is read."""

from collections.abc import Iterator
from contextlib import contextmanager

from mesh.access import Caller
from mesh.errors import DomainError
from mesh.visibility import authorize
from shiori.domain.dataset import Dataset, DatasetName


class RunningRead:
    """One read; asked before each batch."""

    def __init__(self, caller: Caller, name: DatasetName) -> None:
        self.name = name
        self._caller = caller
        self._error: DomainError | None = None

    def tell(self, dataset: Dataset) -> None:
        """Take in that it has changed who may know of the data set."""
        name = dataset.name
        try:
            authorize(self._caller, name.project_id, str(name), dataset.belonging)
        except DomainError as error:
            self._error = error

    def check(self) -> None:
        """Refuse to go on for somebody who may not any more.

        Raises:
            DomainError: What `mesh.visibility.authorize` raises.
        """
        if self._error is not None:
            raise self._error


class RunningReads:
    """All reads under way."""

    def __init__(self) -> None:
        self._running: set[RunningRead] = set()

    @contextmanager
    def following(self, caller: Caller, name: DatasetName) -> Iterator[RunningRead]:
        """Follow changes for a read as long as the context lasts."""
        read = RunningRead(caller, name)
        self._running.add(read)
        try:
            yield read
        finally:
            self._running.discard(read)

    def tell(self, dataset: Dataset) -> None:
        """Tell all who read a data set that it has changed who may know of it."""
        for read in self._running:
            if read.name == dataset.name:
                read.tell(dataset)
