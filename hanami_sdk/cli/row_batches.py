"""Rows on their way into frames: those with something to learn apart from the others.

A batch goes out unfilled when the source pauses, so that a living source is answered at once.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hanami_sdk.cli.streaming.places import Place

# A source that gives nothing for this long is pausing.
PAUSE_SECONDS = 0.2

_ROWS_AHEAD = 4096


@dataclass(frozen=True)
class Row:
    """One row of the file, read; without label and targets it is only predicted.

    Attributes:
        nanoseconds: when it was measured, since 1970; `None` when there is no such column.
        place: where in its source it ends, for sources that one can go on with.
    """

    line: int
    inputs: list[float]
    label: str | None
    targets: list[float]
    nanoseconds: int | None = None
    place: Place | None = None

    @property
    def is_taught(self) -> bool:
        """Whether there is something to learn from it."""
        return self.label is not None or bool(self.targets)


@dataclass
class RowBatch:
    """Rows that go into one frame, in order."""

    rows: list[Row] = field(default_factory=list)

    @property
    def inputs(self) -> NDArray[np.float32]:
        """The inputs, float32 [rows, channels]."""
        import numpy as np

        return np.array([row.inputs for row in self.rows], dtype=np.float32)

    @property
    def labels(self) -> list[str] | None:
        """The labels, if the rows have them."""
        return [row.label for row in self.rows if row.label is not None] or None

    @property
    def targets(self) -> NDArray[np.float32] | None:
        """The numbers to learn, float32 [rows, outputs], if the rows have them."""
        import numpy as np

        if not self.rows[0].targets:
            return None
        return np.array([row.targets for row in self.rows], dtype=np.float32)

    @property
    def event_times(self) -> list[int] | None:
        """When the rows were measured, in nanoseconds since 1970, if the rows say it."""
        times = [row.nanoseconds for row in self.rows if row.nanoseconds is not None]
        return times or None


def batches(
    rows: Iterator[Row], *, size: int, pause: float = PAUSE_SECONDS
) -> Iterator[RowBatch | None]:
    """Yield rows in batches of at most `size`; `None` whenever the source pauses, or fails."""
    source: queue.Queue[Row | BaseException | None] = queue.Queue(_ROWS_AHEAD)
    threading.Thread(target=_pump, args=(rows, source), name="csv-rows", daemon=True).start()
    batch, is_paused = RowBatch(), False
    while True:
        try:
            item = source.get(timeout=None if is_paused else pause)
        except queue.Empty:
            if batch.rows:
                yield batch
                batch = RowBatch()
            yield None
            is_paused = True
            continue
        is_paused = False
        if batch.rows and not _goes_with(item, batch):
            yield batch
            batch = RowBatch()
        if isinstance(item, Row):
            batch.rows.append(item)
            if len(batch.rows) == size:
                yield batch
                batch = RowBatch()
        if isinstance(item, BaseException):
            yield None  # What came before is answered first.
            raise item
        if item is None:
            return


def _goes_with(item: Row | BaseException | None, batch: RowBatch) -> bool:
    """Whether a row belongs into a batch: all rows of a frame are learned, or none."""
    return isinstance(item, Row) and item.is_taught == batch.rows[0].is_taught


def _pump(rows: Iterator[Row], out: queue.Queue[Row | BaseException | None]) -> None:
    try:
        for row in rows:
            out.put(row)
    except BaseException as error:
        out.put(error)
    else:
        out.put(None)
