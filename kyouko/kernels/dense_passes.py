"""A row's way through classical layers: forward to the scores, and its errors' way back."""

import math

import numpy as np

from kyouko.kernels.compile import hot_part
from kyouko.kernels.dense_indices import (
    ACTIVATION,
    FIRST_INPUT,
    FIRST_NEURON,
    FIRST_WEIGHT,
    INPUTS,
    NEURONS,
    RECTIFIED,
    SIGMOID,
    TANH,
)

__all__ = ["backward", "forward", "softmax"]


@hot_part
def forward(known: int, layers: np.ndarray, parameters: np.ndarray, activity: np.ndarray) -> None:
    """Compute the neurons' activities, and the scores of the known outputs, from the inputs.

    Four neurons a pass, so that each input is loaded once for four of them. Unsigned places,
    because for signed ones the compiler must allow for negative indices and vectorises nothing.
    """
    zero = np.float32(0.0)
    half = np.float32(0.5)
    for layer in range(layers.shape[0]):
        width = np.uintp(layers[layer, INPUTS])
        neurons = layers[layer, NEURONS]
        if layer == layers.shape[0] - 1:
            neurons = known
        source = np.uintp(layers[layer, FIRST_INPUT])
        target = layers[layer, FIRST_NEURON]
        first = np.uintp(layers[layer, FIRST_WEIGHT])
        whole = neurons - neurons % 4
        for neuron in range(0, whole, 4):
            second = first + width
            third = second + width
            fourth = third + width
            sum0 = zero
            sum1 = zero
            sum2 = zero
            sum3 = zero
            for n in range(width):
                value = activity[source + n]
                sum0 += parameters[first + n] * value
                sum1 += parameters[second + n] * value
                sum2 += parameters[third + n] * value
                sum3 += parameters[fourth + n] * value
            activity[target + neuron] = sum0
            activity[target + neuron + 1] = sum1
            activity[target + neuron + 2] = sum2
            activity[target + neuron + 3] = sum3
            first = fourth + width
        for neuron in range(whole, neurons):
            total = zero
            for n in range(width):
                total += parameters[first + n] * activity[source + n]
            activity[target + neuron] = total
            first += width
        kind = layers[layer, ACTIVATION]
        if kind == RECTIFIED:
            for neuron in range(target, target + neurons):
                activity[neuron] = max(activity[neuron], zero)
        elif kind == TANH:
            for neuron in range(target, target + neurons):
                activity[neuron] = math.tanh(activity[neuron])
        elif kind == SIGMOID:
            for neuron in range(target, target + neurons):
                # By way of tanh, which does not overflow.
                activity[neuron] = half + half * math.tanh(half * activity[neuron])


@hot_part
def softmax(first: int, known: int, values: np.ndarray) -> None:
    """Turn the scores from place `first` on into probabilities, in place.

    In place for the bits' sake: with a second array the compiled loop asks whether the two
    overlap, and takes one of two orders of summation by where they happen to lie in memory.
    """
    if known == 0:
        return
    start = np.uintp(first)
    count = np.uintp(known)
    highest = values[start]
    for output in range(count):
        highest = max(highest, values[start + output])
    total = np.float32(0.0)
    for output in range(count):
        chance = np.float32(math.exp(values[start + output] - highest))
        values[start + output] = chance
        total += chance
    scale = np.float32(1.0) / total
    for output in range(count):
        values[start + output] *= scale


@hot_part
def backward(
    known: int,
    layers: np.ndarray,
    parameters: np.ndarray,
    activity: np.ndarray,
    delta: np.ndarray,
) -> float:
    """Carry the derivative of the loss back from the scores to every neuron's sum.

    Returns:
        The squared length of the gradient of the loss by all weights in use.
    """
    length = 0.0
    for back in range(layers.shape[0]):
        layer = layers.shape[0] - 1 - back
        width = np.uintp(layers[layer, INPUTS])
        neurons = known if back == 0 else layers[layer, NEURONS]
        source = np.uintp(layers[layer, FIRST_INPUT])
        target = layers[layer, FIRST_NEURON]
        first = np.uintp(layers[layer, FIRST_WEIGHT])
        inputs = np.float32(0.0)
        for n in range(width):
            inputs += activity[source + n] * activity[source + n]
        changes = np.float32(0.0)
        for neuron in range(target, target + neurons):
            changes += delta[neuron] * delta[neuron]
        length += np.float64(inputs) * np.float64(changes)
        if layer == 0:
            break
        for n in range(width):
            delta[source + n] = np.float32(0.0)
        for neuron in range(neurons):
            change = delta[target + neuron]
            if change != 0.0:
                for n in range(width):
                    delta[source + n] += change * parameters[first + n]
            first += width
        kind = layers[layer - 1, ACTIVATION]
        if kind == RECTIFIED:
            for n in range(width):
                if not activity[source + n] > 0.0:
                    delta[source + n] = np.float32(0.0)
        elif kind == TANH:
            for n in range(width):
                value = activity[source + n]
                delta[source + n] *= np.float32(1.0) - value * value
        elif kind == SIGMOID:
            for n in range(width):
                value = activity[source + n]
                delta[source + n] *= value * (np.float32(1.0) - value)
    return length
