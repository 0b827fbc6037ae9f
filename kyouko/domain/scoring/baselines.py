"""What somebody who learned nothing would have said of the same rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.networks.scoring import WORST_LOSS
from kyouko.domain.scoring.windows import running_sums

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NaiveLabels:
    """What the baselines said of rows, before each came; -1 for nothing.

    Attributes:
        frequency_loss: cross-entropy in nats of who says how frequent each label was.
    """

    majority: Int32
    last: Int32
    frequency_loss: Float64


class ClassBaselines:
    """The most frequent label so far, and the last one; the first to come wins a tie."""

    def __init__(self) -> None:
        self._counts: Int64 = np.zeros(0, np.int64)
        self._rows = 0
        self._leader = -1
        self._last = -1

    def follow(self, labels: Int32) -> NaiveLabels:
        """Say what would have been predicted for each row, and take the rows in.

        Args:
            labels: shape (rows,); -1 for one that the network does not know.
        """
        known = np.flatnonzero(labels >= 0)
        found = labels[known]
        self._counts = grown(self._counts, int(found.max(initial=-1)) + 1)
        before = self._counts[found] + _occurrences(found)
        last = np.concatenate(([self._last], labels[:-1])).astype(np.int32)
        naive = NaiveLabels(
            majority=self._leaders(labels, known, before),
            last=last,
            frequency_loss=self._losses(len(labels), known, before),
        )
        np.add.at(self._counts, found, 1)
        self._rows += len(labels)
        self._last = int(labels[-1])
        return naive

    def _leaders(self, labels: Int32, known: Any, before: Int64) -> Int32:
        """Return who leads before each row, and note who leads after the last."""
        best = int(self._counts[self._leader]) if self._leader >= 0 else 0
        counts = np.concatenate(([best], before + 1))
        takes_over = counts[1:] > np.maximum.accumulate(counts)[:-1]
        # The place of the latest row that took over, 0 for the leader from before.
        place = np.zeros(len(labels) + 1, np.int64)
        place[known[takes_over] + 1] = known[takes_over] + 1
        place = np.maximum.accumulate(place)
        leaders = np.concatenate(([self._leader], labels)).astype(np.int32)[place]
        self._leader = int(leaders[-1])
        return leaders[:-1]

    def _losses(self, rows: int, known: Any, before: Int64) -> Float64:
        seen = np.maximum(self._rows + known, 1)
        losses = np.full(rows, WORST_LOSS)
        losses[known] = -np.log(np.maximum(before / seen, np.exp(-WORST_LOSS)))
        return losses


def grown(counts: Int64, size: int) -> Int64:
    """Return counts with room for at least so many labels, along the last axis."""
    have = counts.shape[-1]
    if have >= size:
        return counts
    room = np.zeros((*counts.shape[:-1], max(size, 2 * have) - have), np.int64)
    return np.concatenate((counts, room), axis=-1)


def _occurrences(labels: Int32) -> Int64:
    """Return how often each row's label came in the rows before it."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.searchsorted(ordered, ordered)
    found = np.empty(len(labels), np.int64)
    found[order] = np.arange(len(labels)) - starts
    return found


class NumberBaselines:
    """The last value, and the mean of all so far, of each output; NaN before there was one."""

    def __init__(self, outputs: int) -> None:
        self._last = np.full(outputs, np.nan)
        self._sum = np.zeros(outputs)
        self._count = np.zeros(outputs)

    def follow(self, targets: Float64) -> tuple[Float64, Float64]:
        """Return the last value and the mean before each row, and take the rows in.

        Args:
            targets: shape (rows, outputs); NaN where one is not known.
        """
        known = ~np.isnan(targets)
        # The place of the latest value that is known, 0 for the one from before.
        place = np.where(known, np.arange(1, len(targets) + 1)[:, np.newaxis], 0)
        place = np.maximum.accumulate(np.concatenate((np.zeros_like(place[:1]), place)), axis=0)
        values = np.concatenate((self._last[np.newaxis], targets))
        last = np.take_along_axis(values, place, axis=0)
        sums = running_sums(self._sum, np.where(known, targets, 0.0))
        counts = running_sums(self._count, known.astype(np.float64))
        mean = np.full_like(targets, np.nan)
        np.divide(sums[:-1], counts[:-1], out=mean, where=counts[:-1] > 0)
        self._last, self._sum, self._count = last[-1], sums[-1], counts[-1]
        return last[:-1], mean
