"""How unusual the network's own error is in a row, as a share of the errors before it.

The score is a conformal rank: the share of the window's errors that are smaller, ties counted
half. If errors are exchangeable it is uniform on [0, 1], whatever their distribution.

Source: Laxhammar & Falkman 2014, "Online learning and sequential anomaly detection in
trajectories" (conformal anomaly detection), with ranks in a sliding window.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.scoring.options import AnomalyOptions
from kyouko.domain.scoring.report import Anomalies, Cause
from kyouko.domain.scoring.windows import CalibrationWindow

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

# An error is at most so many times the usual one: errors of outputs that hardly ever err are
# comparable too, and squares stay within float32.
_WORST: Final = 1e6


class ClassAnomalies:
    """Scores of labels: the rank of the loss."""

    def __init__(self, options: AnomalyOptions, window_rows: int) -> None:
        self._options = options
        self._losses = CalibrationWindow(window_rows, 1)

    def judge(self, outputs: Float32, truth: Int32, loss: Float32) -> Anomalies:
        """Score rows.

        Args:
            outputs: probabilities, shape (rows, outputs).
            truth: the right label of each row, -1 for one that the network does not know.
            loss: cross-entropy in nats, shape (rows,).
        """
        scores = np.empty(len(loss), np.float32)
        for part in self._losses.parts(len(loss)):
            scores[part] = _ranks(self._losses, loss[part])
            self._losses.add(loss[part, np.newaxis])
        places = np.flatnonzero(scores >= self._options.threshold)
        errors = outputs[places].astype(np.float64)
        known = np.flatnonzero((truth[places] >= 0) & (truth[places] < outputs.shape[1]))
        right = truth[places][known]
        errors[known, right] = 1.0 - errors[known, right]
        return Anomalies(scores, _causes(places, errors, self._options.most_contributions))


class NumberAnomalies:
    """Scores of numbers: the rank of the mean square of the outputs' standardised errors."""

    def __init__(self, options: AnomalyOptions, window_rows: int, outputs: int) -> None:
        self._options = options
        self._errors = CalibrationWindow(window_rows, outputs)
        self._squares = CalibrationWindow(window_rows, 1)
        self._ordered: Float32 | None = None
        self._usual: Float64 = np.zeros(outputs)

    def judge(self, errors: Float64) -> Anomalies:
        """Score rows by their absolute errors, shape (rows, outputs); NaN for unknown ones."""
        scores = np.full(len(errors), 0.5, np.float32)
        times = np.zeros_like(errors)
        for part in self._errors.parts(len(errors)):
            if self._errors.ordered.shape[1]:
                times[part] = self._times_usual(errors[part])
                known = np.count_nonzero(~np.isnan(errors[part]), axis=1)
                squares = (times[part] ** 2).sum(axis=1) / np.maximum(known, 1)
                scores[part] = _ranks(self._squares, squares.astype(np.float32))
                self._squares.add(squares[:, np.newaxis])
            self._errors.add(errors[part])
        places = np.flatnonzero(scores >= self._options.threshold)
        return Anomalies(scores, _causes(places, times[places], self._options.most_contributions))

    def _times_usual(self, errors: Float64) -> Float64:
        """Return errors in units of each output's median absolute error; 0 without either."""
        ordered, known = self._errors.ordered, self._errors.known
        if ordered is not self._ordered:
            self._ordered = ordered
            # The median, since a few huge errors must not make others look small; the mean
            # where more than half of them are exactly 0.
            median = ordered[np.arange(len(known)), np.maximum(known - 1, 0) // 2]
            mean = np.nansum(ordered, axis=1, dtype=np.float64) / np.maximum(known, 1)
            self._usual = np.where(median > 0, median, mean)
        times = np.full_like(errors, _WORST)
        np.divide(errors, self._usual, out=times, where=self._usual > 0)
        times[np.isnan(errors) | (errors == 0) | (known == 0)] = 0.0
        return np.minimum(times, _WORST)


def _ranks(window: CalibrationWindow, values: Float32) -> Any:
    """Return the share of the window that is smaller than each value, ties counted half."""
    ordered = window.ordered[0]
    smaller = np.searchsorted(ordered, values, side="left")
    not_greater = np.searchsorted(ordered, values, side="right")
    return (smaller + (not_greater - smaller + 1) / 2) / (len(ordered) + 1)


def _causes(places: npt.NDArray[np.intp], errors: Float64, most: int) -> tuple[Cause, ...]:
    worst = np.argsort(-errors, axis=1, kind="stable")[:, :most]
    found = np.take_along_axis(errors, worst, axis=1)
    return tuple(
        Cause(
            row,
            tuple(output for output, error in zip(outputs, sizes, strict=True) if error > 0.0),
            tuple(error for error in sizes if error > 0.0),
        )
        for row, outputs, sizes in zip(places.tolist(), worst.tolist(), found.tolist(), strict=True)
    )
