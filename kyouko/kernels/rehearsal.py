"""Rows kept for rehearsal, and when they are learned again."""

import numpy as np

from kyouko.kernels.compile import growth_part, hot_part
from kyouko.kernels.indices import (
    ASK_EVERY,
    ERROR_AFTER,
    ERROR_BEFORE,
    LEARNED_ROWS,
    REHEARSAL_DEBT,
    REHEARSAL_STEPS,
    REHEARSE_BALANCED,
    RING_FILLED,
    RING_NEXT,
    SKIP,
)
from kyouko.kernels.randomness import draw_uniform

__all__ = ["answers_first", "claim_rehearsals", "compare_answers", "draw_kept_row", "keep_row"]


@growth_part
def _draw_slot(label: int, count: int, list_label: np.ndarray, random_state: np.ndarray) -> int:
    """Draw one of the `count` kept rows of class `label`."""
    place = int(draw_uniform(random_state) * count)
    slot = 0
    while place > 0 or list_label[slot] != label:
        if list_label[slot] == label:
            place -= 1
        slot += 1
    return slot


@growth_part
def _choose_slot(
    label: int,
    easy: bool,
    ring_size: int,
    list_label: np.ndarray,
    list_target: np.ndarray,
    tally: np.ndarray,
    random_state: np.ndarray,
) -> int:
    """Choose which kept row makes room for one of class `label`, so that classes share evenly.

    A class below its share takes from the largest one. A class that has its share replaces its own
    rows, and only by hard ones. Of two random rows the easier one leaves: what the network finds
    hard teaches more, but the hardest rows alone would be those that nobody can learn.

    Args:
        label: class of the new row.
        easy: whether the network knew the new row well enough to skip it.
        ring_size: kept rows, all in use.
        list_label: int32, shape (slots,), classes of the kept rows come first.
        list_target: float32, shape (slots, 1), errors of the kept rows when they were last learned.
        tally: int64, shape (most outputs,), scratch.
        random_state: uint64, shape (1,).

    Returns:
        The slot, or -1 if the new row is not worth one.

    Source: after Chrysakis & Moens 2020, "Online Continual Learning from Imbalanced Data"; that
    the easier of two leaves is our own.
    """
    most_outputs = tally.shape[0]
    for output in range(most_outputs):
        tally[output] = 0
    for slot in range(ring_size):
        tally[list_label[slot]] += 1
    present = 0
    largest = 0
    for output in range(most_outputs):
        present += int(tally[output] > 0 or output == label)
        if tally[output] > tally[largest]:
            largest = output
    leaving = largest
    if tally[label] * present >= ring_size:
        if easy:
            return -1
        leaving = label
    count = int(tally[leaving])
    first = _draw_slot(leaving, count, list_label, random_state)
    second = _draw_slot(leaving, count, list_label, random_state)
    return second if list_target[second, 0] < list_target[first, 0] else first


@hot_part
def draw_kept_row(
    classes: bool,
    settings: np.ndarray,
    list_target: np.ndarray,
    counters: np.ndarray,
    random_state: np.ndarray,
) -> int:
    """Draw a kept row to learn again, or return -1 if the network knows that one well enough.

    A row of a stream that would have been skipped, when it was last looked at, is left alone:
    nearly all of those would be skipped again, after a forward pass. Where classes share the room
    every row is asked again, because they may be forgotten as others come.
    """
    slot = int(draw_uniform(random_state) * counters[RING_FILLED])
    known = list_target[slot, 0] < settings[SKIP]
    if classes and known and settings[REHEARSE_BALANCED] == 0.0:
        return -1
    return slot


@hot_part
def claim_rehearsals(counters: np.ndarray, meters: np.ndarray) -> int:
    """Return how many kept rows to learn again before a row is learned, and settle that debt."""
    meters[REHEARSAL_DEBT] = min(meters[REHEARSAL_DEBT], 64.0)
    rehearsals = int(meters[REHEARSAL_DEBT]) if counters[RING_FILLED] > 0 else 0
    meters[REHEARSAL_DEBT] -= rehearsals
    return rehearsals


@hot_part
def answers_first(counters: np.ndarray, meters: np.ndarray) -> bool:
    """Tell whether the next row is answered before kept rows are learned again, and learned after.

    That costs one more forward pass, and pays where a row resembles the one before it, as in time
    series: there old rows draw the weights away from what is needed next. Every eighth row is
    treated like that to find out.
    """
    lags = meters[ERROR_AFTER] > 1.05 * meters[ERROR_BEFORE]
    return bool(lags or (counters[LEARNED_ROWS] + 1) % ASK_EVERY == 0)


@hot_part
def compare_answers(before: float, after: float, counters: np.ndarray, meters: np.ndarray) -> None:
    """Follow the error of the present row's answers, before and after kept rows were learned."""
    if counters[LEARNED_ROWS] % ASK_EVERY == 0:
        meters[ERROR_BEFORE] += 0.02 * (before - meters[ERROR_BEFORE])
        meters[ERROR_AFTER] += 0.02 * (after - meters[ERROR_AFTER])


@hot_part
def keep_row(
    slot: int,
    ring_size: int,
    easy: bool,
    settings: np.ndarray,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    list_label: np.ndarray,
    list_target: np.ndarray,
    counters: np.ndarray,
    meters: np.ndarray,
    tally: np.ndarray,
    random_state: np.ndarray,
) -> None:
    """Copy a learned row to the kept ones, in front of the frame's slots, if it is worth it.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        slot: of the learned row.
        ring_size: room for kept rows.
        easy: whether the network knew the row well enough to skip it.
    """
    meters[REHEARSAL_DEBT] += settings[REHEARSAL_STEPS]
    if counters[RING_FILLED] < ring_size:
        keep = int(counters[RING_FILLED])
        counters[RING_FILLED] += 1
    elif settings[REHEARSE_BALANCED] != 0.0:
        keep = _choose_slot(
            int(np.int64(list_label[slot])), easy, ring_size, list_label, list_target, tally,
            random_state,
        )  # fmt: skip
        if keep < 0:
            return
    else:
        keep = int(counters[RING_NEXT])
        counters[RING_NEXT] = (keep + 1) % ring_size
    for item in range(list_length[slot]):
        list_channel[keep, item] = list_channel[slot, item]
        list_value[keep, item] = list_value[slot, item]
    list_length[keep] = list_length[slot]
    list_label[keep] = list_label[slot]
    for output in range(list_target.shape[1]):
        list_target[keep, output] = list_target[slot, output]
