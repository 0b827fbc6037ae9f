"""Tables as Parquet files: written in row groups, read back as arrays."""

from collections.abc import Iterator, Mapping, Sequence
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shiori.domain.dataset import Column, ColumnType, RowRange
from shiori.domain.rows import Array, ColumnValues, RowBatch, batch_ends

# A row group is read as a whole. 8 MiB keep memory small, and a range that begins
# in the middle of a group wastes a few milliseconds at most.
GROUP_BYTES = 8 * 2**20
# Wide tables have larger groups: each column of each group costs some 50 microseconds
# to read, and a description in the footer.
_WIDE_GROUP_ROWS = 4096
_MOST_GROUP_BYTES = 64 * 2**20

_ARROW_TYPES = {
    ColumnType.UINT8: pa.uint8(),
    ColumnType.INT64: pa.int64(),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.STRING: pa.string(),
}


def fills_group(row_count: int, size_bytes: int) -> bool:
    """Return whether so many rows of that size together make a whole row group."""
    is_enough = size_bytes >= GROUP_BYTES and row_count >= _WIDE_GROUP_ROWS
    return is_enough or size_bytes >= _MOST_GROUP_BYTES


def arrow_type(column: Column) -> pa.DataType:
    """Return how a column lies in the table.

    An image is one fixed-size binary value. As a list of bytes it would be read at
    205,000 images (28 x 28) a second uncompressed, as binary at 3,800,000, and at
    1,570,000 with LZ4, which halves the file (measured).
    """
    if column.width > 1:
        return pa.binary(column.width)
    return _ARROW_TYPES[column.type]


class TableWriter:
    """Writes a Parquet file, one row group a call. Values are never null."""

    def __init__(
        self, path: Path, columns: Sequence[Column], *, notes: Mapping[str, str] | None = None
    ) -> None:
        fields = [pa.field(column.name, arrow_type(column), nullable=False) for column in columns]
        self._schema = pa.schema(fields, metadata=dict(notes or {}))
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            # Read 1.5 to 2 times as fast as with Zstandard, at 1.3 times the size (measured).
            compression="lz4",
            use_dictionary=[c.name for c in columns if c.width == 1 and "." not in c.name],
            write_statistics=False,
        )

    def write(self, arrays: Sequence[pa.Array | pa.ChunkedArray]) -> None:
        """Write rows as one group; the arrays are in the order of the columns."""
        table = pa.table(list(arrays), schema=self._schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()


class ParquetTable:
    """An open Parquet file that `TableWriter` has written."""

    def __init__(self, source: BinaryIO | RawIOBase) -> None:
        self._file = pq.ParquetFile(source)

    def batches(
        self, columns: Sequence[Column], rows: RowRange, *, matrix_columns: int = 0
    ) -> Iterator[RowBatch]:
        """Read rows in order, in batches of bounded size; see `shiori.ports.TableReader`."""
        metadata = self._file.metadata
        end = rows.start + rows.count
        group_start = 0
        for group in range(metadata.num_row_groups):
            group_end = group_start + metadata.row_group(group).num_rows
            first, last = max(rows.start, group_start), min(end, group_end)
            if first < last:
                table = self._read_group(group, columns)
                part = table.slice(first - group_start, last - first)
                yield from _cut(part, columns, first, matrix_columns)
            group_start = group_end

    def _read_group(self, group: int, columns: Sequence[Column]) -> pa.Table:
        # A name with a dot could also match a prefix; `select` takes exact names.
        names = [column.name for column in columns]
        return self._file.read_row_group(group, columns=names, use_threads=False).select(names)


def _cut(
    table: pa.Table, columns: Sequence[Column], first: int, matrix_columns: int
) -> Iterator[RowBatch]:
    arrays = [table.column(index).combine_chunks() for index in range(table.num_columns)]
    matrix = _matrix(arrays[:matrix_columns], columns[:matrix_columns])
    single, arrays = columns[matrix_columns:], arrays[matrix_columns:]
    row_bytes = _row_bytes(arrays, table.num_rows) + matrix.itemsize * matrix.shape[1]
    start = 0
    for end in batch_ends(row_bytes, column_count=len(single) + 1):
        values = [
            ColumnValues(column.name, _values(array.slice(start, end - start), column))
            for column, array in zip(single, arrays, strict=True)
        ]
        if matrix_columns:
            rows = np.ascontiguousarray(matrix[start:end])
            values.insert(0, ColumnValues(columns[0].name, rows))
        yield RowBatch(first + start, end - start, tuple(values))
        start = end


def _matrix(arrays: Sequence[pa.Array], columns: Sequence[Column]) -> Array:
    """Return columns side by side; of shape (0, 0) for none."""
    parts = [_numbers(array, column) for array, column in zip(arrays, columns, strict=True)]
    if len(parts) < 2:
        return parts[0] if parts else np.empty((0, 0), np.uint8)
    # Column by column in memory, as they come: each batch is turned over by itself,
    # small enough for the cache.
    return np.concatenate([part.T for part in parts]).T


def _row_bytes(arrays: Sequence[pa.Array], row_count: int) -> Array:
    total = np.zeros(row_count, dtype=np.int64)
    for array in arrays:
        if pa.types.is_string(array.type):
            total += pc.binary_length(array).to_numpy(zero_copy_only=False)
            total += 2  # what a short text costs besides its bytes
        else:
            total += array.type.bit_width // 8
    return total


def _values(array: pa.Array, column: Column) -> Array | Sequence[str]:
    if column.type is ColumnType.STRING:
        texts: list[str] = array.to_pylist()
        return texts
    return _numbers(array, column)


def _numbers(array: pa.Array, column: Column) -> Array:
    if column.width > 1:
        return _bytes_of(array, column.width)
    numbers: Array = array.to_numpy(zero_copy_only=True)
    return numbers.reshape(-1, 1)


def _bytes_of(array: pa.Array, width: int) -> Array:
    data: Any = array.buffers()[1]
    flat = np.frombuffer(data, dtype=np.uint8)[array.offset * width :]
    return flat[: len(array) * width].reshape(len(array), width)
