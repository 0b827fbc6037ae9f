"""What the domain of shiori needs from outside."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mesh.visibility import Sight, Visibility
from shiori.domain.announcement import Announcement
from shiori.domain.dataset import Column, Dataset, DatasetEntry, DatasetName, RowRange
from shiori.domain.logs.records import (
    AuditEntry,
    EntryFilter,
    ErrorFilter,
    ErrorRecord,
    Position,
)
from shiori.domain.rows import RowBatch

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class StoredBytes:
    """The size of all data sets that belong to somebody in a project."""

    project_id: str
    owner: str
    size_bytes: int


class DatasetRepository(Protocol):
    """Keeps what is known of data sets, without their rows."""

    async def add(self, dataset: Dataset) -> None:
        """Make a data set visible.

        Raises:
            AlreadyExists: RESOURCE_EXISTS: the name is taken.
        """

    async def entry(self, name: DatasetName) -> DatasetEntry | None:
        """Return who may know of a data set, or None; nothing of its content is read."""

    async def get(self, name: DatasetName) -> Dataset | None:
        """Return a data set, or None; for those who may know of it."""

    async def list(
        self, project_id: str, *, sight: Sight, after: str, limit: int
    ) -> Sequence[Dataset]:
        """Return data sets of a project in the order of their ids.

        Args:
            project_id: The project.
            sight: Only those that it shows.
            after: Only ids that come after this one.
            limit: The most data sets to return.
        """

    async def projects(self) -> Set[str]:
        """Return the projects that have data sets."""

    async def set_visibility(self, name: DatasetName, visibility: Visibility, *, etag: str) -> bool:
        """Store who may know of the data set of this etag; returns whether it is there."""

    async def delete(self, name: DatasetName, *, etag: str) -> Dataset | None:
        """Remove a data set and return it; None when there is none.

        Args:
            name: The data set.
            etag: When set, remove only if this is still its etag.

        Raises:
            Aborted: ETAG_MISMATCH.
        """

    async def sizes(self) -> Sequence[StoredBytes]:
        """Return how much each owner has in each project."""

    async def refers_to(self, sha256: str) -> bool:
        """Return whether any data set has this table."""


class StagedUpload(Protocol):
    """A folder for the files of one upload. Its methods block."""

    def append(self, role: str, data: bytes) -> None:
        """Write more bytes of a file."""

    def close(self) -> None:
        """Close the files, so that they can be read."""

    def files(self) -> Mapping[str, Path]:
        """Return where each file lies, by its role."""

    def table(self) -> Path:
        """Return where the converted table is to be written."""


class Staging(Protocol):
    """Temporary folders for uploads."""

    def opened(self) -> AbstractAsyncContextManager[StagedUpload]:
        """Make a folder for one upload; it is gone afterwards, whatever happens."""

    def free_bytes(self) -> int:
        """Return how many bytes there is room for."""


@dataclass(frozen=True)
class ConvertedTable:
    """A table as it was written: its columns, rows, size and checksum (hexadecimal)."""

    columns: tuple[Column, ...]
    row_count: int
    size_bytes: int
    sha256: str


class Converter(Protocol):
    """Turns uploaded files into one table. Blocks; runs in a thread."""

    def __call__(
        self,
        announcement: Announcement,
        files: Mapping[str, Path],
        table: Path,
        stopped: Callable[[], bool],
    ) -> ConvertedTable:
        """Convert.

        Args:
            announcement: What the files are.
            files: Where they lie, by role.
            table: Where to write the table.
            stopped: Asked between blocks; when true the work ends with ConversionStopped.

        Raises:
            InvalidArgument: FILE_MALFORMED; FIELD_INVALID for a target that is no column.
            ResourceExhausted: LIMIT_REACHED: too many columns, or too large a row.
        """


class TableReader(Protocol):
    """An open table."""

    def batches(
        self, columns: Sequence[Column], rows: RowRange, *, matrix_columns: int = 0
    ) -> Iterator[RowBatch]:
        """Read rows in order, in batches of bounded size. Blocks; runs in a thread.

        Args:
            columns: What to read.
            rows: Which rows.
            matrix_columns: So many columns, from the first on, come as one matrix.
        """


class TableStore(Protocol):
    """Keeps tables, named by the SHA-256 of their bytes."""

    async def put(self, sha256: str, table: Path) -> None:
        """Store a table, whole or not at all."""

    def open(self, sha256: str) -> TableReader:
        """Open a table. Blocks; runs in a thread.

        Raises:
            FileNotFoundError: There is none of that name.
        """

    async def delete(self, sha256: str) -> None:
        """Remove a table; a missing one counts as removed."""

    def names(self) -> AsyncIterator[str]:
        """Yield the names of all tables."""


class AuditRepository(Protocol):
    """Keeps the entries of the audit log."""

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Store entries, all or none; those whose id is there already are left alone."""

    async def newest(
        self, wanted: EntryFilter, *, own: str, after: Position | None, limit: int
    ) -> Sequence[AuditEntry]:
        """Return entries by time and id, newest first.

        Args:
            wanted: Which ones.
            own: When set, only those whose principal, real or claimed, this is.
            after: Only those that come later in this order.
            limit: The most entries to return.
        """

    async def arrived(
        self, wanted: EntryFilter, *, own: str, after: int, until: int, limit: int
    ) -> Sequence[AuditEntry]:
        """Return entries in the order in which they were stored.

        Args:
            wanted: Which ones.
            own: As in `newest`.
            after: Only sequences above this one.
            until: Only sequences up to this one.
            limit: The most entries to return.
        """

    async def last_sequence(self) -> int:
        """Return the sequence of the entry stored last; 0 when there is none."""

    async def remove_before(self, time: datetime) -> int:
        """Remove entries of before a time; returns how many."""

    async def remove_oldest(self, max_bytes: int) -> int:
        """Remove the entries stored first when all take more than this; returns how many.

        Nine tenths of it are left, so that not every call removes some.
        """


class ErrorRepository(Protocol):
    """Keeps the records of errors."""

    async def add(self, errors: Sequence[ErrorRecord]) -> None:
        """Store records, all or none; those whose incident is there already are left alone."""

    async def get(self, incident: str) -> ErrorRecord | None:
        """Return a record, or None."""

    async def newest(
        self, wanted: ErrorFilter, *, own: str, after: Position | None, limit: int
    ) -> Sequence[ErrorRecord]:
        """Return records by time and incident, newest first.

        Args:
            wanted: Which ones.
            own: When set, only those whose principal this is.
            after: Only those that come later in this order.
            limit: The most records to return.
        """

    async def remove_before(self, time: datetime) -> int:
        """Remove records of before a time; returns how many."""

    async def remove_oldest(self, max_bytes: int) -> int:
        """Remove the records stored first, as in `AuditRepository`; returns how many."""
