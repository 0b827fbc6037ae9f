"""Classical layers, learned one row at a time: forward, backward, and a step of SGD or Adam.

The rows come scaled and the targets in units of their deviation; both are the business of
`kyouko.domain.engine.static.scaling`. The layout of the arrays is the table in
`kyouko.domain.engine.static.state`.
"""

import math

import numpy as np

from kyouko.kernels.compile import hot_kernel, hot_part
from kyouko.kernels.dense_indices import (
    ACTIVATION,
    ADAM,
    FIRST_INPUT,
    FIRST_NEURON,
    FIRST_WEIGHT,
    INPUTS,
    KNOWN_OUTPUTS,
    LEARNED_ROWS,
    LEARNING_RATE,
    NEURONS,
    OPTIMIZER,
    RECTIFIED,
    SHOWN_ERROR,
    SHOWN_LOSS,
    SIGMOID,
    STEP_LIMIT,
    TANH,
    UPDATED_ROWS,
)

__all__ = ["learn_dense", "predict_dense", "scale_dense"]


@hot_kernel
def scale_dense(
    rows: np.ndarray,
    limit: float,
    fault: float,
    center: np.ndarray,
    inverse: np.ndarray,
    scaled: np.ndarray,
) -> int:
    """Write raw rows in units of the channels' deviations; missing and faulty values become 0.

    Args:
        rows: uint8 or float32, shape (rows, channels).
        limit: scaled values end at plus and minus this.
        fault: values that would be beyond this are taken for faults.
        center: float64, shape (channels,).
        inverse: float64, shape (channels,), 1 / deviation, or 0.
        scaled: float32, at least of the rows' shape, written.

    Returns:
        How many values were NaN or infinite.
    """
    missing = 0
    for row in range(rows.shape[0]):
        for channel in range(rows.shape[1]):
            raw = np.float64(rows[row, channel])
            finite = math.isfinite(raw)
            missing += 0 if finite else 1
            raw = raw if finite else center[channel]
            value = (raw - center[channel]) * inverse[channel]
            usable = abs(value) <= fault
            value = min(max(value, -limit), limit)
            scaled[row, channel] = np.float32(value) if usable else np.float32(0.0)
    return missing


