"""Where a channel's sections end: knots at quantiles of its active values.

A channel's value x becomes the offset v from its resting band; sections are the intervals between
ascending knots of v, and 0 is always a knot. The drive of a section is the part of it that v has
passed: from 0 to 1 above the band, from 0 to -1 below it.
"""

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.indices import CANDIDATES, KEPT, NEW_KNOTS, ORDERED, START_ROWS

__all__ = ["passed_part", "place_knots", "sort_line", "store_knots"]


@growth_part
def sort_line(scratch: np.ndarray, line: int, count: int) -> None:
    """Sort the first `count` values of a line in place, ascending.

    Insertion sort: at most 64 values, and numpy's sort takes seconds to compile.
    """
    for place in range(1, count):
        value = scratch[line, place]
        hole = place
        while hole > 0 and scratch[line, hole - 1] > value:
            scratch[line, hole] = scratch[line, hole - 1]
            hole -= 1
        scratch[line, hole] = value


@growth_kernel
def place_knots(
    active_values: np.ndarray, channel: int, count: int, wanted: int, scratch: np.ndarray
) -> int:
    """Place at most wanted + 2 ascending knots, 0 among them, at quantiles of active values.

    Args:
        active_values: float32, shape (channels, START_ROWS), offsets from the band, not zero.
        channel: whose values to use.
        count: how many of them.
        wanted: sections that share the values.
        scratch: float64, shape (SCRATCH_LINES, START_ROWS), the knots are written to NEW_KNOTS.

    Returns:
        The number of knots; 1 means that no section can be told apart.
    """
    for place in range(count):
        scratch[ORDERED, place] = active_values[channel, place]
    sort_line(scratch, ORDERED, count)
    # A sixteenth at both ends is left out once that is one value: a single outlier sets no scale.
    cut = count // 16
    last = count - 2 * cut - 1
    scratch[CANDIDATES, 0] = 0.0
    number = 1
    for quantile in range(wanted + 1):
        if quantile == 0 and scratch[ORDERED, cut] > 0.0:
            continue
        if quantile == wanted and scratch[ORDERED, cut + last] < 0.0:
            continue
        exact = quantile * last / wanted
        below = min(int(exact), last)
        above = min(below + 1, last)
        low = scratch[ORDERED, cut + below]
        scratch[CANDIDATES, number] = low + (exact - below) * (scratch[ORDERED, cut + above] - low)
        number += 1
    sort_line(scratch, CANDIDATES, number)
    closest = (1e-6 if wanted == 1 else 1e-3) * (
        scratch[CANDIDATES, number - 1] - scratch[CANDIDATES, 0]
    )
    zero = 0
    while scratch[CANDIDATES, zero] != 0.0:
        zero += 1
    for place in range(number):
        scratch[KEPT, place] = 0.0
    scratch[KEPT, zero] = 1.0
    edge = 0.0
    for place_up in range(zero + 1, number):
        if scratch[CANDIDATES, place_up] - edge > closest:
            scratch[KEPT, place_up] = 1.0
            edge = scratch[CANDIDATES, place_up]
    edge = 0.0
    for place_down in range(zero - 1, -1, -1):
        if edge - scratch[CANDIDATES, place_down] > closest:
            scratch[KEPT, place_down] = 1.0
            edge = scratch[CANDIDATES, place_down]
    kept = 0
    for candidate in range(number):
        if scratch[KEPT, candidate] == 1.0:
            scratch[NEW_KNOTS, kept] = scratch[CANDIDATES, candidate]
            kept += 1
    return kept


@growth_part
def passed_part(offset: float, low: float, high: float) -> float:
    """Return the part of a section from `low` to `high` that an offset has passed, 0 to 1."""
    return min(max((offset - low) / (high - low), 0.0), 1.0)


@growth_part
def store_knots(
    channel: int,
    count: int,
    scratch: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    active_count: np.ndarray,
) -> None:
    """Write the NEW_KNOTS of a channel and all that follows from them."""
    sections = max(count - 1, 0)
    section_count[channel] = sections
    zero_section[channel] = 0
    for place in range(count):
        knots[channel, place] = scratch[NEW_KNOTS, place]
        if scratch[NEW_KNOTS, place] == 0.0:
            zero_section[channel] = place
    for section in range(sections):
        width = scratch[NEW_KNOTS, section + 1] - scratch[NEW_KNOTS, section]
        inverse[channel, section] = min(1.0 / width, 3e38)
    hot[channel, 3] = 1.0
    hot[channel, 4] = 0.0
    if sections == 1 and active_count[channel] >= START_ROWS:
        slack = 0.25 * (scratch[NEW_KNOTS, 1] - scratch[NEW_KNOTS, 0])
        hot[channel, 0] = knots[channel, 0]
        hot[channel, 1] = inverse[channel, 0]
        hot[channel, 2] = 1.0 if scratch[NEW_KNOTS, 1] == 0.0 else 0.0
        hot[channel, 3] = resting_low[channel] + scratch[NEW_KNOTS, 0] - slack
        hot[channel, 4] = resting_high[channel] + scratch[NEW_KNOTS, 1] + slack
        hot[channel, 5] = resting_low[channel]
        hot[channel, 6] = resting_high[channel]
