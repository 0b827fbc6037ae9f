"""What a network teaches itself: values some rows ahead, or the row itself.

A forecast at row t first learns what row t - h should have said of it, then says
what row t + h will be: no answer has seen what it answers. What is learned is how
much a channel changes from its latest value on, so that a network that knows
nothing yet says that all stays as it is, and one that drifts away is followed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.interface import Engine
from kyouko.domain.engine.structure import Arrival

__all__ = ["Forecaster", "Foretold", "Scale", "Shown", "join"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# What a number may be at most: it goes into float32 tensors, and into JSON.
_GREATEST: Final = np.finfo(np.float32).max
# Larger numbers are not learned: their squares, and the squares' sums, have to stay finite.
_MOST_TARGET: Final = 2.0**100


@dataclass(frozen=True)
class Foretold:
    """What was said of rows, and what is said of those to come.

    Attributes:
        outputs: float32, shape (rows, outputs): what each row says of the row to come.
        predicted: what was said of each row before it came; NaN where nothing was.
        actual: what each row was; NaN where that is not known.
        loss: float32, shape (rows,): mean squared error in units of the variance so far; NaN
            for rows of which nothing was said, or of which nothing is known.
        absolute_error: sum over the rows of the mean absolute error.
        learned_rows: rows from which something was learned.
    """

    outputs: Float32
    predicted: Float32
    actual: Float32
    loss: Float32
    absolute_error: float
    learned_rows: int

    @classmethod
    def empty(cls, rows: int, outputs: int) -> "Foretold":
        """Return what is known before any row was looked at."""
        nothing = np.full((rows, outputs), np.nan, np.float32)
        loss = np.full(rows, np.nan, np.float32)
        return cls(nothing, nothing.copy(), nothing.copy(), loss, 0.0, 0)


@dataclass(frozen=True)
class Shown:
    """What rows show of the foretold channels, each of shape (rows, outputs).

    Attributes:
        actual: NaN where it is not known.
        latest: the latest value that was known at each row; NaN before the first.
    """

    actual: Float32
    latest: Float32


def join(parts: Sequence[Foretold], outputs: int) -> Foretold:
    """Return what was said of rows that follow one another."""
    every = [Foretold.empty(0, outputs), *parts]
    return Foretold(
        outputs=np.concatenate([part.outputs for part in every]),
        predicted=np.concatenate([part.predicted for part in every]),
        actual=np.concatenate([part.actual for part in every]),
        loss=np.concatenate([part.loss for part in every]),
        absolute_error=sum(part.absolute_error for part in every),
        learned_rows=sum(part.learned_rows for part in every),
    )


@dataclass
class Scale:
    """Mean and variance of each output so far, value by value (Welford 1962).

    One row at a time, unlike the scale of targets that come from outside: its bits do not depend
    on frames.
    """

    count: Float64
    mean: Float64
    squares: Float64

    @classmethod
    def of(cls, outputs: int) -> "Scale":
        """Return a scale that has seen nothing."""
        return cls(np.zeros(outputs), np.zeros(outputs), np.zeros(outputs))

    def score(self, predicted: Float32, actual: Float32) -> tuple[float, float]:
        """Return loss and absolute error of one row; NaN and 0 if nothing can be compared."""
        known = np.isfinite(actual) & np.isfinite(predicted)
        if not known.any():
            return float("nan"), 0.0
        errors = np.abs(predicted[known].astype(np.float64) - actual[known])
        variance = self.squares[known] / np.maximum(self.count[known], 1.0)
        inverse = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
        loss = min(float((errors**2 * inverse).mean()), float(_GREATEST))
        return loss, float(errors.mean())

    def add(self, actual: Float32) -> None:
        """Take in one row; NaN is left out."""
        known = np.isfinite(actual)
        values = actual[known].astype(np.float64)
        self.count[known] += 1.0
        before = values - self.mean[known]
        self.mean[known] += before / self.count[known]
        self.squares[known] += before * (values - self.mean[known])


class Forecaster:
    """Rows whose target is not known yet, and how they are learned once it is."""

    def __init__(self, horizon: int, outputs: int, width: int, *, has_past: bool) -> None:
        """Begin without rows.

        Args:
            horizon: rows ahead; 0 for reconstructions, which wait for nothing.
            outputs: numbers that are foretold.
            width: of the engine's rows.
            has_past: whether the engine wants to see also rows that cannot be learned.
        """
        self._horizon = horizon
        self._outputs = outputs
        self._has_past = has_past
        self._features: Float32 = np.zeros((horizon, width), np.float32)
        # What was said of the row to come, and from which value on.
        self._said: Float32 = np.zeros((horizon, outputs), np.float32)
        self._from: Float32 = np.zeros((horizon, outputs), np.float32)
        self._next = 0
        self.pending = 0
        self._scale = Scale.of(outputs)

    @property
    def nbytes(self) -> int:
        """Memory in use."""
        return self._features.nbytes + self._said.nbytes + self._from.nbytes + 24 * self._outputs

    def widen(self, width: int) -> None:
        """Make room for wider rows; what waits lacks the new columns."""
        rows, before = self._features.shape
        missing = np.full((rows, width - before), np.nan, np.float32)
        self._features = np.concatenate([self._features, missing], axis=1)

    def teach(
        self, engine: Engine, wide: Float32, shown: Shown, arrival: Arrival | None
    ) -> Foretold:
        """Let rows come one after the other.

        Args:
            engine: learns and predicts.
            wide: the engine's rows.
            shown: by the same rows.
            arrival: None to learn nothing.
        """
        found = Foretold.empty(len(wide), self._outputs)
        found.actual[:] = shown.actual
        learned, error = 0, 0.0
        for row, actual in enumerate(shown.actual):
            one = wide[row : row + 1]
            if self._horizon == 0:
                learned += _learn(engine, one, actual, arrival, found.outputs[row])
                found.predicted[row] = found.outputs[row]
            else:
                learned += self._learn_due(engine, actual, arrival, found.predicted[row])
                found.outputs[row] = self._wait(engine, one, shown.latest[row])
            found.loss[row], missed = self._scale.score(found.predicted[row], actual)
            error += missed
            self._scale.add(actual)
        return replace(found, absolute_error=error, learned_rows=learned)

    def compare(self, outputs: Float32, shown: Shown) -> Foretold:
        """Return what was said of rows, each as if it came next; changes nothing.

        Args:
            outputs: what the engine says of these rows.
            shown: by the same rows.
        """
        found = Foretold.empty(len(outputs), self._outputs)
        found.actual[:] = shown.actual
        if self._horizon == 0:
            found.outputs[:] = found.predicted[:] = outputs
        else:
            found.outputs[:] = _moved(shown.latest, outputs)
            if self.pending == self._horizon:
                found.predicted[:] = self._said[self._next]
        error = 0.0
        for row, actual in enumerate(shown.actual):
            found.loss[row], missed = self._scale.score(found.predicted[row], actual)
            error += missed
        return replace(found, absolute_error=error)

    def _learn_due(
        self, engine: Engine, actual: Float32, arrival: Arrival | None, said: Float32
    ) -> bool:
        """Learn the row that waited for this one; puts what it said of this one into `said`."""
        if self.pending < self._horizon:
            return False
        place = self._next
        said[:] = self._said[place]
        with np.errstate(over="ignore"):
            change = actual - self._from[place]
        if not self._has_past and (arrival is None or not np.isfinite(change).any()):
            return False
        features = self._features[place : place + 1].copy()
        return _learn(engine, features, change, arrival, np.empty_like(said))

    def _wait(self, engine: Engine, wide: Float32, latest: Float32) -> Float32:
        """Say what will be, and let the row wait until that is known."""
        place = self._next
        said = _moved(latest, engine.predict(wide)[0])
        self._features[place] = wide[0]
        self._said[place], self._from[place] = said, latest
        self._next = (place + 1) % self._horizon
        self.pending = min(self.pending + 1, self._horizon)
        return said

    def export(self) -> tuple[dict[str, npt.NDArray[Any]], int]:
        """Return arrays that hold all of it, and the rows that wait."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "features": np.roll(self._features, -self._next, axis=0),
            "said": np.roll(self._said, -self._next, axis=0),
            "from": np.roll(self._from, -self._next, axis=0),
            "scale": np.stack([self._scale.count, self._scale.mean, self._scale.squares]),
        }
        return arrays, self.pending

    def shapes(self) -> dict[str, tuple[tuple[int, ...], type]]:
        """Return what `take_over` needs: shape and type of each array."""
        return {
            "features": (self._features.shape, np.float32),
            "said": (self._said.shape, np.float32),
            "from": (self._from.shape, np.float32),
            "scale": ((3, self._outputs), np.float64),
        }

    def take_over(self, arrays: Mapping[str, npt.NDArray[Any]], pending: int) -> None:
        """Become an exported one of the same shape."""
        self._features = np.array(arrays["features"], np.float32)
        self._said = np.array(arrays["said"], np.float32)
        self._from = np.array(arrays["from"], np.float32)
        self._scale = Scale(*(np.array(part, np.float64) for part in arrays["scale"]))
        self._next = 0
        self.pending = pending


def _moved(latest: Float32, change: Float32) -> Float32:
    """Return where a change leads; as close as float32 comes to it."""
    with np.errstate(over="ignore"):
        result: Float32 = np.clip(latest + change, -_GREATEST, _GREATEST)
    return result


def _learn(
    engine: Engine, features: Float32, actual: Float32, arrival: Arrival | None, said: Float32
) -> bool:
    """Learn one row as far as it is known; puts what was said of it before into `said`."""
    known = np.abs(actual) <= _MOST_TARGET
    if arrival is None or not known.any():
        said[:] = engine.observe(features)[0]
        return False
    target = actual[np.newaxis]
    if not known.all():
        # What the network says by itself teaches it nothing.
        target = np.where(known, target, engine.predict(features)).astype(np.float32)
    said[:] = engine.learn(features, target, arrival=arrival).outputs[0]
    return True
