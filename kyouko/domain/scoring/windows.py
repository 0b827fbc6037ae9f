"""The last rows of a stream: their sums, their spread, and their values in order.

Sums over a window are kept in two halves: what is left of the previous `width` rows, as sums
from each row to the end of them, and what came since, as one growing sum. Nothing is ever
subtracted, so a huge value leaves no trace once it has left the window, and a row costs the same
however wide the window is.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# Calibrated parts look at their window anew after so many rows.
BEAT: Final = 16
# And sort it after this share of it.
_SORTED_SHARE: Final = 16


def running_sums(start: Float64, values: Float64) -> Float64:
    """Return `start` and the sums after each row of the values, shape (rows + 1, columns).

    Row after row: numpy's plain sum would depend on where a frame ends.
    """
    return np.cumsum(np.concatenate((start[np.newaxis], values)), axis=0)


class WindowSums:
    """The sums of the columns of the last rows."""

    def __init__(self, width: int, columns: int) -> None:
        self._width = width
        self._latest = np.zeros((width, columns))
        self._from_here = np.zeros((width + 1, columns))
        self._sum = np.zeros(columns)
        self._count = 0
        self.rows = 0

    def add(self, values: Float64) -> None:
        """Take in rows, shape (rows, columns)."""
        self.rows = min(self.rows + len(values), self._width)
        while len(values):
            part = values[: self._width - self._count]
            self._latest[self._count : self._count + len(part)] = part
            self._sum = running_sums(self._sum, part)[-1]
            self._count += len(part)
            values = values[len(part) :]
            if self._count == self._width:
                self._from_here[:-1] = np.cumsum(self._latest[::-1], axis=0)[::-1]
                self._sum = np.zeros_like(self._sum)
                self._count = 0

    def sums(self) -> Float64:
        """Return the sum of each column."""
        total: Float64 = self._from_here[self._count] + self._sum
        return total


class WindowSpread:
    """The sum of squared deviations of the columns of the last rows from their mean.

    Deviations are taken from the medians of the previous `width` rows, lest large numbers that
    hardly vary lose their digits.
    """

    def __init__(self, width: int, columns: int) -> None:
        self._width = width
        self._latest = np.zeros((width, columns))
        self._from_here = np.zeros((width + 1, 2 * columns))
        self._sum = np.zeros(2 * columns)
        self._center: Float64 | None = None
        self._count = 0
        self._is_full = False

    def add(self, values: Float64) -> None:
        """Take in rows, shape (rows, columns)."""
        while len(values):
            part = values[: self._width - self._count]
            if self._center is None:
                self._center = part[0].copy()
            self._latest[self._count : self._count + len(part)] = part
            self._sum = running_sums(self._sum, _powers(part - self._center))[-1]
            self._count += len(part)
            values = values[len(part) :]
            if self._count == self._width:
                self._turn()

    def squares(self) -> Float64:
        """Return the sum of the squared deviations from the mean, for each column."""
        before = self._width - self._count if self._is_full else 0
        sums = self._from_here[self._count] + self._sum
        return squared_deviations(sums, before + self._count)

    def _turn(self) -> None:
        self._center = np.median(self._latest, axis=0)
        powers = _powers(self._latest - self._center)
        self._from_here[:-1] = np.cumsum(powers[::-1], axis=0)[::-1]
        self._sum = np.zeros_like(self._sum)
        self._count = 0
        self._is_full = True


def _powers(deviations: Float64) -> Float64:
    return np.concatenate((deviations, deviations**2), axis=1)


def squared_deviations(sums: Float64, rows: int) -> Float64:
    """Return the sums of squared deviations from the mean.

    Args:
        sums: of deviations from anything, then of their squares.
        rows: how many they are the sums of.
    """
    first, second = np.split(sums, 2)
    spread: Float64 = np.maximum(second - first**2 / max(rows, 1), 0.0)
    # What is left of two almost equal numbers is rounding, not spread.
    spread[spread <= 1e-13 * second] = 0.0
    return spread


class CalibrationWindow:
    """The values of the last rows, and an ordered copy of them that is renewed now and then.

    Attributes:
        ordered: float32, shape (columns, values), rising along each column: the values of the
            window when it was last ordered. Empty for the first rows.
        count: rows so far.
    """

    def __init__(self, width: int, columns: int) -> None:
        self._width = width
        self._ring = np.zeros((columns, width), np.float32)
        self._due = BEAT
        self.ordered: Float32 = self._ring[:, :0]
        self.count = 0

    @property
    def is_on_beat(self) -> bool:
        """Whether a part of `parts` has just been filled up."""
        return self.count % BEAT == 0

    def parts(self, rows: int) -> Iterator[slice]:
        """Yield rows to come in parts, between which `ordered` stands still.

        Each part has to be added before the next is asked for.
        """
        first = 0
        while first < rows:
            part = slice(first, min(first + BEAT - self.count % BEAT, rows))
            yield part
            first = part.stop

    def add(self, values: Array) -> None:
        """Take in the values of a part, shape (rows, columns)."""
        places = (self.count + np.arange(len(values))) % self._width
        self._ring[:, places] = values.T
        self.count += len(values)
        if self.is_on_beat and self.count >= self._due:
            filled = min(self.count, self._width)
            self.ordered = np.sort(self._ring[:, :filled], axis=1)
            self._due = self.count + max(BEAT, filled // _SORTED_SHARE)
