"""Resting bands that move after the start-up, without changing the function outside them."""

import math

import numpy as np

from kyouko.kernels.compile import growth_part
from kyouko.kernels.events import note_event
from kyouko.kernels.indices import (
    AT_REST,
    CANDIDATES,
    EVENT_BAND_MOVED,
    EVENT_CHANNEL_PRUNED,
    LEARNED_ROWS,
    LIVE_CHANNELS,
    NEW_KNOTS,
    PHASE_PRUNED,
    PRUNED_ROWS,
    RING_FILLED,
    START_ROWS,
)
from kyouko.kernels.knots import sort_line
from kyouko.kernels.pool import count_spare_rows
from kyouko.kernels.sections import lay_sections

__all__ = ["drive_at", "move_band", "offset_of"]


@growth_part
def drive_at(offset: float, channel: int, section: int, knots: np.ndarray) -> float:
    """Return the part of a section that an offset from the band has passed, 0 to 1."""
    low = np.float64(knots[channel, section])
    high = np.float64(knots[channel, section + 1])
    return min(max((offset - low) / (high - low), 0.0), 1.0)


@growth_part
def offset_of(value: float, low: float, high: float) -> float:
    """Return how far a value lies outside a band, 0 inside; a missing one is inside."""
    if value > high:
        return min(value - high, 3e37)
    if value < low:
        return max(value - low, -3e37)
    return 0.0


@growth_part
def _place_moved_knots(
    channel: int,
    old_low: float,
    old_high: float,
    low: float,
    high: float,
    knots: np.ndarray,
    section_count: np.ndarray,
    scratch: np.ndarray,
) -> int:
    """Write what is left of a channel's knots, seen from its new band, to NEW_KNOTS.

    Returns:
        The number of knots, ascending, 0 among them.
    """
    scratch[CANDIDATES, 0] = 0.0
    number = 1
    sections = int(np.int64(section_count[channel]))
    for place in range(sections + 1):
        knot = np.float64(knots[channel, place])
        # The old band's two ends are where 0 was.
        for end in range(2):
            if knot == 0.0:
                value = old_low if end == 0 else old_high
            elif end == 0:
                value = knot + (old_high if knot > 0.0 else old_low)
            else:
                continue
            offset = offset_of(value, low, high)
            if sections > 0 and offset != 0.0:
                scratch[CANDIDATES, number] = offset
                number += 1
    sort_line(scratch, CANDIDATES, number)
    # Knots too close for float32, and those beyond what a channel should carry along, go: the
    # nearest to their neighbours first, never the ends and never 0.
    while number > 2:
        span = scratch[CANDIDATES, number - 1] - scratch[CANDIDATES, 0]
        closest = 1e-4 * span if number <= 20 else span
        leaving = -1
        for place in range(number):
            if scratch[CANDIDATES, place] == 0.0:
                continue
            gap = span
            if place > 0:
                gap = scratch[CANDIDATES, place] - scratch[CANDIDATES, place - 1]
            if place < number - 1:
                gap = min(gap, scratch[CANDIDATES, place + 1] - scratch[CANDIDATES, place])
            inside = place > 0 and place < number - 1
            if gap <= closest and (inside or gap <= 1e-4 * span):
                closest = gap
                leaving = place
        if leaving < 0:
            break
        number -= 1
        for place in range(leaving, number):
            scratch[CANDIDATES, place] = scratch[CANDIDATES, place + 1]
    for place in range(number):
        scratch[NEW_KNOTS, place] = scratch[CANDIDATES, place]
    return number


