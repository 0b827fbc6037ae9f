"""Rows kept for rehearsal, and when they are learned again."""

import numpy as np

from kyouko.kernels.compile import growth_part, hot_part
from kyouko.kernels.growth import draw_uniform
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
)

__all__ = ["answers_first", "claim_rehearsals", "compare_answers", "keep_row"]


@growth_part
def _choose_slot(
    label: int,
    ring_size: int,
    list_label: np.ndarray,
    tally: np.ndarray,
    random_state: np.ndarray,
) -> int:
    """Choose which kept row makes room for one of class `label`, so that classes share evenly.

    Args:
        label: class of the new row.
        ring_size: kept rows, all in use.
        list_label: int32, shape (slots,), classes of the kept rows come first.
        tally: int64, shape (most outputs,), scratch.
        random_state: uint64, shape (1,).

    Returns:
        A random slot of the same class once that class has its share, else one of the largest.

    Source: after Chrysakis & Moens 2020, "Online Continual Learning from Imbalanced Data".
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
    leaving = label if tally[label] * present >= ring_size else largest
    place = int(draw_uniform(random_state) * tally[leaving])
    for slot in range(ring_size):
        if list_label[slot] == leaving:
            if place == 0:
                return slot
            place -= 1
    return 0


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
    return lags or (counters[LEARNED_ROWS] + 1) % ASK_EVERY == 0


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
    """Copy a learned row to the kept ones, in front of the frame's slots.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        slot: of the learned row.
        ring_size: room for kept rows.
    """
    if counters[RING_FILLED] < ring_size:
        keep = int(counters[RING_FILLED])
        counters[RING_FILLED] += 1
    elif settings[REHEARSE_BALANCED] != 0.0:
        keep = _choose_slot(
            int(np.int64(list_label[slot])), ring_size, list_label, tally, random_state
        )
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
    meters[REHEARSAL_DEBT] += settings[REHEARSAL_STEPS]
