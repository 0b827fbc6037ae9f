"""Scores of predictions that are not learned from, in the units of learned ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

# The engine's own bound: a label that was given no probability at all.
WORST_LOSS: Final = 13.8
# What a loss may be at most: it goes into float32 tensors, and into JSON.
GREATEST_LOSS: Final = float(np.finfo(np.float32).max)


def most_probable(outputs: Float32) -> Int32:
    """Return the most probable output of each row, -1 while there is none."""
    if outputs.shape[1] == 0:
        return np.full(len(outputs), -1, np.int32)
    best: Int32 = outputs.argmax(axis=1).astype(np.int32)
    return best


def class_loss(outputs: Float32, labels: Int32) -> Float32:
    """Return the cross-entropy of each row in nats.

    Args:
        outputs: Probabilities, shape (rows, outputs).
        labels: The right output of each row, -1 when the network does not know it.
    """
    loss = np.full(len(labels), WORST_LOSS, np.float32)
    known = np.flatnonzero(labels >= 0)
    if len(known):
        probabilities = outputs[known, labels[known]]
        loss[known] = -np.log(np.maximum(probabilities, np.exp(-WORST_LOSS)))
    return loss


@dataclass
class TargetScale:
    """Running mean and variance of the numbers a network has learned (Chan et al. 1979)."""

    outputs: int
    count: int = 0
    mean: Float64 = field(init=False)
    squares: Float64 = field(init=False)

    def __post_init__(self) -> None:
        self.mean = np.zeros(self.outputs)
        self.squares = np.zeros(self.outputs)

    def add(self, targets: Float32) -> None:
        """Take in targets, shape (rows, outputs)."""
        rows = len(targets)
        if rows == 0:
            return
        values = targets.astype(np.float64)
        mean = values.mean(axis=0)
        difference = mean - self.mean
        total = self.count + rows
        self.squares += ((values - mean) ** 2).sum(axis=0)
        self.squares += difference**2 * (self.count * rows / total)
        self.mean += difference * (rows / total)
        self.count = total

    def loss(self, outputs: Float32, targets: Float32) -> Float32:
        """Return the squared error of each row in units of the variance; 0 without one.

        Always finite: what float32 cannot hold is its greatest number.
        """
        variance = self.squares / max(self.count, 1)
        inverse = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
        errors = (outputs.astype(np.float64) - targets) ** 2 * inverse
        # In float64 no two float32 numbers are too far apart, nor any variance of them too small.
        result: Float32 = np.minimum(errors.mean(axis=1), GREATEST_LOSS).astype(np.float32)
        return result

    def export(self) -> Mapping[str, Any]:
        """Return the scale as JSON can hold it."""
        return {
            "count": self.count,
            "mean": self.mean.tolist(),
            "squares": self.squares.tolist(),
        }

    @classmethod
    def restore(cls, outputs: int, content: Mapping[str, Any]) -> "TargetScale":
        """Return an exported scale; a fresh one when there is nothing to restore."""
        scale = cls(outputs)
        if content:
            scale.count = int(content["count"])
            scale.mean = np.array(content["mean"], np.float64)
            scale.squares = np.array(content["squares"], np.float64)
        return scale
