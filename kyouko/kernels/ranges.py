"""What active values teach about a channel's range, and when its sections grow."""

import numpy as np

from kyouko.kernels.compile import growth_part
from kyouko.kernels.indices import (
    LIVE_CHANNELS,
    ORDERED,
    OVERFLOW_VALUES,
    PHASE_NEW,
    PHASE_PRUNED,
    REGROWN_FROM,
    START_ROWS,
)
from kyouko.kernels.knots import sort_line
from kyouko.kernels.sections import append_section, regrid_channel

__all__ = ["is_laid_anew", "observe_value"]


@growth_part
def is_laid_anew(channel: int, active_count: np.ndarray) -> bool:
    """Tell whether the next active value of a channel lays its sections anew."""
    count = active_count[channel] + 1
    return bool(count == 1 or count == 4 or count == 16 or count == START_ROWS)


@growth_part
def observe_value(
    channel: int,
    value: float,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    active_values: np.ndarray,
    active_count: np.ndarray,
    overflow_values: np.ndarray,
    overflow_count: np.ndarray,
    phase: np.ndarray,
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
    """Learn a channel's range from one active value, and grow sections when that calls for it.

    The first START_ROWS active values are kept; at the 1st, 4th, 16th and 64th the sections are
    laid anew. Later a value beyond the last knot by more than a quarter of the range is remembered,
    and the eighth of them opens one more section, so a single outlier does nothing. A pruned
    channel grows again at its 16th active value.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        channel: the channel, outside its resting band.
        value: its raw value; infinite and near-overflow values teach nothing.
    """
    high = np.float64(resting_high[channel])
    low = np.float64(resting_low[channel])
    offset = value - high if value > high else value - low
    if not abs(offset) < 3e37:
        return
    count = int(np.int64(active_count[channel]))
    if count < START_ROWS:
        laid_anew = is_laid_anew(channel, active_count)
        if count == 0:
            counters[LIVE_CHANNELS] += 1
        active_values[channel, count] = offset
        count += 1
        active_count[channel] = count
        if phase[channel] == PHASE_PRUNED:
            if count < REGROWN_FROM:
                return
            phase[channel] = PHASE_NEW
        if laid_anew:
            regrid_channel(
                channel, low, high, resting_low, resting_high, knots, inverse, zero_section,
                section_count, hot, active_values, active_count, reach_first, home_row, row_table,
                edge_neurons, weights, slow_weights, row_used, free_rows, counters, events, meters,
                random_state, scratch,
            )  # fmt: skip
        return
    sections = int(np.int64(section_count[channel]))
    if sections == 0:
        return
    bottom = np.float64(knots[channel, 0])
    top = np.float64(knots[channel, sections])
    slack = 0.25 * (top - bottom)
    if offset > top + slack:
        side = 1
    elif offset < bottom - slack:
        side = 0
    else:
        return
    number = int(np.int64(overflow_count[channel, side]))
    overflow_values[channel, side, number] = offset
    overflow_count[channel, side] = number + 1
    if number + 1 < OVERFLOW_VALUES:
        return
    overflow_count[channel, side] = 0
    for place in range(OVERFLOW_VALUES):
        scratch[ORDERED, place] = overflow_values[channel, side, place]
    sort_line(scratch, ORDERED, OVERFLOW_VALUES)
    # the last but one of the eight, seen outward from the band
    end = scratch[ORDERED, OVERFLOW_VALUES - 2] if side == 1 else scratch[ORDERED, 1]
    append_section(
        channel, side, end, resting_low, resting_high, knots, inverse, zero_section,
        section_count, hot, active_count, reach_first, home_row, row_table, weights,
        slow_weights, row_used, free_rows, counters, events, scratch,
    )  # fmt: skip
