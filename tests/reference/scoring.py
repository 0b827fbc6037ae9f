"""Slow, obvious twins of the scores of streams: one row after the other, from all rows anew."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
WORST_LOSS = 13.8


def class_figures(
    truth: Sequence[int], predicted: Sequence[int]
) -> tuple[float, float, float | None]:
    """Return accuracy, macro-F1 over the labels that came or were said, and Cohen's kappa."""
    rows = len(truth)
    hits = [a == b and a >= 0 for a, b in zip(truth, predicted, strict=True)]
    labels = {label for label in (*truth, *predicted) if label >= 0}
    scores, chance = [], 0.0
    for label in labels:
        right = sum(hit and a == label for hit, a in zip(hits, truth, strict=True))
        came, said = truth.count(label), predicted.count(label)
        scores.append(2 * right / (came + said))
        chance += came / rows * (said / rows)
    accuracy = sum(hits) / rows
    macro = sum(scores) / len(scores) if scores else 0.0
    return accuracy, macro, (accuracy - chance) / (1 - chance) if chance < 1 else None


def naive_labels(truth: Sequence[int]) -> tuple[list[int], list[int], list[float]]:
    """Return majority and last label before each row, and the loss of the frequencies."""
    counts: Counter[int] = Counter()
    majority, last, losses = [], [], []
    leader, latest = -1, -1
    for row, label in enumerate(truth):
        majority.append(leader)
        last.append(latest)
        share = counts[label] / row if row and label >= 0 else 0.0
        losses.append(-np.log(share) if share > np.exp(-WORST_LOSS) else WORST_LOSS)
        latest = label
        if label >= 0:
            counts[label] += 1
            if leader < 0 or counts[label] > counts[leader]:
                leader = label
    return majority, last, losses


def naive_numbers(targets: Float64) -> tuple[Float64, Float64]:
    """Return the last value and the mean before each row but the first."""
    last = np.array([targets[row - 1] for row in range(1, len(targets))])
    mean = np.array([targets[:row].mean(axis=0) for row in range(1, len(targets))])
    return last, mean


def number_figures(outputs: Float64, targets: Float64) -> tuple[float, float, float | None]:
    """Return MAE, RMSE and R2, each the mean over the outputs."""
    errors = outputs - targets
    mae = float(np.abs(errors).mean())
    rmse = float(np.sqrt((errors**2).mean(axis=0)).mean())
    spread = ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
    varies = [column for column in range(targets.shape[1]) if np.ptp(targets[:, column]) > 0]
    if not varies:
        return mae, rmse, None
    r2 = [1 - (errors[:, column] ** 2).sum() / spread[column] for column in varies]
    return mae, rmse, float(np.mean(r2))
