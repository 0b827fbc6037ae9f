"""The peer: a dense network of one hidden layer, learning one row at a time.

784-128-10 by default, rectified hidden neurons, softmax, plain gradient descent,
inputs divided by 255, compiled with the same numba options as our kernels. It
computes on every input and updates every weight for every row.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

_FAST_MATH = {"reassoc", "contract", "nsz", "arcp", "afn"}
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DenseNetwork:
    """Weights: `first` [hidden, inputs], `second` [outputs, hidden], and their biases."""

    first: Float32
    first_bias: Float32
    second: Float32
    second_bias: Float32

    @classmethod
    def create(cls, inputs: int, hidden: int, outputs: int, *, seed: int) -> "DenseNetwork":
        """Return a network with He-initialised weights."""
        random = np.random.default_rng(seed)

        def normal(rows: int, columns: int) -> Float32:
            scale = np.sqrt(2.0 / columns)
            weights: Float32 = (scale * random.standard_normal((rows, columns))).astype(np.float32)
            return weights

        return cls(
            normal(hidden, inputs),
            np.zeros(hidden, np.float32),
            normal(outputs, hidden),
            np.zeros(outputs, np.float32),
        )

    def learn(self, rows: Float32, labels: npt.NDArray[np.int32], *, rate: float = 0.02) -> None:
        """Learn rows of shape [rows, inputs] in order, one at a time."""
        _learn(
            rows,
            labels,
            self.first,
            self.first_bias,
            self.second,
            self.second_bias,
            np.float32(rate),
        )

    def predict(self, rows: Float32) -> npt.NDArray[np.int32]:
        """Return the most probable class of each row."""
        hidden = np.maximum(rows @ self.first.T + self.first_bias, 0)
        best: npt.NDArray[np.int32] = (
            (hidden @ self.second.T + self.second_bias).argmax(axis=1).astype(np.int32)
        )
        return best


def _compiled(function: Any) -> Any:
    options: Any = {"fastmath": _FAST_MATH, "error_model": "numpy", "nogil": True, "cache": True}
    return numba.njit(**options)(function)


@_compiled
def _learn(rows, labels, first, first_bias, second, second_bias, rate):  # type: ignore[no-untyped-def]
    hidden_count, outputs = first.shape[0], second.shape[0]
    hidden = np.zeros(hidden_count, np.float32)
    delta = np.zeros(outputs, np.float32)
    for n in range(rows.shape[0]):
        row = rows[n]
        for h in range(hidden_count):
            total = first_bias[h]
            for i in range(row.shape[0]):
                total += first[h, i] * row[i]
            hidden[h] = max(total, np.float32(0))
        greatest = np.float32(-1e30)
        for o in range(outputs):
            total = second_bias[o]
            for h in range(hidden_count):
                total += second[o, h] * hidden[h]
            delta[o] = total
            greatest = max(greatest, total)
        mass = np.float32(0)
        for o in range(outputs):
            delta[o] = np.exp(delta[o] - greatest)
            mass += delta[o]
        for o in range(outputs):
            delta[o] /= mass
        delta[labels[n]] -= np.float32(1)
        for h in range(hidden_count):
            if hidden[h] <= 0:
                continue
            back = np.float32(0)
            for o in range(outputs):
                back += second[o, h] * delta[o]
            step = rate * back
            first_bias[h] -= step
            for i in range(row.shape[0]):
                first[h, i] -= step * row[i]
        for o in range(outputs):
            step = rate * delta[o]
            second_bias[o] -= step
            for h in range(hidden_count):
                second[o, h] -= step * hidden[h]
