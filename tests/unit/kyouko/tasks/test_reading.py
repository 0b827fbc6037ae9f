"""Reading ahead: pieces of equal size, epochs, breaks, and an end that is kept to."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np
import pytest

from kyouko.domain.tasks.reading import ReadingPlan, RowReader
from kyouko.domain.tasks.result import NewDataset
from kyouko.ports import ColumnValues, DatasetDescription, DatasetSource, RowRange
from mesh.errors import DomainError, FailedPrecondition, NotFound, Unavailable


class Archive:
    """An archive of one data set of numbered rows, that breaks when told to.

    Attributes:
        breaks: by row: the error to raise when the row's turn comes, once.
    """

    def __init__(self, row_count: int, breaks: dict[int, DomainError] | None = None) -> None:
        self._row_count = row_count
        self._breaks = breaks or {}
        self.starts: list[int] = []

    async def describe(self, name: str, *, token: str = "") -> DatasetDescription:
        """Return nothing of use; readers do not ask."""
        return DatasetDescription(name, [], self._row_count)

    async def read(
        self, source: DatasetSource, columns: Sequence[str], start_row: int, *, together: int
    ) -> AsyncGenerator[RowRange, None]:
        """Yield the rows in batches of seven."""
        self.starts.append(start_row)
        for first in range(start_row, self._row_count, 7):
            error = self._breaks.pop(first, None)
            if error is not None:
                raise error
            numbers = np.arange(first, min(first + 7, self._row_count))[:, np.newaxis]
            yield RowRange(first, len(numbers), [ColumnValues(numbers)])

    async def is_ours(self, project_id: str, dataset_id: str) -> bool:
        """Have nothing."""
        return False

    async def upload_csv(self, new: NewDataset, path: Path) -> None:
        """Store nothing; readers do not write."""


def plan(row_count: int, **changes: int | float) -> ReadingPlan:
    """Return a plan for one epoch in pieces of four rows."""
    values: dict[str, int | float] = {
        "together": 1,
        "row_count": row_count,
        "epochs": 1,
        "done_rows": 0,
        "frame_rows": 4,
        "patience_seconds": 5.0,
    }
    return ReadingPlan(dataset="projects/p/datasets/d", columns=["x"], **(values | changes))  # type: ignore[arg-type]


async def rows_of(reader: RowReader) -> list[int]:
    """Return the numbers of all rows, in the order in which they came."""
    rows: list[int] = []
    while (piece := await reader.next()) is not None:
        numbers = piece.columns[0].numbers
        assert numbers is not None
        assert (piece.row_count, piece.start_row) == (len(numbers), numbers[0, 0])
        rows.extend(numbers[:, 0].tolist())
    await reader.close()
    return rows


async def test_every_row_comes_once_per_epoch_in_order() -> None:
    """Whatever the sizes of batches and pieces."""
    reader = RowReader(Archive(30), plan(30, epochs=2))

    assert [*range(30), *range(30)] == await rows_of(reader)


async def test_done_rows_are_left_out() -> None:
    """A task that goes on begins in the middle of its second epoch."""
    archive = Archive(10)

    rows = await rows_of(RowReader(archive, plan(10, epochs=3, done_rows=14)))

    assert [*range(4, 10), *range(10)] == rows
    assert [4, 0] == archive.starts


async def test_an_empty_data_set_has_no_rows() -> None:
    """It is not even asked for."""
    assert [] == await rows_of(RowReader(Archive(0), plan(0, epochs=3)))


async def test_a_break_costs_no_row() -> None:
    """Reading goes on from the row reached."""
    archive = Archive(30, {14: Unavailable("away", reason="DEPENDENCY_UNAVAILABLE")})

    rows = await rows_of(RowReader(archive, plan(30)))

    assert [*range(30)] == rows
    assert [0, 14] == archive.starts


@pytest.mark.parametrize(
    ("error", "patience"),
    [
        (Unavailable("away", reason="DEPENDENCY_UNAVAILABLE"), 0.0),
        (NotFound("projects/p/datasets/d"), 5.0),
    ],
)
async def test_what_does_not_pass_ends_the_reading(error: DomainError, patience: float) -> None:
    """Out of patience, or for a reason that waiting does not cure; rows before it come."""
    reader = RowReader(Archive(30, {14: error}), plan(30, patience_seconds=patience))
    pieces = [await reader.next() for _ in range(4)]

    with pytest.raises(type(error)):
        await reader.next()

    assert 14 == sum(piece.row_count for piece in pieces if piece is not None)
    await reader.close()


async def test_a_data_set_that_shrank_is_a_conflict() -> None:
    """A shorter data set of the same name does not end the task as if all were done."""
    reader = RowReader(Archive(10), plan(30))

    with pytest.raises(FailedPrecondition) as conflict:
        await rows_of(reader)

    assert ("STATE_CONFLICT", "10") == (conflict.value.reason, conflict.value.metadata["actual"])
    await reader.close()


async def test_a_stopped_reader_ends_at_once() -> None:
    """What was read ahead is dropped."""
    reader = RowReader(Archive(10_000), plan(10_000))
    await reader.next()

    reader.stop()

    assert await reader.next() is None
    await reader.close()
