"""How good the prediction of a fresh row was, and what the scores must change by."""

import math

import numpy as np

from kyouko.kernels.compile import hot_part
from kyouko.kernels.events import note_event
from kyouko.kernels.forward import softmax
from kyouko.kernels.indices import (
    COMPARE_RATE,
    EVENT_OUTPUT_OPENED,
    KNOWN_OUTPUTS,
    LEARNED_ROWS,
    LOSS_FAST,
    LOSS_SLOW,
    NEURONS,
)

__all__ = ["open_outputs", "score_class", "score_numbers", "subtract_targets"]


@hot_part
def _class_loss(label: int, known: int, chances: np.ndarray) -> float:
    """Return the cross-entropy in nats, at most 13.8."""
    return -math.log(max(np.float64(chances[label]), 1e-6)) if label < known else 13.8


@hot_part
def _compare_copies(
    fast_loss: float, slow_loss: float, settings: np.ndarray, meters: np.ndarray
) -> None:
    """Follow the losses of the instantaneous and of the averaged weights on the same rows."""
    rate = np.float64(settings[COMPARE_RATE])
    meters[LOSS_FAST] += rate * (fast_loss - meters[LOSS_FAST])
    meters[LOSS_SLOW] += rate * (slow_loss - meters[LOSS_SLOW])


@hot_part
def score_class(
    place: int,
    label: int,
    known: int,
    compare: bool,
    use_slow: bool,
    settings: np.ndarray,
    chances: np.ndarray,
    slow_scores: np.ndarray,
    outputs: np.ndarray,
    losses: np.ndarray,
    correct: np.ndarray,
    predicted: np.ndarray,
    meters: np.ndarray,
) -> tuple[float, float]:
    """Hand out the probabilities of one row, and score them against its label.

    Besides the arguments of `learn_rows`:
        place: of the row in `outputs`, `losses`, `correct` and `predicted`.
        label: its class.
        known: classes known so far.
        compare: whether the averaged weights were computed for the comparison.
        use_slow: whether they were computed to be handed out.
        chances: float32, shape (most outputs,), probabilities of the instantaneous weights.
        slow_scores: float32, shape (most outputs,), scores of the averaged ones; become their
            probabilities.

    Returns:
        The loss of what was handed out, and 1 where its best class was wrong, else 0.
    """
    shown_loss = _class_loss(label, known, chances)
    if compare or use_slow:
        softmax(slow_scores, known, slow_scores)
        slow_loss = _class_loss(label, known, slow_scores)
        if compare:
            _compare_copies(shown_loss, slow_loss, settings, meters)
        if use_slow:
            shown_loss = slow_loss
    best = -1
    highest = np.float32(-1.0)
    for output in range(known):
        shown = slow_scores[output] if use_slow else chances[output]
        outputs[place, output] = shown
        if shown > highest:
            highest = shown
            best = output
    predicted[place] = best
    correct[place] = 1 if best == label else 0
    losses[place] = shown_loss
    return shown_loss, 0.0 if best == label else 1.0


@hot_part
def open_outputs(
    label: int,
    known: int,
    scores: np.ndarray,
    chances: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
) -> int:
    """Open outputs up to `label`; a new class competes from score 0 in this very row.

    Returns:
        The number of outputs known now.
    """
    for output in range(known, label + 1):
        scores[output] = 0.0
        note_event(
            counters[LEARNED_ROWS], EVENT_OUTPUT_OPENED, output, counters[NEURONS],
            events, counters,
        )  # fmt: skip
    counters[KNOWN_OUTPUTS] = label + 1
    softmax(scores, label + 1, chances)
    return label + 1


@hot_part
def subtract_targets(
    slot: int,
    known: int,
    list_target: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
    scores: np.ndarray,
    delta: np.ndarray,
) -> float:
    """Set `delta` to scores minus targets in the running unit, limited to three deviations.

    Returns:
        The error of the row: their mean size, at most 1.
    """
    total = 0.0
    for output in range(known):
        wanted = np.float64(list_target[slot, output]) - scale_mean[output]
        difference = np.float64(scores[output]) - wanted / scale_deviation[output]
        difference = min(max(difference, -3.0), 3.0)
        delta[output] = difference
        total += abs(difference)
    return min(1.0, total / max(known, 1))


@hot_part
def score_numbers(
    place: int,
    slot: int,
    known: int,
    compare: bool,
    use_slow: bool,
    has_unit: bool,
    settings: np.ndarray,
    list_target: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
    scores: np.ndarray,
    slow_scores: np.ndarray,
    outputs: np.ndarray,
    losses: np.ndarray,
    meters: np.ndarray,
) -> float:
    """Hand out the numbers of one row, and score them against its targets.

    Besides the arguments of `score_class`:
        slot: of the row in `list_target`.
        has_unit: False for the very first row: without a second target there is no unit.
        scores: float32, shape (most outputs,), of the instantaneous weights.
        slow_scores: the same of the averaged ones.

    Returns:
        The loss of what was handed out.
    """
    fast_loss = 0.0
    slow_loss = 0.0
    for output in range(known):
        unit = scale_deviation[output]
        wanted = (np.float64(list_target[slot, output]) - scale_mean[output]) / unit
        difference = np.float64(scores[output]) - wanted
        fast_loss += difference * difference / known
        if compare or use_slow:
            difference = np.float64(slow_scores[output]) - wanted
            slow_loss += difference * difference / known
        shown = slow_scores[output] if use_slow else scores[output]
        outputs[place, output] = np.float64(shown) * unit + scale_mean[output]
    if not has_unit:
        return 0.0
    shown_loss = slow_loss if use_slow else fast_loss
    losses[place] = min(shown_loss, 3e37)
    if compare:
        # A single huge error says little about which copy is better.
        _compare_copies(min(fast_loss, 9.0), min(slow_loss, 9.0), settings, meters)
    return shown_loss
