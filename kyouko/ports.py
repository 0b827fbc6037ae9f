"""What the domain needs from outside: storage, data sets, time, ids and traces."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
    Set,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from kyouko.domain.holdings import Holding
from kyouko.domain.networks.network import Network, SnapshotContent, SnapshotRecord
from kyouko.domain.tasks.result import NewDataset
from kyouko.domain.tasks.task import Task
from mesh.access import Caller, Principal
from mesh.visibility import Sight, Visibility

Clock = Callable[[], datetime]
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
# Makes an id of 32 hexadecimal digits that never comes twice.
NewId = Callable[[], str]
VerifyToken = Callable[[str], Awaitable[Principal]]
# Raises an error for a caller who was let in, and would not be let in any more.
CheckCaller = Callable[[Caller], None]


class NetworkRepository(Protocol):
    """Keeps the rows of networks. Each method is one transaction."""

    async def create(self, network: Network) -> None:
        """Store a new network.

        Raises:
            AlreadyExists: RESOURCE_EXISTS.
        """

    async def get(self, project_id: str, network_id: str) -> Network:
        """Return a network.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def list(
        self, project_id: str, *, sight: Sight, after: str, limit: int
    ) -> Sequence[Network]:
        """Return networks in sight by id, byte by byte, after the id `after`."""

    async def projects(self) -> Set[str]:
        """Return the projects that have networks."""

    async def set_visibility(self, uid: str, visibility: Visibility) -> bool:
        """Store who may know of a network; returns whether it is there."""

    async def holdings(self) -> Sequence[Holding]:
        """Return what all networks count in quotas, in any order."""

    async def record_snapshot(
        self, uid: str, record: SnapshotRecord, *, instead: bool = False
    ) -> str | None:
        """Point a network to a new snapshot; the newest one up to now becomes the one before.

        Args:
            uid: The network's.
            record: What the snapshot holds.
            instead: It takes the place of the newest one; the one before stays.

        Returns:
            The name of the snapshot that is no longer needed (empty: none); None when the
            network is gone.

        Raises:
            ValueError: A statistic is not finite.
        """

    async def record_problem(self, uid: str, problem: str) -> None:
        """Note what of a network was lost by damage; a missing network is left missing."""

    async def fall_back(self, uid: str, snapshot: str, journal_position: int) -> None:
        """Point a network to an older snapshot, or to none, because the newest is damaged."""

    async def by_uid(self, uids: Set[str]) -> Sequence[Network]:
        """Return those networks that exist, in any order."""

    async def snapshots(self) -> Set[str]:
        """Return the names of the snapshots that networks point to."""

    async def delete(self, uid: str) -> None:
        """Delete a network and its tasks; a missing one counts as deleted."""


class DamagedSnapshot(Exception):
    """A snapshot that is there, but is not what was stored, or is no longer there."""


@dataclass(frozen=True)
class StoredSnapshot:
    """What a store knows of a snapshot.

    Attributes:
        size_bytes: as it is stored.
        create_time: when it was stored.
    """

    size_bytes: int
    create_time: datetime


