"""Slow twins of the dense layers' kernels, in float64 and one neuron at a time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kyouko.kernels import dense_indices as indices

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layers:
    """Weights of each layer, shape (neurons, inputs + 1), the biases last, and activations."""

    weights: list[Float64]
    kinds: list[int]


def read_layers(table: Int64, parameters: npt.NDArray[np.float32], known: int) -> Layers:
    """Cut flat parameters into layers, the last one into its known outputs."""
    weights, kinds = [], []
    for place, row in enumerate(table):
        inputs, neurons = int(row[indices.INPUTS]), int(row[indices.NEURONS])
        first = int(row[indices.FIRST_WEIGHT])
        matrix = parameters[first : first + inputs * neurons].reshape(neurons, inputs)
        if place == len(table) - 1:
            matrix = matrix[:known]
        weights.append(matrix.astype(np.float64))
        kinds.append(int(row[indices.ACTIVATION]))
    return Layers(weights, kinds)


def activate(kind: int, total: float) -> float:
    """Return what a neuron makes of its sum."""
    if kind == indices.RECTIFIED:
        return max(total, 0.0)
    if kind == indices.TANH:
        return float(np.tanh(total))
    if kind == indices.SIGMOID:
        return float(1.0 / (1.0 + np.exp(-total)))
    return total


def forward(layers: Layers, row: Float64) -> list[Float64]:
    """Return the values of all layers, the scaled inputs first, the scores last."""
    values = [row]
    for matrix, kind in zip(layers.weights, layers.kinds, strict=True):
        inputs = [*values[-1], 1.0]
        sums = [
            sum(weight * value for weight, value in zip(neuron, inputs, strict=True))
            for neuron in matrix
        ]
        values.append(np.array([activate(kind, total) for total in sums]))
    return values


def softmax(scores: Float64) -> Float64:
    """Probabilities that belong to the scores."""
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def loss(layers: Layers, row: Float64, target: int | Float64) -> float:
    """Cross-entropy of a label, or half the squared error of numbers."""
    scores = forward(layers, row)[-1]
    if isinstance(target, int):
        return float(-np.log(softmax(scores)[target]))
    return float(0.5 * ((scores - target) ** 2).sum())


def numeric_gradient(layers: Layers, row: Float64, target: int | Float64) -> list[Float64]:
    """Return the loss's derivative by every weight, by central differences."""
    step = 1e-6
    gradients = []
    for matrix in layers.weights:
        gradient = np.zeros_like(matrix)
        for place in np.ndindex(matrix.shape):
            kept = matrix[place]
            matrix[place] = kept + step
            above = loss(layers, row, target)
            matrix[place] = kept - step
            below = loss(layers, row, target)
            matrix[place] = kept
            gradient[place] = (above - below) / (2 * step)
        gradients.append(gradient)
    return gradients


def descend(
    layers: Layers, gradients: list[Float64], *, rate: float, limit: float, square: float
) -> list[Float64]:
    """Return the weights after one step of gradient descent.

    Args:
        layers: before.
        gradients: of the loss.
        rate: learning rate.
        limit: the rate is at most this times `square` by the squared length of the gradient.
        square: sum of the squared derivatives by the scores.
    """
    length = sum(float((gradient**2).sum()) for gradient in gradients)
    used = min(rate, limit * square / length)
    return [matrix - used * slope for matrix, slope in zip(layers.weights, gradients, strict=True)]


@dataclass
class Adam:
    """Adam as in its paper: moments, their corrections, the step.

    Source: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.
    """

    rate: float
    first: list[Float64]
    second: list[Float64]
    steps: int = 0

    def step(self, layers: Layers, gradients: list[Float64]) -> list[Float64]:
        """Return the weights after one step."""
        self.steps += 1
        changed = []
        for place, (matrix, slope) in enumerate(zip(layers.weights, gradients, strict=True)):
            self.first[place] = 0.9 * self.first[place] + 0.1 * slope
            self.second[place] = 0.999 * self.second[place] + 0.001 * slope**2
            mean = self.first[place] / (1.0 - 0.9**self.steps)
            square = self.second[place] / (1.0 - 0.999**self.steps)
            changed.append(matrix - self.rate * mean / (np.sqrt(square) + 1e-8))
        return changed


def scale(
    rows: npt.NDArray[np.generic], limit: float, fault: float, center: Float64, inverse: Float64
) -> tuple[Float64, int]:
    """Return scaled rows, and how many of their values are NaN or infinite."""
    scaled = np.zeros(rows.shape)
    missing = 0
    for place in np.ndindex(rows.shape):
        raw = float(rows[place])
        if not np.isfinite(raw):
            missing += 1
            continue
        value = (raw - center[place[1]]) * inverse[place[1]]
        if abs(value) <= fault:
            scaled[place] = min(max(value, -limit), limit)
    return scaled, missing
