"""Tables: what is written is read, in batches of bounded size."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from shiori.domain.dataset import Column, ColumnRole, ColumnType, RowRange
from shiori.domain.rows import BATCH_BYTES, BATCH_ROWS
from shiori.formats.parquet import ParquetTable, TableWriter, fills_group

NUMBER = Column("a", ColumnType.INT64, ColumnRole.INPUT)
DOTTED = Column("a.b", ColumnType.FLOAT64, ColumnRole.INPUT)
TEXT = Column("t", ColumnType.STRING, ColumnRole.OTHER)


def test_names_with_dots_are_only_names(tmp_path: Path) -> None:
    """A column `a.b` is not read when `a` is wanted."""
    path = tmp_path / "t"
    with TableWriter(path, [NUMBER, DOTTED]) as writer:
        writer.write([pa.array([1, 2]), pa.array([0.5, 1.5])])

    with path.open("rb") as source:
        (one,) = ParquetTable(source).batches([NUMBER], RowRange(0, 2))
        (other,) = ParquetTable(source).batches([DOTTED], RowRange(1, 1))

    assert ["a"] == [column.name for column in one.columns]
    assert np.array_equal([[1.5]], other.columns[0].values)


def test_batches_are_bounded_in_rows(tmp_path: Path) -> None:
    """Narrow rows come in batches of the largest number of rows."""
    path = tmp_path / "t"
    with TableWriter(path, [NUMBER]) as writer:
        writer.write([pa.array(range(3 * BATCH_ROWS - 1))])

    with path.open("rb") as source:
        batches = list(ParquetTable(source).batches([NUMBER], RowRange(1, 3 * BATCH_ROWS - 2)))

    assert [BATCH_ROWS, BATCH_ROWS, BATCH_ROWS - 2] == [batch.row_count for batch in batches]
    assert [1, 1 + BATCH_ROWS, 1 + 2 * BATCH_ROWS] == [batch.start_row for batch in batches]


def test_matrix_holds_columns_side_by_side(tmp_path: Path) -> None:
    """The first columns come in one entry of a type that holds them all, cut as rows are."""
    path = tmp_path / "t"
    rows = BATCH_ROWS + 10
    half = np.arange(rows) / 2
    with TableWriter(path, [NUMBER, DOTTED, TEXT]) as writer:
        writer.write([pa.array(range(rows)), pa.array(half), pa.array(["x"] * rows)])

    with path.open("rb") as source:
        batches = list(
            ParquetTable(source).batches(
                [DOTTED, NUMBER, TEXT], RowRange(5, rows - 5), matrix_columns=2
            )
        )

    values = np.concatenate([batch.columns[0].values for batch in batches])
    assert np.array_equal(np.stack([half, np.arange(rows)], axis=1)[5:], values)
    assert [("a.b", "t")] * 2 == [tuple(c.name for c in batch.columns) for batch in batches]
    assert [BATCH_ROWS, 5] == [batch.row_count for batch in batches]


def test_matrix_is_counted_in_its_own_type(tmp_path: Path) -> None:
    """Bytes beside one floating-point column grow eightfold; batches stay bounded all the same."""
    path = tmp_path / "t"
    byte_columns = [Column(f"c{i}", ColumnType.UINT8, ColumnRole.INPUT) for i in range(500)]
    columns = [DOTTED, *byte_columns]
    rows = 2000
    with TableWriter(path, columns) as writer:
        zeros = pa.array(np.zeros(rows, np.uint8))
        writer.write([pa.array(np.zeros(rows)), *[zeros] * 500])

    with path.open("rb") as source:
        batches = list(ParquetTable(source).batches(columns, RowRange(0, rows), matrix_columns=501))

    sizes = [np.asarray(batch.columns[0].values).nbytes for batch in batches]
    assert rows * 501 * 8 == sum(sizes)
    assert max(sizes) <= BATCH_BYTES


def test_batches_of_uneven_texts_are_bounded_in_bytes(tmp_path: Path) -> None:
    """A few long texts among many short ones do not come in one batch together."""
    path = tmp_path / "t"
    texts = ["x"] * 1000 + ["y" * 2**20] * 4 + ["z"] * 1000
    with TableWriter(path, [TEXT]) as writer:
        writer.write([pa.array(texts)])

    with path.open("rb") as source:
        batches = list(ParquetTable(source).batches([TEXT], RowRange(0, len(texts))))

    sizes = [sum(map(len, batch.columns[0].values)) for batch in batches]
    assert texts == [text for batch in batches for text in batch.columns[0].values]
    assert max(sizes) <= BATCH_BYTES


def test_tensors_are_views_of_what_was_read(tmp_path: Path) -> None:
    """Numbers are handed on without a copy in Python."""
    path = tmp_path / "t"
    with TableWriter(path, [DOTTED]) as writer:
        writer.write([pa.array(np.arange(10.0))])

    with path.open("rb") as source:
        (batch,) = ParquetTable(source).batches([DOTTED], RowRange(0, 10))

    values = batch.columns[0].values
    assert isinstance(values, np.ndarray)
    assert not values.flags.owndata
    assert (10, 1) == values.shape


def test_groups_are_larger_for_wide_rows() -> None:
    """A group has bytes enough, and rows enough unless it would become too large."""
    outcomes = [fills_group(5000, 2**20), fills_group(1000, 2**24), fills_group(1000, 2**26)]

    assert [False, False, True] == outcomes
    assert fills_group(5000, 2**24)
