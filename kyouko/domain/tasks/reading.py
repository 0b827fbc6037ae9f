"""Reads the rows of a task ahead of the network, through breaks of the archive."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

import structlog

from kyouko.domain.tasks.patience import Patience
from kyouko.ports import ColumnValues, Datasets, DatasetSource, RowRange
from mesh.access import Principal
from mesh.errors import FailedPrecondition, Unavailable

_log = structlog.get_logger(__name__)
_AHEAD: Final = 4


@dataclass(frozen=True)
class ReadingPlan:
    """What to read.

    Attributes:
        together: the first columns, which are fed to the network side by side.
        row_count: rows of the data set.
        epochs: how often to read it.
        done_rows: over all epochs, rows to leave out at the beginning.
        frame_rows: most rows in a piece.
        patience_seconds: how long the archive may be away.
        etag: see `DatasetSource`, as for the reader.
    """

    dataset: str
    columns: Sequence[str]
    together: int
    row_count: int
    epochs: int
    done_rows: int
    frame_rows: int
    patience_seconds: float
    etag: str = ""
    reader: Principal | None = None

    @property
    def source(self) -> DatasetSource:
        """The data set, and for whom it is read."""
        return DatasetSource(self.dataset, self.etag, self.reader)


class RowReader:
    """Keeps a few pieces ready; whoever takes them works while the next ones come."""

    def __init__(self, datasets: Datasets, plan: ReadingPlan) -> None:
        self._datasets = datasets
        self._plan = plan
        self._pieces: asyncio.Queue[RowRange | Exception | None] = asyncio.Queue(_AHEAD)
        self._task = asyncio.create_task(self._fill())

    async def next(self) -> RowRange | None:
        """Return the next piece, None at the end or once stopped.

        Raises:
            DomainError: The data set cannot be read any further.
        """
        piece = await self._pieces.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def stop(self) -> None:
        """Let the next call of `next` return None, whatever is ready."""
        self._task.cancel()
        while not self._pieces.empty():
            self._pieces.get_nowait()
        self._pieces.put_nowait(None)

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _fill(self) -> None:
        plan = self._plan
        try:
            first_epoch, row = divmod(plan.done_rows, max(plan.row_count, 1))
            for _ in range(first_epoch, plan.epochs):
                async with aclosing(self._through_breaks(row)) as batches:
                    async for batch in batches:
                        for piece in _pieces(batch, plan.frame_rows):
                            await self._pieces.put(piece)
                row = 0
            await self._pieces.put(None)
        except Exception as error:
            await self._pieces.put(error)

    async def _through_breaks(self, row: int) -> AsyncGenerator[RowRange, None]:
        """Yield the rows from one on; after a break, go on from the row reached."""
        plan = self._plan
        patience = Patience(plan.patience_seconds)
        while row < plan.row_count:
            try:
                batches = self._datasets.read(
                    plan.source, plan.columns, row, together=plan.together
                )
                async with aclosing(batches) as read:
                    async for batch in read:
                        row = batch.start_row + batch.row_count
                        patience.restore()
                        yield batch
                if row < plan.row_count:
                    raise _shrunk(plan.dataset, row, plan.row_count)
            except Unavailable as error:
                _log.warning("archive lost", dataset=plan.dataset, row=row, error=str(error))
                await patience.pause(error)


def _pieces(batch: RowRange, most: int) -> Sequence[RowRange]:
    if batch.row_count <= most:
        return [batch]
    count = -(-batch.row_count // most)
    # Equal pieces: a short last one would cost as much to hand over as a full one.
    size = -(-batch.row_count // count)
    return [
        RowRange(
            start_row=batch.start_row + start,
            row_count=min(size, batch.row_count - start),
            columns=[_slice(column, start, start + size) for column in batch.columns],
        )
        for start in range(0, batch.row_count, size)
    ]


def _slice(column: ColumnValues, start: int, stop: int) -> ColumnValues:
    return ColumnValues(
        numbers=None if column.numbers is None else column.numbers[start:stop],
        texts=None if column.texts is None else column.texts[start:stop],
    )


def _shrunk(dataset: str, actual: int, expected: int) -> FailedPrecondition:
    return FailedPrecondition(
        f"{dataset} had {expected} rows when the task was made, and has {actual} now",
        reason="STATE_CONFLICT",
        metadata={"resource": dataset, "expected": str(expected), "actual": str(actual)},
    )