@growth_part
def move_band(
    channel: int,
    low: float,
    high: float,
    learn_range: bool,
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
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
) -> bool:
    """Move a channel's resting band without changing the function outside the new one.

    What the channel's sections gave on average inside the new band goes into the biases. Where
    nothing is left outside, the channel loses its sections and waits like a pruned one.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        channel: the channel.
        low: lower end of the new band, representable in float32.
        high: upper end of it.
        learn_range: whether values to come lay the sections anew: the old ones ended elsewhere.

    Returns:
        Whether the pool had room for the sections.
    """
    old_low = np.float64(resting_low[channel])
    old_high = np.float64(resting_high[channel])
    sections = int(np.int64(section_count[channel]))
    first = int(np.int64(reach_first[channel]))
    stop = int(np.int64(reach_first[channel + 1]))
    number = _place_moved_knots(
        channel, old_low, old_high, low, high, knots, section_count, scratch
    )
    if (number - 1 - sections) * (stop - first) > count_spare_rows(row_used, counters):
        return False
    for section in range(sections):
        total = 0.0
        inside = 0
        for sample in range(START_ROWS):
            value = np.float64(start_values[sample, channel])
            if value >= low and value <= high:
                offset = offset_of(value, old_low, old_high)
                total += drive_at(offset, channel, section, knots)
                inside += 1
        middle = offset_of(0.5 * low + 0.5 * high, old_low, old_high)
        share = total / inside if inside > 0 else drive_at(middle, channel, section, knots)
        scratch[AT_REST, section] = share
        share -= drive_at(0.0, channel, section, knots)
        for edge in range(first, stop):
            block = reach_block[edge]
            row = row_table[section, edge]
            for neuron in range(weights.shape[1]):
                bias[block, neuron] += np.float32(share * weights[row, neuron])
                slow_bias[block, neuron] += np.float32(share * slow_weights[row, neuron])
    resting_low[channel] = low
    resting_high[channel] = high
    scan_low_bytes[channel] = int(min(max(math.ceil(resting_low[channel]), -1.0), 256.0))
    scan_high_bytes[channel] = int(min(max(math.floor(resting_high[channel]), -1.0), 256.0))
    overflow_count[channel, 0] = 0
    overflow_count[channel, 1] = 0
    live_before = int(active_count[channel] > 0)
    if sections > 0 and number > 1 and (learn_range or active_count[channel] < START_ROWS):
        # What is left of the knots stands for the values seen so far.
        active_count[channel] = 16
        place = 0
        for count in range(16):
            if scratch[NEW_KNOTS, place] == 0.0:
                place = (place + 1) % number
            active_values[channel, count] = scratch[NEW_KNOTS, place]
            place = (place + 1) % number
    lay_sections(
        channel, number if sections > 0 else 0, old_low, old_high, True, resting_low, resting_high,
        knots, inverse, zero_section, section_count, hot, active_count, reach_first, home_row,
        row_table, edge_neurons, weights, slow_weights, row_used, free_rows, counters, events,
        meters, random_state, scratch,
    )  # fmt: skip
    lost = sections - int(np.int64(section_count[channel]))
    kind = EVENT_BAND_MOVED
    if lost > 0 and lost == sections:
        kind = EVENT_CHANNEL_PRUNED
        counters[PRUNED_ROWS] += lost * (stop - first)
    note_event(
        counters[LEARNED_ROWS], kind, channel,
        -np.int64(stop - first) * lost * weights.shape[1], events, counters,
    )  # fmt: skip
    if section_count[channel] == 0:
        active_count[channel] = 0
        phase[channel] = PHASE_PRUNED
    counters[LIVE_CHANNELS] += int(active_count[channel] > 0) - live_before
    # Rehearsed rows list what was outside the old band: where the channel idled then is now news.
    idle = np.float32(0.5 * old_low + 0.5 * old_high)
    narrower = old_low <= low and high <= old_high
    if (idle < low or idle > high) and not narrower:
        for slot in range(counters[RING_FILLED]):
            length = int(np.int64(list_length[slot]))
            listed = False
            for item in range(length):
                listed = listed or list_channel[slot, item] == channel
            if not listed:
                list_channel[slot, length] = channel
                list_value[slot, length] = idle
                list_length[slot] = length + 1
    return True
