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


def sum_after(start: Float64, values: Float64) -> Float64:
    """Return the last of the running sums."""
    if len(values) == 1:  # The same, for streams of one row a frame.
        only: Float64 = start + values[0]
        return only
    last: Float64 = running_sums(start, values)[-1]
    return last


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
            self._sum = sum_after(self._sum, part)
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
        self._from_here = np.zeros((width + 1, 3 * columns))
        self._sum = np.zeros(3 * columns)
        self._center = np.full(columns, np.nan)
        self._count = 0

    def add(self, values: Float64) -> None:
        """Take in rows, shape (rows, columns); NaN is left out."""
        while len(values):
            part = values[: self._width - self._count]
            self._center = with_firsts(self._center, part)
            self._latest[self._count : self._count + len(part)] = part
            self._sum = sum_after(self._sum, deviation_powers(part, self._center))
            self._count += len(part)
            values = values[len(part) :]
            if self._count == self._width:
                self._turn()

    def squares(self) -> Float64:
        """Return the sum of the squared deviations from the mean, for each column."""
        return squared_deviations(self._from_here[self._count] + self._sum)

    def _turn(self) -> None:
        self._center = _medians(self._latest, self._center)
        powers = deviation_powers(self._latest, self._center)
        self._from_here[:-1] = np.cumsum(powers[::-1], axis=0)[::-1]
        self._sum = np.zeros_like(self._sum)
        self._count = 0


def with_firsts(center: Float64, values: Float64) -> Float64:
    """Return the center of each column, or its first value that is a number where there is none."""
    if not np.isnan(center).any():
        return center
    firsts = np.take_along_axis(values, np.argmax(~np.isnan(values), axis=0)[np.newaxis], axis=0)
    return np.where(np.isnan(center), firsts[0], center)


def deviation_powers(values: Float64, center: Float64) -> Float64:
    """Return deviations, their squares, and 1 for each; 0 for NaN."""
    deviations = values - center
    known = ~np.isnan(deviations)
    deviations = np.where(known, deviations, 0.0)
    return np.concatenate((deviations, deviations**2, known), axis=1)


def squared_deviations(sums: Float64) -> Float64:
    """Return the sums of squared deviations from the mean, of sums of `deviation_powers`."""
    first, second, count = sums.reshape(3, -1)
    spread: Float64 = np.maximum(second - first**2 / np.maximum(count, 1.0), 0.0)
    # What is left of two almost equal numbers is rounding, not spread.
    spread[spread <= 1e-13 * second] = 0.0
    return spread


def _medians(values: Float64, otherwise: Float64) -> Float64:
    """Return about the median of each column; NaN is left out."""
    ordered = np.sort(values, axis=0)  # NaN come last.
    counts = (~np.isnan(values)).sum(axis=0)
    found = np.take_along_axis(ordered, (counts // 2)[np.newaxis], axis=0)
    return np.where(counts > 0, found[0], otherwise)


class CalibrationWindow:
    """The values of the last rows, and an ordered copy of them that is renewed now and then.

    Attributes:
        ordered: float32, shape (columns, values), rising along each column: the values of the
            window when it was last ordered, NaN at the end. Empty for the first rows.
        known: how many of them are no NaN, shape (columns,).
        count: rows so far.
    """

    def __init__(self, width: int, columns: int) -> None:
        self._width = width
        self._ring = np.zeros((columns, width), np.float32)
        self._due = BEAT
        self.ordered: Float32 = self._ring[:, :0]
        self.known = np.zeros(columns, np.int64)
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
            self.known = filled - np.isnan(self.ordered).sum(axis=1)
            self._due = self.count + max(BEAT, filled // _SORTED_SHARE)
