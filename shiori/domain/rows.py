"""Rows on their way out: batches of columns as arrays or text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# A batch stays near this size, far below the largest message, and large enough
# that the cost of a message does not count.
BATCH_BYTES = 3 * 2**19
BATCH_ROWS = 8192
# Every column of a batch costs some 20 microseconds, so wide tables have larger batches,
# yet below the 4 MiB that a gRPC client accepts unless told otherwise.
_BYTES_PER_COLUMN = 2**13
_MOST_BATCH_BYTES = 3 * 2**20


@dataclass(frozen=True)
class ColumnValues:
    """Values of one column: an array of shape (rows, width), or one text for each row.

    A matrix is the values of several columns side by side, named after the first.
    """

    name: str
    values: Array | Sequence[str]


@dataclass(frozen=True)
class RowBatch:
    """Some rows; `start_row` counts from the first row of the data set."""

    start_row: int
    row_count: int
    columns: tuple[ColumnValues, ...]


def batch_ends(row_bytes: Array, *, column_count: int) -> list[int]:
    """Cut rows into batches of bounded size.

    Args:
        row_bytes: int64, shape (rows,), the size of each row in bytes.
        column_count: How many columns the rows have.

    Returns:
        The end of each batch, exclusive. Every batch has a row at least, even if
        that row alone is larger than a batch should be.
    """
    limit = min(max(BATCH_BYTES, column_count * _BYTES_PER_COLUMN), _MOST_BATCH_BYTES)
    total = np.cumsum(row_bytes)
    ends: list[int] = []
    start = 0
    while start < len(total):
        before = int(total[start - 1]) if start else 0
        fitting = int(np.searchsorted(total, before + limit, side="right"))
        start = max(start + 1, min(fitting, start + BATCH_ROWS))
        ends.append(start)
    return ends
