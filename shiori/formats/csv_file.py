"""CSV files as tables: types are found by looking at the whole file, in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from mesh.errors import InvalidArgument
from shiori.domain.announcement import DATA
from shiori.domain.dataset import Column, ColumnRole, ColumnType, listed
from shiori.formats.csv_structure import MAX_RECORD_BYTES, Structure, structure_of
from shiori.formats.csv_values import TypeGuess, values_of
from shiori.formats.malformed import ConversionStopped, malformed, refuse_packed
from shiori.formats.parquet import TableWriter, fills_group

# Longer than the longest row, so that every row fits into a block.
_BLOCK_BYTES = 2 * MAX_RECORD_BYTES


def convert(
    path: Path, target_column: str, table: Path, stopped: Callable[[], bool]
) -> list[Column]:
    """Write a CSV file as a table. It is read three times: structure, types, values.

    Raises:
        InvalidArgument: FILE_MALFORMED; FIELD_INVALID for a target that is no column.
        ResourceExhausted: LIMIT_REACHED.
    """
    refuse_packed(DATA, path)
    structure = structure_of(path, stopped)
    if target_column and target_column not in structure.names:
        allowed = listed(structure.names)
        raise InvalidArgument.for_field(
            "open.target_column",
            f"there is no column {target_column!r}; the columns are {allowed}",
            metadata={"value": target_column, "allowed": allowed},
        )
    types = _types(path, structure, stopped)
    columns = [
        Column(name, column_type, _role(name, column_type, target_column))
        for name, column_type in zip(structure.names, types, strict=True)
    ]
    return _write(path, structure, columns, table, stopped)


def _role(name: str, column_type: ColumnType, target_column: str) -> ColumnRole:
    if name == target_column:
        return ColumnRole.TARGET
    return ColumnRole.OTHER if column_type is ColumnType.STRING else ColumnRole.INPUT


def _types(path: Path, structure: Structure, stopped: Callable[[], bool]) -> list[ColumnType]:
    guesses = [TypeGuess() for _ in structure.names]
    row_count = 0
    for batch in _texts(path, structure, stopped):
        row_count += batch.num_rows
        for guess, texts in zip(guesses, batch.columns, strict=True):
            guess.see(texts)
    if row_count != structure.record_count:
        raise malformed(
            DATA,
            f"it has {structure.record_count} rows by its line ends, but {row_count} by its values",
            expected=structure.record_count,
            actual=row_count,
        )
    return [guess.conclusion() for guess in guesses]


def _write(
    path: Path,
    structure: Structure,
    columns: Sequence[Column],
    table: Path,
    stopped: Callable[[], bool],
) -> list[Column]:
    missing = [0] * len(columns)
    with TableWriter(table, columns) as writer:
        pending: list[list[pa.Array]] = []
        rows = size = 0
        for batch in _texts(path, structure, stopped):
            arrays = []
            for index, (column, texts) in enumerate(zip(columns, batch.columns, strict=True)):
                values, gaps = values_of(texts, column.type)
                missing[index] += gaps
                arrays.append(values)
            pending.append(arrays)
            rows += batch.num_rows
            size += sum(array.nbytes for array in arrays)
            if fills_group(rows, size):
                _flush(writer, pending)
                rows = size = 0
        _flush(writer, pending)
    return [
        Column(column.name, column.type, column.role, column.width, gaps)
        for column, gaps in zip(columns, missing, strict=True)
    ]


def _flush(writer: TableWriter, pending: list[list[pa.Array]]) -> None:
    if pending:
        writer.write([pa.chunked_array(list(chunks)) for chunks in zip(*pending, strict=True)])
        pending.clear()


def _texts(
    path: Path, structure: Structure, stopped: Callable[[], bool]
) -> Iterator[pa.RecordBatch]:
    """Yield all values as text, gaps as null."""
    names = list(structure.names)
    with path.open("rb") as source:
        source.seek(structure.body_offset)
        reader = csv.open_csv(
            source,
            read_options=csv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, column_names=names
            ),
            parse_options=csv.ParseOptions(
                newlines_in_values=structure.has_quotes, ignore_empty_lines=len(names) > 1
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                check_utf8=False,
            ),
        )
        for batch in reader:
            if stopped():
                raise ConversionStopped
            yield batch
