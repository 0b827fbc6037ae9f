"""Static layers on the processor, by the numba kernels of `kyouko.kernels.dense`."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.interface import Scored
from kyouko.domain.engine.memory import borrow_zeros
from kyouko.domain.engine.static.backend import FRAME_ROWS, Weights
from kyouko.domain.engine.static.layers import Plan
from kyouko.domain.engine.static.outputs import rescale_layer
from kyouko.domain.engine.static.scaling import FAULT, LIMIT
from kyouko.kernels import dense_indices as indices
from kyouko.kernels.dense import learn_dense, predict_dense, scale_dense

__all__ = ["CpuBackend", "count_cpu_bytes"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_APART: Final = 1024


def count_cpu_bytes(plan: Plan) -> int:
    """Bytes of scratch beside the weights."""
    channels = plan.layers[0].inputs - 1
    buffers = FRAME_ROWS * (4 * (channels + 1) + 4 * channels + 4 + 4 * plan.output.neurons)
    return 8 * plan.places + buffers + 16 * channels + 5 * 2 * _APART


class CpuBackend:
    """Keeps the weights and calls the kernels with them."""

    def __init__(self, plan: Plan, settings: Float64, weights: Weights, *, classes: bool) -> None:
        """Copy weights to where the kernels may work on them."""
        channels = plan.layers[0].inputs - 1
        self._plan = plan
        self._classes = classes
        self._settings = settings
        self._weights = replace(
            weights,
            parameters=_set_apart(weights.parameters),
            first_moment=_set_apart(weights.first_moment),
            second_moment=_set_apart(weights.second_moment),
            counters=weights.counters.copy(),
            meters=weights.meters.copy(),
        )
        self._layers = plan.table()
        self._activity = _set_apart(np.zeros(plan.places, np.float32))
        self._delta = _set_apart(np.zeros(plan.places, np.float32))
        for layer in plan.layers:
            self._activity[layer.first_input + layer.inputs - 1] = 1.0
        self._scaled = np.ones((FRAME_ROWS, channels + 1), np.float32)
        self._rows = np.zeros((FRAME_ROWS, channels), np.float32)
        self._labels = np.zeros(FRAME_ROWS, np.int32)
        self._wanted = np.zeros((FRAME_ROWS, 1 if classes else plan.output.neurons), np.float32)
        self._center, self._inverse = np.zeros(channels), np.zeros(channels)

    @property
    def known_outputs(self) -> int:
        """Outputs known now."""
        return int(self._weights.counters[indices.KNOWN_OUTPUTS])

    def set_scale(self, center: Float64, inverse: Float64) -> None:
        """Scale the rows from now on by (value - center) * inverse."""
        self._center[:] = center
        self._inverse[:] = inverse

    def learn(self, rows: Array, targets: Array, first: int, scored: Scored) -> int:
        """Predict, score and learn rows in order; see `Backend`."""
        missing = self._scale(rows)
        if self._classes:
            self._labels[: len(rows)] = targets
        else:
            self._wanted[: len(rows)] = targets
        weights = self._weights
        learn_dense(
            first, len(rows), self._classes, self._settings, scored.outputs, scored.loss,
            scored.correct, scored.predicted, self._scaled, self._labels, self._wanted,
            self._layers, weights.parameters, weights.first_moment, weights.second_moment,
            self._activity, self._delta, weights.counters, weights.meters,
        )  # fmt: skip
        return missing

    def predict(self, rows: Array, first: int, outputs: Float32) -> None:
        """Write the predictions for rows; see `Backend`."""
        self._scale(rows)
        weights = self._weights
        predict_dense(
            first, len(rows), self._classes, outputs, self._scaled, self._layers,
            weights.parameters, self._activity, weights.counters,
        )  # fmt: skip

    def rescale_outputs(self, ratio: Float64, shift: Float64) -> None:
        """Make score * ratio + shift of each output's score, in weights and moments."""
        weights = self._weights
        moments = (weights.first_moment, weights.second_moment)
        rescale_layer(self._plan, weights.parameters, moments, ratio, shift)

    def read(self) -> Weights:
        """Return the weights themselves."""
        return self._weights

    def read_counters(self) -> tuple[npt.NDArray[np.int64], Float64]:
        """Return counters and meters alone."""
        return self._weights.counters, self._weights.meters

    def _scale(self, rows: Array) -> int:
        """Give the kernel one dtype and layout: bytes, read-only or strided rows are copied."""
        flags = rows.flags
        fits = flags.c_contiguous and flags.writeable and flags.aligned
        if rows.dtype != np.float32 or not fits:
            buffer = self._rows[: len(rows)]
            np.copyto(buffer, rows)
            rows = buffer
        return int(scale_dense(rows, LIMIT, FAULT, self._center, self._inverse, self._scaled))


def _set_apart(array: Float32) -> Float32:
    """Copy an array to the border of a cache line, far from where any other one begins.

    A compiled loop over two arrays asks how far apart they begin, and where that is less than
    some hundred bytes, it takes another version of itself, whose last bits may differ: tiny
    networks would not be the same twice.
    """
    memory = borrow_zeros(array.nbytes + 2 * _APART)
    start = _APART - memory.ctypes.data % 64
    copy: Float32 = memory[start : start + array.nbytes].view(np.float32)
    copy[:] = array
    return copy
