"""The expert that remembers: the nearest of the rows that came last answer for a new one."""

import math

import numpy as np

from kyouko.kernels.compile import hot_kernel, hot_part
from kyouko.kernels.experts_search import bound_nearest, list_near, measure_distances

__all__ = ["recall_rows"]

_FAR = np.float32(3e38)


@hot_part
def _select(
    first: int,
    distance: np.ndarray,
    listed: np.ndarray,
    near_distance: np.ndarray,
    near_slot: np.ndarray,
) -> int:
    """Put the listed rows behind the first `first` ones into the ascending list of the nearest.

    Returns:
        The length of the list of the nearest.
    """
    wanted = near_distance.shape[0]
    found = min(first, wanted)
    for item in range(first, listed[0]):
        slot = listed[item + 1]
        near = distance[slot]
        if found == wanted and near >= near_distance[wanted - 1]:
            continue
        if found < wanted:
            found += 1
        place = found - 1
        while place > 0 and near_distance[place - 1] > near:
            near_distance[place] = near_distance[place - 1]
            near_slot[place] = near_slot[place - 1]
            place -= 1
        near_distance[place] = near
        near_slot[place] = slot
    return int(found)


@hot_part
def _answer(
    row: int,
    classes: bool,
    known: int,
    found: int,
    near_distance: np.ndarray,
    near_slot: np.ndarray,
    ring_label: np.ndarray,
    ring_target: np.ndarray,
    votes: np.ndarray,
    answers: np.ndarray,
) -> None:
    """Answer by the nearest, each counted by one over its distance."""
    total = 0.0
    for output in range(known):
        votes[output] = 0.0
    for place in range(found):
        weight = 1.0 / math.sqrt(np.float64(near_distance[place]) + 1e-9)
        total += weight
        slot = near_slot[place]
        if classes:
            votes[ring_label[slot]] += weight
        else:
            for output in range(known):
                votes[output] += weight * np.float64(ring_target[slot, output])
    if found == 0:
        for output in range(known):
            answers[row, output] = 1.0 / known if classes else 0.0
        return
    # Half a vote is spread evenly: no class is impossible because five rows were of others.
    spread = 0.5 * total / near_distance.shape[0] if classes else 0.0
    for output in range(known):
        answers[row, output] = (votes[output] + spread / known) / (total + spread)


@hot_kernel
def recall_rows(
    rows: int,
    learn: bool,
    classes: bool,
    known: int,
    search_all: bool,
    search_recent: bool,
    fresh: np.ndarray,
    inverse: np.ndarray,
    labels: np.ndarray,
    targets: np.ndarray,
    ring_values: np.ndarray,
    ring_label: np.ndarray,
    ring_target: np.ndarray,
    ring_counters: np.ndarray,
    distance: np.ndarray,
    least: np.ndarray,
    listed: np.ndarray,
    near_distance: np.ndarray,
    near_slot: np.ndarray,
    votes: np.ndarray,
    answers: np.ndarray,
    recent_answers: np.ndarray,
) -> None:
    """Predict each row by the nearest kept rows, then keep it in the place of the oldest.

    Besides the arrays of the layout table in `kyouko.domain.engine.experts.state`:
        rows: number of rows.
        learn: False to predict only.
        classes: True for labels, False for numbers.
        known: outputs before the first row; a new label opens more.
        search_all: whether to answer by all kept rows.
        search_recent: whether to answer by the newest fifth of them.
        fresh: float32, shape (slots, channels), raw rows; NaN for gaps.
        inverse: float32, shape (slots, channels), 1 / standard deviation; 0 for gaps.
        labels: int32, shape (rows,); read for classes.
        targets: float32, shape (rows, outputs); read for numbers.
        least: float32, shape (LEAST_PLACES,), scratch.
        listed: int32, shape (kept rows + 1,), scratch.
        answers: float32, shape (rows, outputs), written if `search_all`.
        recent_answers: float32, shape (rows, outputs), written if `search_recent`.

    Source: Cover & Hart 1967, "Nearest Neighbor Pattern Classification"; Dudani 1976, "The
    Distance-Weighted k-Nearest-Neighbor Rule".
    """
    size = ring_label.shape[0]
    wanted = near_distance.shape[0]
    recent = max(size // 5, 1)
    start = int(np.int64(0))  # no literal: it would be compiled on its own
    for row in range(rows):
        newest = int(ring_counters[0])  # the place after the newest row
        kept = int(ring_counters[1])
        # The newest rows are [low, newest) and, round the corner, [corner, size).
        low = max(newest - recent, 0)
        corner = size
        if kept == size:
            corner = size - max(recent - newest, 0)
        for group in range(least.shape[0]):
            least[group] = _FAR
        listed[0] = 0
        if search_all or search_recent:
            measure_distances(row, low, newest, fresh, inverse, ring_values, distance, least)
            measure_distances(row, corner, size, fresh, inverse, ring_values, distance, least)
        if search_recent:
            bound_nearest(wanted, least)
            list_near(low, newest, least, distance, listed)
            list_near(corner, size, least, distance, listed)
            found = _select(start, distance, listed, near_distance, near_slot)
            _answer(
                row, classes, known, found, near_distance, near_slot, ring_label, ring_target,
                votes, recent_answers,
            )  # fmt: skip
        if search_all:
            end = min(kept, corner)
            measure_distances(row, start, low, fresh, inverse, ring_values, distance, least)
            measure_distances(row, newest, end, fresh, inverse, ring_values, distance, least)
            bound_nearest(wanted, least)
            done = int(np.int64(listed[0]))
            if not search_recent:
                list_near(low, newest, least, distance, listed)
                list_near(corner, size, least, distance, listed)
            list_near(start, low, least, distance, listed)
            list_near(newest, end, least, distance, listed)
            found = _select(done, distance, listed, near_distance, near_slot)
            _answer(
                row, classes, known, found, near_distance, near_slot, ring_label, ring_target,
                votes, answers,
            )  # fmt: skip
        if not learn:
            continue
        for channel in range(fresh.shape[1]):
            ring_values[channel, newest] = fresh[row, channel]
        if classes:
            ring_label[newest] = labels[row]
            known = max(known, int(np.int64(labels[row])) + 1)
        else:
            for output in range(known):
                ring_target[newest, output] = targets[row, output]
        ring_counters[0] = (newest + 1) % size
        ring_counters[1] = min(kept + 1, size)
