"""Prequential figures: every row is judged by what was said before it was learned.

Source: Gama, Sebastiao & Rodrigues 2013, "On evaluating stream learning algorithms".
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.scoring.baselines import ClassBaselines, NumberBaselines, grown
from kyouko.domain.scoring.report import (
    ClassComparison,
    ClassFigures,
    ClassMetrics,
    NumberComparison,
    NumberFigures,
    NumberMetrics,
)
from kyouko.domain.scoring.windows import (
    WindowSpread,
    WindowSums,
    deviation_powers,
    squared_deviations,
    sum_after,
    with_firsts,
)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

# The network, and two baselines.
_JUDGED: Final = 3


# Over all rows, and over the window.
_SCOPES: Final = 2
_TOTAL: Final = 0
_WINDOW: Final = 1


class ClassTally:
    """Figures of labels, over all rows and over the last ones."""

    def __init__(self, window_rows: int) -> None:
        self._width = window_rows
        self._baselines = ClassBaselines()
        self._ring = np.zeros((window_rows, 1 + _JUDGED), np.int32)
        self._counts = _LabelCounts()
        self._losses = np.zeros(2)
        self._window_losses = WindowSums(window_rows, 2)
        self._rows = 0

    def add(self, truth: Int32, predicted: Int32, loss: Float32) -> ClassMetrics:
        """Judge rows, and return how things stand after them.

        Args:
            truth: the right label of each row, -1 for one that the network does not know.
            predicted: the network's, -1 for none.
            loss: its cross-entropy in nats.
        """
        naive = self._baselines.follow(truth)
        rows = np.stack((truth, predicted, naive.majority, naive.last), axis=1)
        losses = np.stack((loss.astype(np.float64), naive.frequency_loss), axis=1)
        self._slide(rows)
        self._losses = sum_after(self._losses, losses)
        self._window_losses.add(losses)
        self._rows += len(rows)
        return ClassMetrics(
            *_class_comparisons(self._counts, (self._losses, self._window_losses.sums()))
        )

    def _slide(self, rows: Int32) -> None:
        places = np.arange(self._rows, self._rows + len(rows))[-self._width :] % self._width
        old = self._ring[places[places < min(self._rows, self._width)]]
        if len(old):
            self._counts.change(_WINDOW, old, -1)
        self._counts.change(_WINDOW, rows[-self._width :], 1)
        self._counts.change(_TOTAL, rows, 1)
        self._ring[places] = rows[-self._width :]


class _LabelCounts:
    """How often each label came, was said by each of the judged, and rightly so."""

    def __init__(self) -> None:
        self.rows = [0] * _SCOPES
        self._counts: Int64 = np.zeros((_SCOPES, 1 + 2 * _JUDGED, 0), np.int64)

    def change(self, scope: int, rows: Int32, by: int) -> None:
        """Add rows (1) or take them back (-1): the truth, then what each of the judged said."""
        self._counts = grown(self._counts, int(rows.max(initial=-1)) + 1)
        labels = self._counts.shape[-1]
        truth = rows[:, :1]
        right = np.where(rows[:, 1:] == truth, truth, -1)
        found = np.concatenate((rows, right), axis=1)
        codes = found + labels * np.arange(found.shape[1])
        np.add.at(self._counts[scope].reshape(-1), codes[found >= 0], by)
        self.rows[scope] += by * len(rows)

    def figures(self) -> tuple[Float64, Float64, Float64]:
        """Return accuracy, macro-F1 and agreement by chance: of each scope, each of the judged."""
        rows = np.maximum(self.rows, 1)[:, np.newaxis].astype(np.float64)
        came, said = self._counts[:, :1], self._counts[:, 1 : 1 + _JUDGED]
        right = self._counts[:, -_JUDGED:]
        both = came + said
        seen = both > 0
        f1 = 2 * right / np.maximum(both, 1)
        # One after the other: numpy's plain sum depends on how much room there is for labels.
        f1_sums = np.cumsum(f1, axis=2)[:, :, -1] if f1.shape[2] else np.zeros(f1.shape[:2])
        macro_f1 = f1_sums / np.maximum(np.count_nonzero(seen, axis=2), 1)
        return right.sum(axis=2) / rows, macro_f1, (came * said).sum(axis=2) / rows**2


def _class_comparisons(
    counts: _LabelCounts, losses: tuple[Float64, Float64]
) -> list[ClassComparison]:
    every = np.stack(counts.figures(), axis=2).tolist()
    found = []
    for rows, sums, figures in zip(counts.rows, losses, every, strict=True):
        network, frequencies = (sums / max(rows, 1)).tolist()
        judged = (
            ClassFigures(accuracy, log_loss, macro_f1, _kappa(accuracy, chance))
            for (accuracy, macro_f1, chance), log_loss in zip(
                figures, (network, frequencies, None), strict=True
            )
        )
        found.append(ClassComparison(rows, *judged))
    return found


def _kappa(accuracy: float, chance: float) -> float | None:
    return (accuracy - chance) / (1.0 - chance) if chance < 1.0 else None


class NumberTally:
    """Figures of numbers, over all rows and over the last ones.

    A value counts from the second one of its output on: before the first the baselines have
    nothing to say.
    """

    def __init__(self, window_rows: int, outputs: int) -> None:
        self._baselines = NumberBaselines(outputs)
        # Absolute errors of each of the judged, their squares, and how many there are.
        columns = (2 * _JUDGED + 1) * outputs
        self._errors = np.zeros(columns)
        self._window_errors = WindowSums(window_rows, columns)
        self._center = np.full(outputs, np.nan)
        self._powers = np.zeros(3 * outputs)
        self._window_spread = WindowSpread(window_rows, outputs)
        self._rows = 0

    def add(self, errors: Float64, targets: Float64) -> NumberMetrics | None:
        """Judge rows, and return how things stand after them; None before there are any.

        Args:
            errors: the network's output minus the target, shape (rows, outputs).
            targets: the same shape; NaN, like its error, where one is not known.
        """
        last, mean = self._baselines.follow(targets)
        is_judged = ~(np.isnan(errors) | np.isnan(last))
        rows = is_judged.any(axis=1)
        if rows.any():
            self._judge(
                np.where(is_judged, targets, np.nan)[rows],
                [one[rows] for one in (errors, last - targets, mean - targets)],
            )
        return self._metrics() if self._rows else None

    def _judge(self, targets: Float64, errors: list[Float64]) -> None:
        known = ~np.isnan(targets)
        absolute = [np.where(known, np.abs(one), 0.0) for one in errors]
        found = np.concatenate((*absolute, *(one**2 for one in absolute), known), axis=1)
        self._errors = sum_after(self._errors, found)
        self._window_errors.add(found)
        self._center = with_firsts(self._center, targets)
        powers = deviation_powers(targets, self._center)
        self._powers = sum_after(self._powers, powers)
        self._window_spread.add(targets)
        self._rows += len(targets)

    def _metrics(self) -> NumberMetrics:
        window = self._window_errors
        rows = (self._rows, window.rows)
        sums = np.stack((self._errors, window.sums()))
        spread = np.stack((squared_deviations(self._powers), self._window_spread.squares()))
        return NumberMetrics(*_number_comparisons(rows, sums, spread))


def _number_comparisons(
    rows: tuple[int, int], sums: Float64, spread: Float64
) -> list[NumberComparison]:
    """Return figures of both scopes.

    Args:
        rows: of each scope.
        sums: shape (scopes, columns): the columns of a tally.
        spread: squared deviations of the targets, shape (scopes, outputs).
    """
    parts = sums.reshape(_SCOPES, 2 * _JUDGED + 1, -1)
    counts, squares = parts[:, -1:], parts[:, _JUDGED:-1]
    some, known = np.maximum(counts, 1.0), np.count_nonzero(counts, axis=2)
    maes = (parts[:, :_JUDGED] / some).sum(axis=2) / known
    rmses = np.sqrt(squares / some).sum(axis=2) / known
    varies = spread[:, np.newaxis] > 0.0
    left = np.where(varies, squares / np.where(varies, spread[:, np.newaxis], 1.0), 0.0)
    varying = np.count_nonzero(varies, axis=2)
    r2 = 1.0 - left.sum(axis=2) / np.maximum(varying, 1)
    return [
        NumberComparison(
            count,
            *(
                NumberFigures(mae, rmse, explained if has_r2 else None)
                for mae, rmse, explained in zip(*figures, strict=True)
            ),
        )
        for count, has_r2, *figures in zip(
            rows,
            (varying[:, 0] > 0).tolist(),
            maes.tolist(),
            rmses.tolist(),
            r2.tolist(),
            strict=True,
        )
    ]
