"""Steps of classical layers along the gradient: plain descent, and Adam."""

import math

import numpy as np

from kyouko.kernels.compile import hot_part
from kyouko.kernels.dense_indices import FIRST_INPUT, FIRST_NEURON, FIRST_WEIGHT, INPUTS, NEURONS

__all__ = ["adapt", "descend"]


@hot_part
def descend(
    rate: float,
    known: int,
    layers: np.ndarray,
    parameters: np.ndarray,
    activity: np.ndarray,
    delta: np.ndarray,
) -> None:
    """Take one step of gradient descent."""
    for layer in range(layers.shape[0]):
        width = np.uintp(layers[layer, INPUTS])
        neurons = known if layer == layers.shape[0] - 1 else layers[layer, NEURONS]
        source = np.uintp(layers[layer, FIRST_INPUT])
        target = layers[layer, FIRST_NEURON]
        first = np.uintp(layers[layer, FIRST_WEIGHT])
        for neuron in range(neurons):
            step = np.float32(rate) * delta[target + neuron]
            if step != 0.0:
                for n in range(width):
                    parameters[first + n] -= step * activity[source + n]
            first += width


@hot_part
def adapt(
    rate: float,
    steps: int,
    known: int,
    layers: np.ndarray,
    parameters: np.ndarray,
    first_moment: np.ndarray,
    second_moment: np.ndarray,
    activity: np.ndarray,
    delta: np.ndarray,
) -> None:
    """Take one step of Adam with its usual constants.

    Moments that have faded below 1e-30 become 0: left alone they would become denormal numbers,
    which some processors compute a hundred times slower.

    Source: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1 in the
    form of section 2, last paragraph.
    """
    keep_first = np.float32(0.9)
    keep_second = np.float32(0.999)
    tiny = np.float32(1e-30)
    zero = np.float32(0.0)
    correction = math.sqrt(1.0 - 0.999**steps)
    scale = np.float32(rate * correction / (1.0 - 0.9**steps))
    guard = np.float32(1e-8 * correction)
    for layer in range(layers.shape[0]):
        width = np.uintp(layers[layer, INPUTS])
        neurons = known if layer == layers.shape[0] - 1 else layers[layer, NEURONS]
        source = np.uintp(layers[layer, FIRST_INPUT])
        target = layers[layer, FIRST_NEURON]
        first = np.uintp(layers[layer, FIRST_WEIGHT])
        for neuron in range(neurons):
            change = delta[target + neuron]
            for n in range(width):
                slope = change * activity[source + n]
                mean = keep_first * first_moment[first + n] + (np.float32(1.0) - keep_first) * slope
                square = keep_second * second_moment[first + n] + (
                    np.float32(1.0) - keep_second
                ) * (slope * slope)
                mean = mean if abs(mean) > tiny else zero
                square = square if square > tiny else zero
                first_moment[first + n] = mean
                second_moment[first + n] = square
                parameters[first + n] -= scale * mean / (math.sqrt(square) + guard)
            first += width
