"""What a data set is: its name, its columns, its rows. No files, no database."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mesh import names
from mesh.errors import InvalidArgument
from mesh.visibility import Belonging, Visibility

_PATTERN = "projects/*/datasets/*"
# How many names of columns an error lists before it stops.
_NAMES_IN_ERROR = 20


class FileFormat(StrEnum):
    """What uploaded files are written in; named as in the contract."""

    IDX = "IDX"
    CSV = "CSV"


class ColumnRole(StrEnum):
    """What a column is used for unless a task says otherwise."""

    INPUT = "INPUT"
    TARGET = "TARGET"
    OTHER = "OTHER"


class ColumnType(StrEnum):
    """The type of a column's values."""

    UINT8 = "UINT8"
    INT64 = "INT64"
    FLOAT64 = "FLOAT64"
    STRING = "STRING"


@dataclass(frozen=True)
class Column:
    """One column; `width` is the number of values that one row holds in it."""

    name: str
    type: ColumnType
    role: ColumnRole
    width: int = 1
    missing_count: int = 0


@dataclass(frozen=True)
class DatasetName:
    """The name of a data set, in its parts."""

    project_id: str
    dataset_id: str

    @classmethod
    def parse(cls, name: str, *, field: str = "name") -> "DatasetName":
        """Take a resource name apart.

        Raises:
            InvalidArgument: FIELD_INVALID: it is no name of a data set.
        """
        return cls(*names.parse(_PATTERN, name, field=field))

    def __str__(self) -> str:
        return f"projects/{self.project_id}/datasets/{self.dataset_id}"


@dataclass(frozen=True)
class RowRange:
    """The rows from `start` on, `count` of them."""

    start: int
    count: int


@dataclass(frozen=True)
class DatasetEntry:
    """The little that tells who may know of a data set; the etag tells it from later ones."""

    name: DatasetName
    etag: str
    belonging: Belonging


@dataclass(frozen=True)
class Dataset:
    """A stored table of rows; the table is the blob named `sha256`.

    Nothing of it ever changes but who may know of it. `owner_since` tells its owner from a later
    one of the same name.
    """

    name: DatasetName
    format: FileFormat
    columns: tuple[Column, ...]
    row_count: int
    size_bytes: int
    sha256: str
    create_time: datetime
    creator: str
    owner: str = ""
    owner_since: int = 0
    visibility: Visibility = Visibility.SHARED

    @property
    def belonging(self) -> Belonging:
        """Whose it is, and who may know of it."""
        return Belonging(
            self.name.project_id, self.create_time, self.owner, self.owner_since, self.visibility
        )

    @property
    def etag(self) -> str:
        """What tells this data set from a later one of the same name."""
        identity = f"{self.name} {self.sha256} {self.create_time.timestamp():.6f}"
        return hashlib.sha256(identity.encode()).hexdigest()[:16]

    def select_columns(self, wanted: Sequence[str]) -> tuple[Column, ...]:
        """Return the columns of these names in this order; all of them for no names.

        Raises:
            InvalidArgument: FIELD_INVALID: there is no such column.
        """
        if not wanted:
            return self.columns
        known = {column.name: column for column in self.columns}
        for index, name in enumerate(wanted):
            if name not in known:
                allowed = listed([column.name for column in self.columns])
                raise InvalidArgument.for_field(
                    f"columns[{index}]",
                    f"there is no column {name!r}; the columns are {allowed}",
                    metadata={"value": name, "allowed": allowed},
                )
        return tuple(known[name] for name in wanted)

    def check_matrix(self, columns: Sequence[Column], count: int) -> None:
        """Refuse to make a matrix of columns that are not there or hold text.

        Args:
            columns: What is read.
            count: So many of them, from the first on, are to be one matrix.

        Raises:
            InvalidArgument: FIELD_INVALID.
        """
        if count > len(columns):
            raise InvalidArgument.for_field(
                "matrix_columns",
                f"{count} columns cannot be a matrix where {len(columns)} are read",
                metadata={"value": str(count), "allowed": f"0 to {len(columns)}"},
            )
        text = [c.name for c in columns[:count] if c.type is ColumnType.STRING]
        if text:
            raise InvalidArgument.for_field(
                "matrix_columns",
                f"a matrix holds numbers, but there is text in {listed(text)}",
                metadata={"value": str(count)},
            )

    def select_rows(self, start: int, limit: int) -> RowRange:
        """Return the rows from `start` on, at most `limit` of them; all that follow for 0.

        Raises:
            InvalidArgument: FIELD_INVALID: the first row is outside the data set.
        """
        if not 0 <= start < self.row_count:
            allowed = f"0 to {self.row_count - 1}"
            raise InvalidArgument.for_field(
                "start_row",
                f"{start} is outside the rows, {allowed}",
                metadata={"value": str(start), "allowed": allowed},
            )
        left = self.row_count - start
        return RowRange(start, min(limit, left) if limit else left)


def listed(column_names: Sequence[str]) -> str:
    """Return column names for a sentence, not too many of them."""
    shown = ", ".join(column_names[:_NAMES_IN_ERROR])
    more = len(column_names) - _NAMES_IN_ERROR
    return f"{shown} and {more} more" if more > 0 else shown
