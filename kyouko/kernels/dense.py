"""Classical layers, learned one row at a time: score, pass back, step (SGD or Adam).

The rows come scaled and the targets in units of their deviation; both are the business of
`kyouko.domain.engine.static.scaling`. The layout of the arrays is the table in
`kyouko.domain.engine.static.backend`. The passes are in `dense_passes`, the steps in
`dense_steps`.
"""

import math

import numpy as np

from kyouko.kernels.compile import hot_kernel
from kyouko.kernels.dense_indices import (
    ADAM,
    FIRST_NEURON,
    KNOWN_OUTPUTS,
    LEARNED_ROWS,
    LEARNING_RATE,
    OPTIMIZER,
    SHOWN_ERROR,
    SHOWN_LOSS,
    STEP_LIMIT,
    UPDATED_ROWS,
)
from kyouko.kernels.dense_passes import backward, forward, softmax
from kyouko.kernels.dense_steps import adapt, descend

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
        rows: float32, shape (rows, channels).
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

    Besides the arrays of the layout table in `kyouko.domain.engine.static.backend`:
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
        forward(known, layers, parameters, activity)
        counters[LEARNED_ROWS] += 1
        row_number = counters[LEARNED_ROWS]
        loss = 0.0
        error = 0.0
        if classes:
            label = int(np.int64(labels[row]))
            for output in range(scores, scores + known):
                delta[output] = activity[output]
            softmax(scores, known, delta)
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
                softmax(scores, known, delta)
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
        length = backward(known, layers, parameters, activity, delta)
        # False also for NaN: then the step is left out, and the weights stay finite.
        if not (length > 0.0 and length < 1e30):
            continue
        counters[UPDATED_ROWS] += 1
        rate = settings[LEARNING_RATE]
        if settings[OPTIMIZER] == ADAM:
            adapt(
                rate, counters[UPDATED_ROWS], known, layers, parameters, first_moment,
                second_moment, activity, delta,
            )  # fmt: skip
        else:
            rate = min(rate, settings[STEP_LIMIT] * total / length)
            descend(rate, known, layers, parameters, activity, delta)


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

    Besides the arrays of the layout table in `kyouko.domain.engine.static.backend`:
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
        forward(known, layers, parameters, activity)
        if classes:
            softmax(scores, known, activity)
        for output in range(known):
            outputs[first + row, output] = activity[scores + output]
