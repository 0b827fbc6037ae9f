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
    running_sums,
    squared_deviations,
    with_firsts,
)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

# The network, and two baselines.
_JUDGED: Final = 3


class ClassTally:
    """Figures of labels, over all rows and over the last ones."""

    def __init__(self, window_rows: int) -> None:
        self._width = window_rows
        self._baselines = ClassBaselines()
        self._ring = np.zeros((window_rows, 1 + _JUDGED), np.int32)
        self._total = _LabelCounts()
        self._window = _LabelCounts()
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
        self._total.change(rows, 1)
        self._losses = running_sums(self._losses, losses)[-1]
        self._slide(rows)
        self._window_losses.add(losses)
        self._rows += len(rows)
        return ClassMetrics(
            total=_class_comparison(self._total, self._losses),
            window=_class_comparison(self._window, self._window_losses.sums()),
        )

    def _slide(self, rows: Int32) -> None:
        places = np.arange(self._rows, self._rows + len(rows))[-self._width :] % self._width
        filled = min(self._rows, self._width)
        self._window.change(self._ring[places[places < filled]], -1)
        self._window.change(rows[-self._width :], 1)
        self._ring[places] = rows[-self._width :]


class _LabelCounts:
    """How often each label came, was said by each of the judged, and rightly so."""

    def __init__(self) -> None:
        self.rows = 0
        self._counts: Int64 = np.zeros((1 + 2 * _JUDGED, 0), np.int64)

    def change(self, rows: Int32, by: int) -> None:
        """Add rows (1) or take them back (-1): the truth, then what each of the judged said."""
        self._counts = grown(self._counts, int(rows.max(initial=-1)) + 1)
        labels = self._counts.shape[1]
        truth = rows[:, :1]
        right = np.where(rows[:, 1:] == truth, truth, -1)
        found = np.concatenate((rows, right), axis=1)
        codes = found + labels * np.arange(found.shape[1])
        np.add.at(self._counts.reshape(-1), codes[found >= 0], by)
        self.rows += by * len(rows)

    def figures(self) -> list[tuple[float, float, float | None]]:
        """Return accuracy, macro-F1 and kappa of each of the judged."""
        rows = max(self.rows, 1)
        came, said, right = self._counts[0], self._counts[1 : 1 + _JUDGED], self._counts[-_JUDGED:]
        both = came + said
        f1 = np.divide(2 * right, both, out=np.zeros(both.shape), where=both > 0)
        # One after the other: numpy's plain sum depends on how much room there is for labels.
        mean_f1 = np.cumsum(f1, axis=1)[:, -1:].sum(axis=1) / np.maximum((both > 0).sum(axis=1), 1)
        accuracy = right.sum(axis=1) / rows
        chance = (came * said).sum(axis=1) / float(rows) ** 2
        return [
            (exact, f1, (exact - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else None)
            for exact, f1, by_chance in zip(
                accuracy.tolist(), mean_f1.tolist(), chance.tolist(), strict=True
            )
        ]


def _class_comparison(counts: _LabelCounts, losses: Float64) -> ClassComparison:
    network, frequencies = (losses / max(counts.rows, 1)).tolist()
    log_losses = (network, frequencies, None)
    return ClassComparison(
        counts.rows,
        *(
            ClassFigures(accuracy=accuracy, log_loss=log_loss, macro_f1=macro_f1, kappa=kappa)
            for (accuracy, macro_f1, kappa), log_loss in zip(
                counts.figures(), log_losses, strict=True
            )
        ),
    )


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
        self._errors = running_sums(self._errors, found)[-1]
        self._window_errors.add(found)
        self._center = with_firsts(self._center, targets)
        powers = deviation_powers(targets, self._center)
        self._powers = running_sums(self._powers, powers)[-1]
        self._window_spread.add(targets)
        self._rows += len(targets)

    def _metrics(self) -> NumberMetrics:
        window, spread = self._window_errors, self._window_spread
        total_spread = squared_deviations(self._powers)
        return NumberMetrics(
            total=_number_comparison(self._errors, self._rows, total_spread),
            window=_number_comparison(window.sums(), window.rows, spread.squares()),
        )


def _number_comparison(sums: Float64, rows: int, spread: Float64) -> NumberComparison:
    parts = sums.reshape(2 * _JUDGED + 1, -1)
    known = parts[-1] > 0
    counts = parts[-1][known]
    absolute, squares = parts[:_JUDGED, known], parts[_JUDGED:-1, known]
    maes = (absolute / counts).mean(axis=1)
    rmses = np.sqrt(squares / counts).mean(axis=1)
    varies = spread[known] > 0.0
    explained: list[float | None] = [None] * _JUDGED
    if varies.any():
        explained = (1.0 - squares[:, varies] / spread[known][varies]).mean(axis=1).tolist()
    return NumberComparison(
        rows,
        *(
            NumberFigures(mae=mae, rmse=rmse, r2=r2)
            for mae, rmse, r2 in zip(maes.tolist(), rmses.tolist(), explained, strict=True)
        ),
    )
