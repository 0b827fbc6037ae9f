"""Numeric targets in units of their own deviation, and what a change of the unit does."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.static.layers import Plan
from kyouko.domain.engine.static.scaling import Scaling

__all__ = ["TargetScale", "rescale_layer"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# Beyond these limits nothing worth keeping was learned, and float32 would overflow.
_LARGEST_RATIO: Final = 1e6
_LARGEST_WEIGHT: Final = 1e6
_LARGEST: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class TargetScale:
    """The unit of each output.

    Attributes:
        scaling: running centre and deviation of the targets.
        center: float64, shape (outputs,), offset that the outputs use now.
        unit: float64, shape (outputs,), what a score of 1 means now; above 0.
    """

    scaling: Scaling
    center: Float64
    unit: Float64

    @classmethod
    def create(cls, outputs: int) -> Self:
        """Allocate for outputs whose targets are unknown."""
        return cls(Scaling.create(outputs), np.zeros(outputs), np.ones(outputs))

    @staticmethod
    def count_bytes(outputs: int) -> int:
        """Bytes that the arrays take."""
        return Scaling.count_bytes(outputs) + 16 * outputs

    def standardize(self, targets: Float32) -> Float64:
        """Return targets in units of the deviation, in the range of float32."""
        return np.clip((targets - self.center) / self.unit, -1e30, 1e30)

    def restore(self, outputs: Float32) -> None:
        """Turn scores into numbers, in place."""
        numbers = outputs * self.unit + self.center
        outputs[:] = np.clip(numbers, -_LARGEST, _LARGEST)

    def follow(self, *, learned: bool) -> tuple[Float64, Float64]:
        """Take the running centre and deviation as the new unit.

        Args:
            learned: whether scores in the old unit mean anything yet.

        Returns:
            What each score must be multiplied by, and what must then be added to it, for the
            predictions to stay as they are.

        Source: van Hasselt et al. 2016, "Learning values across many orders of magnitude",
        section 2.1.
        """
        center, deviation = self.scaling.center, self.scaling.deviation
        # A constant target: any unit serves, one of the target's own size keeps sums in range.
        alone = np.where(center != 0.0, np.abs(center), 1.0)
        unit = np.maximum(np.where(deviation > 1e-6 * np.abs(center), deviation, alone), 1e-30)
        ratio = np.minimum(self.unit / unit, _LARGEST_RATIO)
        shift = np.clip((self.center - center) / unit, -_LARGEST_RATIO, _LARGEST_RATIO)
        self.center[:] = center
        self.unit[:] = unit
        if not learned:
            return np.ones_like(ratio), np.zeros_like(shift)
        return ratio, shift


def rescale_layer(
    plan: Plan,
    parameters: Float32,
    moments: tuple[Float32, Float32],
    ratio: Float64,
    shift: Float64,
) -> None:
    """Make score * ratio + shift of each output's score, and the moments fit to that."""
    layer = plan.output

    def view(array: Float32) -> Float32:
        return array[layer.first_weight :].reshape(layer.neurons, layer.inputs)

    scale = ratio[:, None]
    weights = view(parameters) * scale
    weights[:, -1] += shift
    view(parameters)[:] = np.clip(weights, -_LARGEST_WEIGHT, _LARGEST_WEIGHT)
    for power, moment in enumerate(moments, 1):
        if len(moment):
            view(moment)[:] = np.clip(view(moment) * scale**power, -1e30, 1e30)
