"""What computes the layers: the processor by numba kernels, or a GPU by torch."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.interface import Scored

__all__ = ["FRAME_ROWS", "Backend", "Weights"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# Rows that are scaled and handed over together.
FRAME_ROWS = 64


@dataclass(frozen=True)
class Weights:
    """All that a backend knows; the layout table of a static network.

    P parameters. A neuron's weights are neighbours, its bias comes last; layers follow each
    other, the output layer is the last one, so that what belongs to known outputs comes first.

    =============  =======  =====  ==============================================================
    name           dtype    shape  meaning; invariant
    =============  =======  =====  ==============================================================
    parameters     float32  (P,)   weights and biases; those of outputs not yet known are 0
    first_moment   float32  (P,)   Adam's running mean of the gradient; shape (0,) for SGD
    second_moment  float32  (P,)   Adam's running mean of its square; likewise; >= 0
    counters       int64    (4,)   see `kyouko.kernels.dense_indices`
    meters         float64  (2,)   likewise
    =============  =======  =====  ==============================================================

    Scratch of the kernels, not saved: the activities of all layers one after the other, each
    followed by the constant 1 for the biases of the next, and the derivatives of the loss by
    the neurons' sums at the same places.
    """

    parameters: Float32
    first_moment: Float32
    second_moment: Float32
    counters: npt.NDArray[np.int64]
    meters: Float64


class Backend(Protocol):
    """Layers in the memory of some device, stepped row by row."""

    @property
    def known_outputs(self) -> int:
        """Outputs known now."""

    def set_scale(self, center: Float64, inverse: Float64) -> None:
        """Scale the rows from now on by (value - center) * inverse."""

    def learn(self, rows: Array, targets: Array, first: int, scored: Scored) -> int:
        """Predict, score and learn rows in order.

        Args:
            rows: uint8 or float32, shape (up to FRAME_ROWS, channels), raw.
            targets: int32 labels, shape (rows,), or float32, shape (rows, outputs), in units of
                the targets' deviation.
            first: place of the first row in `scored`.
            scored: written.

        Returns:
            How many values were NaN or infinite.
        """

    def predict(self, rows: Array, first: int, outputs: Float32) -> None:
        """Write the predictions for rows of the same kind from place `first` on."""

    def rescale_outputs(self, ratio: Float64, shift: Float64) -> None:
        """Make score * ratio + shift of each output's score, in weights and moments."""

    def read(self) -> Weights:
        """Return the weights; to look at, or to copy."""

    def read_counters(self) -> tuple[npt.NDArray[np.int64], Float64]:
        """Return counters and meters alone."""