class SnapshotStore(Protocol):
    """Keeps snapshots. A snapshot is there completely or not at all."""

    async def save(self, prefix: str, content: SnapshotContent) -> str:
        """Store a snapshot below a prefix; returns its name.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: it could not be stored.
        """

    async def load(self, name: str) -> SnapshotContent:
        """Return a snapshot.

        Raises:
            DamagedSnapshot: Its bytes are not those that were stored.
            Unavailable: DEPENDENCY_UNAVAILABLE: it could not be read.
        """

    async def delete(self, name: str) -> None:
        """Delete a snapshot; a missing one counts as deleted."""

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the names of all snapshots below a prefix."""

    async def describe(self, name: str) -> StoredSnapshot | None:
        """Return what is known of a snapshot; None if it is not there.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: the store does not answer.
        """


@dataclass(frozen=True)
class JournalRecord:
    """One record of a journal; positions count from 1 and never come twice."""

    position: int
    data: bytes


@dataclass(frozen=True)
class JournalDamage:
    """Records that were durable and cannot be read any more.

    Attributes:
        place: the segment or stream that is damaged, by name.
        last_good_position: the last record before the damage.
        problem: what is wrong there, for people.
    """

    place: str
    last_good_position: int
    problem: str


class NetworkJournal(Protocol):
    """What was learned, in order: the journal of one network.

    `append` is called from one thread at a time, any thread; all else from the event loop.
    """

    @property
    def damage(self) -> JournalDamage | None:
        """What could not be read when the journal was opened.

        Told at every opening until one whose snapshot knows of `last_position`: take one
        when the damage has been dealt with.
        """

    @property
    def last_position(self) -> int:
        """The position of the newest record, durable or not."""

    @property
    def durable_position(self) -> int:
        """The position up to which no crash can take anything; may be read from any thread."""

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Take a record, given in parts that nobody changes; returns its position. Never waits."""

    async def room(self) -> None:
        """Wait until few enough bytes wait for the disk that more may be appended.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: the journal cannot be written to.
        """

    async def flush(self) -> None:
        """Wait until all that was appended is durable.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: the journal cannot be written to.
        """

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call back, on the event loop, whenever `durable_position` has moved, or writing fails.

        Returns:
            What ends this.
        """

    def read(self, after: int) -> AsyncIterator[JournalRecord]:
        """Yield the durable records after a position, in order, up to damage or the newest.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: they cannot be read now.
        """

    async def release(self, through: int) -> None:
        """Forget records up to a position, as far as that can be done cheaply."""

    async def close(self) -> None:
        """Make everything durable if possible, and let go of files and connections."""


class Journals(Protocol):
    """The journals of all networks."""

    async def open(self, uid: str, *, after: int) -> NetworkJournal:
        """Open the journal of a network whose snapshot knows of all positions up to `after`.

        A record that was cut off while it was written is removed. New positions are
        greater than `after` and than all that are there.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE.
        """

    async def delete(self, uid: str) -> None:
        """Forget a network's journal; a missing one counts as deleted."""

    async def uids(self) -> Set[str]:
        """Return the networks that have a journal."""

    async def check(self) -> None:
        """Raise when nothing can be made durable at this moment."""

    async def close(self) -> None:
        """Let go of everything; journals that are open are closed first."""


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


class ColumnKind(StrEnum):
    """The type of a column's values."""

    UINT8 = "UINT8"
    INT64 = "INT64"
    FLOAT64 = "FLOAT64"
    STRING = "STRING"


class ColumnUse(StrEnum):
    """What a column is used for by default."""

    INPUT = "INPUT"
    TARGET = "TARGET"
    OTHER = "OTHER"


@dataclass(frozen=True)
class DatasetColumn:
    """A column of a data set; `width` values in each row."""

    name: str
    kind: ColumnKind
    use: ColumnUse
    width: int


@dataclass(frozen=True)
class DatasetDescription:
    """What is known of a stored data set; the etag tells it from others of its name."""

    name: str
    columns: Sequence[DatasetColumn]
    row_count: int
    visibility: Visibility = Visibility.SHARED
    etag: str = ""
    create_time: datetime = _LONG_AGO


@dataclass(frozen=True)
class DatasetSource:
    """Which data set to read, and for whom.

    Attributes:
        etag: tells it from others that had its name, or will; empty for whichever has it.
        reader: who may read it, or not; None for this service itself.
    """

    name: str
    etag: str = ""
    reader: Principal | None = None


@dataclass(frozen=True)
class ColumnValues:
    """Values of one column: numbers of shape (rows, width), or texts."""

    numbers: npt.NDArray[np.generic] | None
    texts: Sequence[str] | None = None


@dataclass(frozen=True)
class RowRange:
    """A run of rows of some columns, in the order in which they were asked for.

    The first columns may share one array, in which they stand side by side.
    """

    start_row: int
    row_count: int
    columns: Sequence[ColumnValues]


class Datasets(Protocol):
    """The stored data sets of the mesh."""

    async def describe(self, name: str, *, token: str = "") -> DatasetDescription:
        """Return a data set on behalf of the caller whose token it is; without one as this service.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """

    def read(
        self, source: DatasetSource, columns: Sequence[str], start_row: int, *, together: int
    ) -> AsyncGenerator[RowRange, None]:
        """Yield the rows of some columns from a row on, in order.

        The first `together` columns, of numbers, may share one array of one type.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also once the reader may not know of it any more.
            Aborted: ETAG_MISMATCH.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """

    async def is_ours(self, project_id: str, dataset_id: str) -> bool:
        """Tell whether a data set is there that this service stored.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """

    async def upload_csv(self, new: NewDataset, path: Path) -> None:
        """Store a CSV file as a data set, as this service.

        Raises:
            AlreadyExists: RESOURCE_EXISTS.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """


class Standings(Protocol):
    """What users and programs may do at this moment."""

    async def of(self, name: str) -> Principal:
        """Return somebody as they are now, by name.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is none, or they may do nothing any more.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """


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
