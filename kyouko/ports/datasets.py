"""Where data sets come from."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from kyouko.domain.tasks.result import NewDataset
from mesh import names
from mesh.access import Principal
from mesh.visibility import Belonging, Visibility

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


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
    owner: str = ""

    @property
    def belonging(self) -> Belonging:
        """Whose it is, and who may know of it; its owner had the name when it was made."""
        project_id, _ = names.parse("projects/*/datasets/*", self.name)
        return Belonging(project_id, self.create_time, self.owner, visibility=self.visibility)


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
