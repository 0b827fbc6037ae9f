"""Where the truth is expected: intervals and sets that are right as often as asked for.

Adaptive conformal inference: the bound is the quantile of the recent errors at a level that
rises while the truth lies within and falls while it does not. In the long run the share of rows
within is as asked for, whatever the stream does.

Source: Gibbs & Candes 2021, "Adaptive Conformal Inference Under Distribution Shift", equation 2;
the steps of 16 rows are taken together, so that all bounds of a frame can be had at once.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.scoring.report import Coverage, Intervals, LabelSets
from kyouko.domain.scoring.windows import CalibrationWindow, WindowSums, sum_after

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]

# The step of the paper's experiments; smaller where misses are to be rare, lest one of
# them means bounds without end for a thousand rows.
_STEP: Final = 0.005
_STEP_PER_MISS: Final = 0.1


class _Levels:
    """The error quantile of each column, led by how often the truth lay within."""

    def __init__(self, coverage: float, window_rows: int, columns: int) -> None:
        self.window = CalibrationWindow(window_rows, columns)
        self._missing = 1.0 - coverage
        self._coverage = coverage
        self._step = min(_STEP, _STEP_PER_MISS * self._missing)
        self._levels = np.full(columns, self._missing)
        self._known = np.zeros(columns)
        self._missed = np.zeros(columns)
        self._within_window = WindowSums(window_rows, 1)
        self._within = np.zeros(1)
        self._bounds: Float32 | None = None

    def bounds(self) -> Float32:
        """Return the bound of each column's error; infinite while too little is known."""
        if self._bounds is None:
            ordered, known = self.window.ordered, self.window.known
            places = np.ceil((1.0 - self._levels) * (known + 1)).astype(np.int64)
            self._bounds = np.full(len(known), math.inf, np.float32)
            inside = np.flatnonzero((places <= known) & (known > 0))
            self._bounds[inside] = ordered[inside, np.maximum(places[inside] - 1, 0)]
            self._bounds[inside[places[inside] < 1]] = 0.0
        return self._bounds

    def add(self, errors: Float32, within: Bool) -> None:
        """Take in a part of rows.

        Args:
            errors: shape (rows, columns); NaN where one is not known.
            within: whether the truth lay within the bounds.
        """
        self.window.add(errors)
        known = ~np.isnan(errors)
        self._known += known.sum(axis=0)
        self._missed += (known & ~within).sum(axis=0)
        counts = np.maximum(known.sum(axis=1), 1)
        shares = ((known & within).sum(axis=1) / counts)[:, np.newaxis]
        self._within = sum_after(self._within, shares)
        self._within_window.add(shares)
        if self.window.is_on_beat:
            levels = self._levels + self._step * (self._known * self._missing - self._missed)
            # Beyond these a long time of being always right, or wrong, would have to be undone.
            self._levels = np.clip(levels, 0.0, 1.0)
            self._known = np.zeros_like(self._known)
            self._missed = np.zeros_like(self._missed)
            self._bounds = None

    def coverage(self) -> Coverage:
        """Return how often the truth lay within so far."""
        rows, recent = self.window.count, self._within_window.rows
        return Coverage(
            expected=self._coverage,
            total=float(self._within[0]) / rows if rows else None,
            window=float(self._within_window.sums()[0]) / recent if recent else None,
        )


class NumberIntervals:
    """Intervals around predicted numbers, for each output by itself."""

    def __init__(self, coverage: float, window_rows: int, outputs: int) -> None:
        self._levels = _Levels(coverage, window_rows, outputs)

    def expect(self, outputs: Float32, targets: Float32 | None, said: Float32) -> Intervals:
        """Return the intervals of rows, each from the rows before it.

        Args:
            outputs: what the network predicts, shape (rows, outputs).
            targets: what was right, to learn from, NaN where one is not known; None when none is.
            said: what had been predicted of the targets; the outputs, unless these are forecasts
                whose truth is still to come.
        """
        lower, upper = np.empty_like(outputs), np.empty_like(outputs)
        if targets is None:
            _put_bounds(lower, upper, outputs, self._levels.bounds())
            return Intervals(lower, upper, self._levels.coverage())
        for part in self._levels.window.parts(len(outputs)):
            bounds = self._levels.bounds()
            _put_bounds(lower[part], upper[part], outputs[part], bounds)
            self._learn(said[part], targets[part], bounds)
        return Intervals(lower, upper, self._levels.coverage())

    def _learn(self, said: Float32, targets: Float32, bounds: Float32) -> None:
        lower, upper = np.empty_like(said), np.empty_like(said)
        _put_bounds(lower, upper, said, bounds)
        with np.errstate(over="ignore"):
            errors = np.abs(said - targets)
        self._levels.add(errors, (lower <= targets) & (targets <= upper))


def _put_bounds(lower: Float32, upper: Float32, outputs: Float32, bounds: Float32) -> None:
    with np.errstate(over="ignore"):
        np.subtract(outputs, bounds, out=lower)
        np.add(outputs, bounds, out=upper)


class ClassSets:
    """Sets of labels: all that are probable enough, and always the most probable one."""

    def __init__(self, coverage: float, window_rows: int) -> None:
        self._levels = _Levels(coverage, window_rows, 1)

    def expect(self, outputs: Float32, predicted: Int32, truth: Int32 | None) -> LabelSets:
        """Return the sets of rows, each from the rows before it.

        Args:
            outputs: probabilities, shape (rows, outputs); 0 for labels not known at that row.
            predicted: the most probable label of each row, -1 for none.
            truth: the right one, -1 where the network does not know it; None when it is not told.
        """
        members = np.zeros(outputs.shape, np.bool_)
        if truth is None:
            self._fill(members, outputs, predicted)
            return self._sets(members)
        rows = np.arange(len(outputs))
        known = (truth >= 0) & (truth < outputs.shape[1])
        found = np.where(known, truth, 0)
        errors = np.ones((len(outputs), 1), np.float32)
        errors[known, 0] = 1.0 - outputs[rows[known], found[known]]
        for part in self._levels.window.parts(len(outputs)):
            self._fill(members[part], outputs[part], predicted[part])
            within = np.zeros(len(errors[part]), np.bool_)
            inside = known[part]
            within[inside] = members[part][np.flatnonzero(inside), found[part][inside]]
            self._levels.add(errors[part], within[:, np.newaxis])
        return self._sets(members)

    def _fill(self, members: Bool, outputs: Float32, predicted: Int32) -> None:
        members |= (outputs > 0) & (1.0 - outputs <= self._levels.bounds())
        some = np.flatnonzero(predicted >= 0)
        members[some, predicted[some]] = True

    def _sets(self, members: Bool) -> LabelSets:
        return LabelSets(
            sizes=members.sum(axis=1, dtype=np.int32),
            labels=np.nonzero(members)[1].astype(np.int32),
            coverage=self._levels.coverage(),
        )