@hot_part
def _forward(known: int, layers: np.ndarray, parameters: np.ndarray, activity: np.ndarray) -> None:
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
def _softmax(first: int, known: int, values: np.ndarray) -> None:
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
def _backward(
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


@hot_part
def _descend(
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
def _adapt(
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


@hot_kernel
def learn_dense(
    first: int,
    rows: int,
    classes: bool,
    settings: np.ndarray,
    outputs: np.ndarray,
    losses: np.ndarray,
    correct: np.ndarray,
    predicted: np.ndarray,
    scaled: np.ndarray,
    labels: np.ndarray,
    wanted: np.ndarray,
    layers: np.ndarray,
    parameters: np.ndarray,
    first_moment: np.ndarray,
    second_moment: np.ndarray,
    activity: np.ndarray,
    delta: np.ndarray,
    counters: np.ndarray,
    meters: np.ndarray,
) -> None:
    """Predict, score and learn `rows` rows in order.

    The loss is the cross-entropy, or half the squared error. An error counts at most 3
    deviations of its target. A step of SGD is shortened where the loss bends more than
    the learning rate allows for: with T the squared length of the gradient per squared error,
    steps above 8 / T (softmax) or 2 / T (squared error) overshoot; half of that is the limit.

    Besides the arrays of the layout table in `kyouko.domain.engine.static.state`:
        first: place of the first row in `outputs`, `losses`, `correct` and `predicted`.
        rows: number of rows; they are the first ones of `scaled`, `labels` and `wanted`.
        classes: True for class labels, False for numbers.
        settings: float64, shape (SETTINGS,), see `dense_indices`.
        outputs: float32, shape (frame rows, outputs), written: predictions before learning,
            numbers in units of the target's deviation.
        losses: float32, shape (frame rows,), written.
        correct: uint8, shape (frame rows,), written for classes.
        predicted: int32, shape (frame rows,), written for classes, -1 where no class is known.

    Source: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating
    errors"; the limit of the step after Nagumo & Noda 1967, "A Learning Method for System
    Identification".
    """
    width = scaled.shape[1]
    scores = layers[layers.shape[0] - 1, FIRST_NEURON]
    for row in range(rows):
        place = first + row
        known = int(counters[KNOWN_OUTPUTS])
        for n in range(width):
            activity[n] = scaled[row, n]
        _forward(known, layers, parameters, activity)
        counters[LEARNED_ROWS] += 1
        row_number = counters[LEARNED_ROWS]
        loss = 0.0
        error = 0.0
        if classes:
            label = int(np.int64(labels[row]))
            for output in range(scores, scores + known):
                delta[output] = activity[output]
            _softmax(scores, known, delta)
            best = -1
            highest = np.float32(-1.0)
            for output in range(known):
                chance = delta[scores + output]
                outputs[place, output] = chance
                if chance > highest:
                    highest = chance
                    best = output
            loss = (
                -math.log(max(np.float64(delta[scores + label]), 1e-6)) if label < known else 13.8
            )
            error = 0.0 if best == label else 1.0
            predicted[place] = best
            correct[place] = 1 if best == label else 0
            if label >= known:
                # The new class competes from score 0 with the others in this very row.
                for output in range(known, label + 1):
                    activity[scores + output] = np.float32(0.0)
                known = label + 1
                counters[KNOWN_OUTPUTS] = known
                for output in range(scores, scores + known):
                    delta[output] = activity[output]
                _softmax(scores, known, delta)
            delta[scores + label] -= np.float32(1.0)
        else:
            for output in range(known):
                score = activity[scores + output]
                outputs[place, output] = score
                difference = np.float64(score) - np.float64(wanted[row, output])
                loss += difference * difference / known
                delta[scores + output] = min(max(difference, -3.0), 3.0)
                error += min(abs(difference), 3.0) / known
            error = min(error, 1.0)
            if row_number == 1:
                # Without a second target there is no unit: nothing to score, or to learn yet.
                loss = 0.0
                error = 0.0
        losses[place] = min(loss, 3e37)
        shown_rate = max(0.001, 1.0 / row_number)
        meters[SHOWN_LOSS] += shown_rate * (min(loss, 3e37) - meters[SHOWN_LOSS])
        meters[SHOWN_ERROR] += shown_rate * (error - meters[SHOWN_ERROR])
        if row_number == 1 and not classes:
            continue

        total = 0.0
        for output in range(scores, scores + known):
            total += np.float64(delta[output]) * np.float64(delta[output])
        length = _backward(known, layers, parameters, activity, delta)
        # False also for NaN: then the step is left out, and the weights stay finite.
        if not (length > 0.0 and length < 1e30):
            continue
        counters[UPDATED_ROWS] += 1
        rate = settings[LEARNING_RATE]
        if settings[OPTIMIZER] == ADAM:
            _adapt(
                rate, counters[UPDATED_ROWS], known, layers, parameters, first_moment,
                second_moment, activity, delta,
            )  # fmt: skip
        else:
            rate = min(rate, settings[STEP_LIMIT] * total / length)
            _descend(rate, known, layers, parameters, activity, delta)


@hot_kernel
def predict_dense(
    first: int,
    rows: int,
    classes: bool,
    outputs: np.ndarray,
    scaled: np.ndarray,
    layers: np.ndarray,
    parameters: np.ndarray,
    activity: np.ndarray,
    counters: np.ndarray,
) -> None:
    """Predict `rows` rows; only `outputs` and the scratch array `activity` are written.

    Besides the arrays of the layout table in `kyouko.domain.engine.static.state`:
        first: place of the first row in `outputs`.
        rows: number of rows; they are the first ones of `scaled`.
        classes: True for probabilities, False for numbers in units of their deviation.
        outputs: float32, shape (frame rows, outputs), written.
    """
    known = counters[KNOWN_OUTPUTS]
    scores = layers[layers.shape[0] - 1, FIRST_NEURON]
    for row in range(rows):
        for n in range(scaled.shape[1]):
            activity[n] = scaled[row, n]
        _forward(known, layers, parameters, activity)
        if classes:
            _softmax(scores, known, activity)
        for output in range(known):
            outputs[first + row, output] = activity[scores + output]
