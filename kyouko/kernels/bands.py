"""Resting bands: found among the first values of a channel; `resting` moves them later."""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.indices import DRIVE_ENERGY, LIVE_CHANNELS, NEW_FROM, ORDERED
from kyouko.kernels.knots import sort_line
from kyouko.kernels.sections import regrid_channel

__all__ = ["choose_bands", "find_band"]


@growth_part
def _find_narrowest(first: int, stop: int, held: int, scratch: np.ndarray) -> tuple[int, float]:
    """Find the narrowest interval that spans `held` gaps between the ordered values.

    Returns:
        The place of its lower end in ORDERED, and its width.
    """
    start = first
    width = scratch[ORDERED, first + held] - scratch[ORDERED, first]
    for place in range(first + 1, stop - held):
        candidate = scratch[ORDERED, place + held] - scratch[ORDERED, place]
        if candidate < width:
            width = candidate
            start = place
    return start, width


@growth_kernel
def find_band(scratch: np.ndarray, count: int) -> tuple[float, float]:
    """Find the resting band of a channel from some of its values.

    Args:
        scratch: float64, shape (SCRATCH_LINES, START_ROWS); the values, ascending, in ORDERED.
        count: how many.

    Returns:
        Lower and upper end: the most frequent exact value if it makes up 15 % and occurs twice;
        else, from 16 values on, the shortest interval that holds half of them, or a quarter, if
        it is narrower than a twentieth of the robust range, widened so that it holds the noise
        around an idle level; else the median.
    """
    best = 0
    best_value = scratch[ORDERED, 0]
    run = 0
    for place in range(count):
        run = run + 1 if place > 0 and scratch[ORDERED, place] == scratch[ORDERED, place - 1] else 1
        if run > best:
            best = run
            best_value = scratch[ORDERED, place]
    if best >= 2 and best >= 0.15 * count:
        return best_value, best_value
    if count >= 16:
        spread = scratch[ORDERED, count - 1 - count // 16] - scratch[ORDERED, count // 16]
        start, width = _find_narrowest(0, count, count // 2, scratch)
        if not width < 0.05 * spread:
            start, width = _find_narrowest(0, count, count // 4, scratch)
        if width < 0.05 * spread:
            # Of normal noise a half lies within 0.67 deviations: the margin makes it 3.7. If the
            # interval held more than half of the noise, it does not the second time.
            low = scratch[ORDERED, start] - 2.25 * width
            high = scratch[ORDERED, start] + 3.25 * width
            first = 0
            while scratch[ORDERED, first] < low:
                first += 1
            stop = first
            while stop < count and scratch[ORDERED, stop] <= high:
                stop += 1
            start, width = _find_narrowest(first, stop, (stop - first) // 2, scratch)
            return scratch[ORDERED, start] - 2.25 * width, scratch[ORDERED, start] + 3.25 * width
    return scratch[ORDERED, count // 2], scratch[ORDERED, count // 2]


@growth_kernel
def choose_bands(
    rows: int,
    old_low: np.ndarray,
    old_high: np.ndarray,
    start_values: np.ndarray,
    scan_low_bytes: np.ndarray,
    scan_high_bytes: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    active_values: np.ndarray,
    active_count: np.ndarray,
    reach_first: np.ndarray,
    home_row: np.ndarray,
    row_table: np.ndarray,
    edge_neurons: np.ndarray,
    weights: np.ndarray,
    slow_weights: np.ndarray,
    row_used: np.ndarray,
    free_rows: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
    meters: np.ndarray,
    random_state: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Choose the resting bands of the newest channels, and lay their sections anew.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        rows: rows stored in `start_values`, the present one included.
        old_low: float32, shape (channels,), copy of `resting_low`: the bands up to now.
        old_high: the same of `resting_high`.
        start_values: float32, shape (START_ROWS, channels), raw; what is not finite says nothing.
        scan_low_bytes: int16, shape (channels,), band in the dtype of uint8 rows, written.
        scan_high_bytes: the same for the upper end.
    """
    channels = resting_low.shape[0]
    active_now = 0
    newest = int(counters[NEW_FROM])
    for channel in range(newest, channels):
        finite = 0
        for row in range(rows):
            if abs(start_values[row, channel]) < 3e38:
                scratch[ORDERED, finite] = start_values[row, channel]
                finite += 1
        if finite > 0:
            sort_line(scratch, ORDERED, finite)
            low, high = find_band(scratch, finite)
            resting_low[channel] = low
            resting_high[channel] = high
        scan_low_bytes[channel] = int(min(max(math.ceil(resting_low[channel]), -1.0), 256.0))
        scan_high_bytes[channel] = int(min(max(math.floor(resting_high[channel]), -1.0), 256.0))
        count = 0
        for row in range(rows):
            value = np.float64(start_values[row, channel])
            offset = 0.0
            if value > resting_high[channel]:
                offset = value - resting_high[channel]
            elif value < resting_low[channel]:
                offset = value - resting_low[channel]
            if offset != 0.0 and abs(offset) < 3e37:
                active_values[channel, count] = offset
                count += 1
                if row == rows - 1:
                    active_now += 1
        active_count[channel] = count
    live = 0
    for channel in range(channels):
        live += int(active_count[channel] > 0)
    counters[LIVE_CHANNELS] = live
    meters[DRIVE_ENERGY] = max(meters[DRIVE_ENERGY], 0.6 * active_now)
    for channel in range(newest, channels):
        if active_count[channel] > 0 or section_count[channel] > 0:
            regrid_channel(
                channel, np.float64(old_low[channel]), np.float64(old_high[channel]), resting_low,
                resting_high, knots, inverse, zero_section, section_count, hot, active_values,
                active_count, reach_first, home_row, row_table, edge_neurons, weights,
                slow_weights, row_used, free_rows, counters, events, meters, random_state, scratch,
            )  # fmt: skip
