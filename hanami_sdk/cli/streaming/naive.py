"""Naive guesses on the rows of a stream, for servers that do not score them themselves."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hanami_sdk.cli.streaming.standing import Standing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hanami_sdk.cli.csv_rows import RowBatch
    from hanami_sdk.results import Result

_CLASS_BASELINES = ("majority class", "last class")
_NUMBER_BASELINES = ("last value", "running mean")


@dataclass(frozen=True)
class _Sums:
    """Rows right, or errors, of one frame: the network's and the baselines'."""

    rows: int
    network: float
    first: float
    second: float


@dataclass
class NaiveScores:
    """Compares a network with naive guesses, over all rows and over the last ones.

    Attributes:
        window_rows: how many the last ones are, to the frame.
    """

    window_rows: int
    _frames: deque[_Sums] = field(default_factory=deque)
    _total: _Sums = _Sums(0, 0.0, 0.0, 0.0)
    _counts: Counter[str] = field(default_factory=Counter)
    _majority: str = ""
    _last_label: str = ""
    _value_sum: NDArray[np.float64] | None = None
    _last_value: NDArray[np.float64] | None = None
    _measure: str = "accuracy"

    def add(self, batch: RowBatch, result: Result) -> None:
        """Take the rows of a frame and what the network predicted."""
        if not result.loss.size:
            return
        if batch.labels is not None:
            sums = self._classes(batch.labels, result)
        elif batch.targets is not None:
            sums = self._numbers(batch.targets.astype(np.float64), result)
        else:
            return
        self._total = _summed([self._total, sums])
        self._frames.append(sums)
        rows = sum(frame.rows for frame in self._frames)
        while rows - self._frames[0].rows >= self.window_rows:
            rows -= self._frames.popleft().rows

    @property
    def window(self) -> Standing | None:
        """How it stands over the last rows."""
        return self._standing(_summed(self._frames))

    @property
    def total(self) -> Standing | None:
        """How it stands over all rows."""
        return self._standing(self._total)

    def _classes(self, labels: list[str], result: Result) -> _Sums:
        majority = last = 0
        for label in labels:
            majority += label == self._majority
            last += label == self._last_label
            self._counts[label] += 1
            if self._counts[label] > self._counts[self._majority]:
                self._majority = label
            self._last_label = label
        return _Sums(len(labels), float(result.correct_rows), float(majority), float(last))

    def _numbers(self, targets: NDArray[np.float64], result: Result) -> _Sums:
        self._measure = "error"
        before = targets[:1] if self._last_value is None else self._last_value[np.newaxis]
        last = np.concatenate([before, targets[:-1]])
        start = np.zeros(targets.shape[1]) if self._value_sum is None else self._value_sum
        sums = np.cumsum(np.concatenate([start[np.newaxis], targets]), axis=0)
        counts = self._total.rows + np.arange(len(targets))
        means = sums[:-1] / np.maximum(counts, 1)[:, np.newaxis]
        self._value_sum, self._last_value = sums[-1], targets[-1]
        errors = (np.abs(guess - targets).mean(axis=1).sum() for guess in (last, means))
        network = np.abs(result.outputs - targets).mean(axis=1).sum()
        return _Sums(len(targets), float(network), *(float(error) for error in errors))

    def _standing(self, sums: _Sums) -> Standing | None:
        if not sums.rows:
            return None
        names = _CLASS_BASELINES if self._measure == "accuracy" else _NUMBER_BASELINES
        guesses = (sums.first / sums.rows, sums.second / sums.rows)
        baselines = dict(zip(names, guesses, strict=True))
        return Standing(self._measure, sums.rows, sums.network / sums.rows, baselines)


def _summed(frames: deque[_Sums] | list[_Sums]) -> _Sums:
    return _Sums(
        sum(frame.rows for frame in frames),
        sum(frame.network for frame in frames),
        sum(frame.first for frame in frames),
        sum(frame.second for frame in frames),
    )
