"""Growth of a channel's sections and their weight rows: laid anew, or one more at an end.

Runs a few times per channel, so clarity comes before speed here, and without fast-math. What
sections are is told in `knots`.
"""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.events import note_event, stop_growth
from kyouko.kernels.indices import (
    AT_REST,
    DRIVE_ENERGY,
    EVENT_CHANNEL_GREW,
    EVENT_SECTION_ADDED,
    LEARNED_ROWS,
    LIVE_CHANNELS,
    MOST_SECTIONS,
    NEW_KNOTS,
    OLD_FAST,
    OLD_SLOW,
    SECTIONS,
)
from kyouko.kernels.knots import passed_part, place_knots, store_knots
from kyouko.kernels.pool import count_spare_rows, return_row, take_row
from kyouko.kernels.randomness import draw_normal

__all__ = ["append_section", "lay_sections", "regrid_channel"]


@growth_kernel
def regrid_channel(
    channel: int,
    old_low: float,
    old_high: float,
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
    """Lay a channel's sections anew over its active values without changing the function.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        channel: the channel.
        old_low: lower end of the resting band to which the present knots refer.
        old_high: upper end of it.
    """
    count = int(np.int64(active_count[channel]))
    live = max(int(counters[LIVE_CHANNELS]), 1)
    wanted = min(max(int(128.0 / live + 0.5), 1), 16)
    wanted = min(wanted, max(1, count // 4))
    knot_count = 0
    if count > 0:
        knot_count = place_knots(active_values, channel, count, wanted, scratch)
    lay_sections(
        channel, knot_count, old_low, old_high, False, resting_low, resting_high, knots, inverse,
        zero_section, section_count, hot, active_count, reach_first, home_row, row_table,
        edge_neurons, weights, slow_weights, row_used, free_rows, counters, events, meters,
        random_state, scratch,
    )  # fmt: skip


@growth_part
def lay_sections(
    channel: int,
    knot_count: int,
    old_low: float,
    old_high: float,
    moved: bool,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
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
    """Give a channel new sections without changing the function at their ends.

    Each new weight row is the change that the old sections made over the new section's interval.
    A channel's first sections get random rows scaled so that a row of inputs gives a sum of about
    unit variance.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        channel: the channel; its new resting band is already in place.
        knot_count: ends of the new sections, offsets from the new band, in NEW_KNOTS of `scratch`.
        old_low: lower end of the resting band to which the present knots refer.
        old_high: upper end of it.
        moved: whether the function at rest is that of AT_REST in `scratch`, the drive of each old
            section as a share from 0 to 1; else that of the band's ends.
    """
    old_sections = int(np.int64(section_count[channel]))
    new_sections = max(knot_count - 1, 0)
    first = int(np.int64(reach_first[channel]))
    stop = int(np.int64(reach_first[channel + 1]))
    needed = (new_sections - old_sections) * (stop - first)
    if old_sections == 0 and new_sections > 0 and stop > first and home_row[first] >= 0:
        needed -= stop - first
    if needed > count_spare_rows(row_used, counters):
        stop_growth(1, events, counters)
        new_sections = old_sections
        knot_count = old_sections + 1 if old_sections > 0 else 0
        for place in range(knot_count):
            scratch[NEW_KNOTS, place] = knots[channel, place]
        old_low = resting_low[channel]
        old_high = resting_high[channel]
    counters[SECTIONS] += new_sections - old_sections
    if new_sections != old_sections and not moved:
        kind = EVENT_CHANNEL_GREW if old_sections == 0 else EVENT_SECTION_ADDED
        gained = (new_sections - old_sections) * (stop - first) * weights.shape[1]
        note_event(counters[LEARNED_ROWS] + 1, kind, channel, gained, events, counters)

    # share[a, c]: change of old section c's drive between the ends of new section a
    same_band = old_low == resting_low[channel] and old_high == resting_high[channel]
    for section in range(new_sections):
        low = scratch[NEW_KNOTS, section]
        high = scratch[NEW_KNOTS, section + 1]
        if not same_band:
            low += resting_high[channel] if low >= 0.0 else resting_low[channel]
            high += resting_high[channel] if high > 0.0 else resting_low[channel]
            low = max(low - old_high, 0.0) + min(low - old_low, 0.0)
            high = max(high - old_high, 0.0) + min(high - old_low, 0.0)
        for old in range(old_sections):
            old_bottom = np.float64(knots[channel, old])
            old_top = np.float64(knots[channel, old + 1])
            at_low = passed_part(low, old_bottom, old_top)
            at_high = passed_part(high, old_bottom, old_top)
            if moved and scratch[NEW_KNOTS, section] == 0.0:
                at_low = scratch[AT_REST, old]
            if moved and scratch[NEW_KNOTS, section + 1] == 0.0:
                at_high = scratch[AT_REST, old]
            scratch[section, old] = at_high - at_low
    width = weights.shape[1]
    scale = 0.6 / math.sqrt(max(meters[DRIVE_ENERGY], 1e-3) * max(new_sections, 1))
    for edge in range(first, stop):
        for section in range(old_sections, new_sections):
            home = int(np.int64(home_row[edge])) if section == 0 else -1
            row_table[section, edge] = take_row(home, row_used, free_rows, counters)
        for neuron in range(width):
            for old in range(old_sections):
                scratch[OLD_FAST, old] = weights[row_table[old, edge], neuron]
                scratch[OLD_SLOW, old] = slow_weights[row_table[old, edge], neuron]
            for section in range(new_sections):
                fast = 0.0
                slow = 0.0
                for old in range(old_sections):
                    fast += scratch[section, old] * scratch[OLD_FAST, old]
                    slow += scratch[section, old] * scratch[OLD_SLOW, old]
                if old_sections == 0 and neuron < edge_neurons[edge]:
                    fast = scale * draw_normal(random_state)
                    slow = fast
                weights[row_table[section, edge], neuron] = fast
                slow_weights[row_table[section, edge], neuron] = slow
        for section in range(new_sections, old_sections):
            return_row(int(np.int64(row_table[section, edge])), row_used, free_rows, counters)
            row_table[section, edge] = 0
    store_knots(
        channel, knot_count, scratch, resting_low, resting_high, knots, inverse,
        zero_section, section_count, hot, active_count,
    )  # fmt: skip


@growth_part
def append_section(
    channel: int,
    upward: int,
    end: float,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    active_count: np.ndarray,
    reach_first: np.ndarray,
    home_row: np.ndarray,
    row_table: np.ndarray,
    weights: np.ndarray,
    slow_weights: np.ndarray,
    row_used: np.ndarray,
    free_rows: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Add a section with zero weights beyond the last knot; nothing learned is rescaled."""
    sections = int(np.int64(section_count[channel]))
    first = int(np.int64(reach_first[channel]))
    stop = int(np.int64(reach_first[channel + 1]))
    if sections >= MOST_SECTIONS:
        stop_growth(2, events, counters)
        return
    if stop - first > count_spare_rows(row_used, counters):
        stop_growth(1, events, counters)
        return
    shift = 0 if upward == 1 else 1
    for place in range(sections + 1):
        scratch[NEW_KNOTS, place + shift] = knots[channel, place]
    scratch[NEW_KNOTS, sections + 1 if upward == 1 else 0] = end
    for edge in range(first, stop):
        if upward == 0:
            for section in range(sections, 0, -1):
                row_table[section, edge] = row_table[section - 1, edge]
        row = take_row(-1, row_used, free_rows, counters)
        for neuron in range(weights.shape[1]):
            weights[row, neuron] = 0.0
            slow_weights[row, neuron] = 0.0
        row_table[sections if upward == 1 else 0, edge] = row
    counters[SECTIONS] += 1
    note_event(
        counters[LEARNED_ROWS] + 1, EVENT_SECTION_ADDED, channel,
        (stop - first) * weights.shape[1], events, counters,
    )  # fmt: skip
    store_knots(
        channel, sections + 2, scratch, resting_low, resting_high, knots, inverse,
        zero_section, section_count, hot, active_count,
    )  # fmt: skip
