"""Reviews of the resting bands: where a channel idles now, and which variation tells something.

A channel at rest costs nothing. So its band follows it when it idles elsewhere, and narrows where
values inside turn out to tell something; how bands widen over noise is in `trials`.
"""

import numpy as np

from kyouko.kernels.bands import find_band
from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.indices import (
    ALARMS,
    ORDERED,
    PHASE_NEW,
    QUIET_ALARMS,
    QUIET_ERROR,
    SHARE_COLUMNS,
    SHARE_SAMPLE,
    SHOWN_ERROR,
    START_ROWS,
    TRIAL_OFF,
    TRIAL_SILENT,
)
from kyouko.kernels.knots import sort_line
from kyouko.kernels.resting import move_band
from kyouko.kernels.shares import has_news
from kyouko.kernels.watching import keep_share, rate_dependence, watch_channel

__all__ = ["are_missed", "review_bands"]


@growth_part
def _count_active(
    start_values: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    active: np.ndarray,
) -> None:
    """Count for each channel the sampled values outside its band, row by row as they lie."""
    one = np.float64(1.0)
    zero = np.float64(0.0)
    for channel in range(active.shape[0]):
        active[channel] = 0.0
    for sample in range(START_ROWS):
        for channel in range(active.shape[0]):
            value = start_values[sample, channel]
            outside = (value < resting_low[channel]) | (value > resting_high[channel])
            active[channel] += one if outside else zero


@growth_kernel
def are_missed(shares: np.ndarray, counters: np.ndarray, meters: np.ndarray) -> bool:
    """Tell whether the silenced channels have to be heard again.

    They have to when the targets are others than those that they were found useless for, or when
    the running error has risen by half since; after a drift alarm by a quarter. An alarm alone
    says little: hard rows raise it too.

    Args are arrays of the layout table in `kyouko.domain.engine.growing.state`.
    """
    if not meters[QUIET_ERROR] > 0.0:
        return False
    rise = 0.5 * meters[QUIET_ERROR] + 0.03
    if counters[ALARMS] > counters[QUIET_ALARMS]:
        rise *= 0.5
    worse = meters[SHOWN_ERROR] > meters[QUIET_ERROR] + rise
    return bool(worse or has_news(shares))


@growth_kernel
def review_bands(
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
    overflow_count: np.ndarray,
    phase: np.ndarray,
    watch_low: np.ndarray,
    watch_high: np.ndarray,
    watch_sums: np.ndarray,
    watch_squares: np.ndarray,
    trial: np.ndarray,
    shares: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    home_row: np.ndarray,
    row_table: np.ndarray,
    edge_neurons: np.ndarray,
    weights: np.ndarray,
    slow_weights: np.ndarray,
    bias: np.ndarray,
    slow_bias: np.ndarray,
    row_used: np.ndarray,
    free_rows: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
    meters: np.ndarray,
    random_state: np.ndarray,
    scratch: np.ndarray,
    utility: np.ndarray,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
) -> None:
    """Let the resting bands follow what the sampled rows say.

    * A channel that is active in nine of ten rows, half of them in one narrow place, idles there.
    * A wide band narrows to a point when the values in it depend on the target, and where the
      channel has no sections left, also when silenced channels are missed.

    Args are arrays of the layout table in `kyouko.domain.engine.growing.state`.
    """
    missed = are_missed(shares, counters, meters)
    if missed:
        meters[QUIET_ERROR] = 0.0
    elif meters[QUIET_ERROR] > 0.0:
        meters[QUIET_ERROR] = min(meters[QUIET_ERROR], meters[SHOWN_ERROR])
    counters[QUIET_ALARMS] = counters[ALARMS]
    for column in range(SHARE_COLUMNS):
        shares[SHARE_SAMPLE, column] = 0.0
    _count_active(start_values, resting_low, resting_high, utility)
    for channel in range(resting_low.shape[0]):
        wide = resting_low[channel] < resting_high[channel]
        watched = watch_low[channel] <= watch_high[channel]
        # Of less than 32 values nothing follows, nor from less than half of those that are active.
        if not (wide or watched or utility[channel] >= 16.0):
            continue
        dependence = np.nan
        if watched:
            dependence = rate_dependence(channel, watch_sums, watch_squares)
        if not wide and dependence > 10.0 and utility[channel] < 0.9 * START_ROWS:
            # Clearly of use: no need to look closer.
            keep_share(channel, np.float32(0.5), watch_sums, watch_squares)
            continue
        count = int(np.int64(0))
        active = 0
        for sample in range(START_ROWS):
            value = start_values[sample, channel]
            if abs(value) < 3e37:
                scratch[ORDERED, count] = value
                count += 1
                active += int(value < resting_low[channel] or value > resting_high[channel])
        silent = wide and trial[channel] == TRIAL_SILENT
        low = np.float32(1.0)
        high = np.float32(0.0)
        if count >= 32 and active * 2 >= count:
            sort_line(scratch, int(np.int64(ORDERED)), count)
            bottom, top = find_band(scratch, count)
            held = 0
            for place in range(count):
                held += int(scratch[ORDERED, place] >= bottom and scratch[ORDERED, place] <= top)
            idles = held * 2 >= count and (bottom == top or not dependence >= 3.0)
            if section_count[channel] == 0:
                idles = False
            if active >= 0.9 * count and idles:
                low = np.float32(bottom)
                high = np.float32(top)
        elif (wide and dependence > 4.0) or (silent and missed):
            sort_line(scratch, int(np.int64(ORDERED)), count)
            if count > 0:
                low = np.float32(scratch[ORDERED, count // 2])
                high = low
        if low <= high:
            moved = move_band(
                channel, np.float64(low), np.float64(high), True, start_values,
                scan_low_bytes, scan_high_bytes, resting_low, resting_high, knots, inverse,
                zero_section, section_count, hot, active_values, active_count, overflow_count,
                phase, reach_first, reach_block, home_row, row_table, edge_neurons, weights,
                slow_weights, bias, slow_bias, row_used, free_rows, counters, events, meters,
                random_state, scratch, list_channel, list_value, list_length,
            )  # fmt: skip
            if moved:
                trial[channel] = TRIAL_OFF
            if moved and section_count[channel] == 0:
                phase[channel] = PHASE_NEW
        if low <= high:
            count = 0
            active = 0
            for sample in range(START_ROWS):
                value = start_values[sample, channel]
                if abs(value) < 3e37:
                    scratch[ORDERED, count] = value
                    count += 1
                    active += int(value < resting_low[channel] or value > resting_high[channel])
            sort_line(scratch, int(np.int64(ORDERED)), count)
        watch_channel(
            channel, count, active, scratch, resting_low, resting_high,
            watch_low, watch_high, watch_sums, watch_squares,
        )  # fmt: skip
