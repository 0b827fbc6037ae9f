"""Removal of channels whose connections hardly ever matter, so that others can grow.

The drives of a sixteenth of the rows are summed up by channel; a review now and then removes the
channels whose utility lies far below the mean. A removed channel rests in peace for its next
sixteen active values and may then grow anew.
"""

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.events import note_event
from kyouko.kernels.indices import (
    EVENT_CHANNEL_PRUNED,
    GROWTH_STOPPED,
    KNOWN_OUTPUTS,
    LEARNED_ROWS,
    LIVE_CHANNELS,
    PHASE_PRUNED,
    PHASE_REVIEWED,
    PRUNED_ROWS,
    SECTIONS,
)
from kyouko.kernels.pool import return_row

__all__ = ["add_use", "is_sampled", "listen", "prune_channels"]


@growth_part
def is_sampled(row_number: int) -> bool:
    """Tell whether a row is one of the sixteenth whose drives are summed up.

    Multiples of the golden ratio spread evenly, whatever period the rows themselves may have.
    """
    spread = (row_number & 0xFFFFFFFF) * 2654435769
    return (spread & 0xFFFFFFFF) < 0x10000000


@growth_part
def add_use(
    slot: int,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    use: np.ndarray,
) -> None:
    """Add the squared drives of one row's active channels to `use`."""
    one = np.float32(1.0)
    for item in range(list_length[slot]):
        channel = np.uint32(list_channel[slot, item])
        value = list_value[slot, item]
        if value >= hot[channel, 3] and value <= hot[channel, 4]:
            # One frozen section: its record is in the cache.
            band_end = hot[channel, 6] if value > hot[channel, 6] else hot[channel, 5]
            drive = (value - band_end - hot[channel, 0]) * hot[channel, 1]
            drive = min(max(drive, np.float32(0.0)), one) - hot[channel, 2]
            use[channel] += drive * drive
            continue
        up = value > resting_high[channel]
        offset = value - resting_high[channel] if up else value - resting_low[channel]
        first = zero_section[channel] if up else 0
        stop = section_count[channel] if up else zero_section[channel]
        total = np.float32(0.0)
        for section in range(first, stop):
            near = knots[channel, section] if up else knots[channel, section + 1]
            drive = abs((offset - near) * inverse[channel, section])
            if (offset > near) == up:
                drive = min(drive, one)
                total += drive * drive
        use[channel] += total


@growth_part
def listen(
    known: int,
    width: int,
    weights: np.ndarray,
    output_weights: np.ndarray,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    heard: np.ndarray,
) -> None:
    """Find what each hidden neuron moves the scores by, also through others, and write `heard`."""
    for neuron in range(heard.shape[0]):
        heard[neuron] = 0.0
        for output in range(known):
            weight = np.float64(output_weights[output, neuron])
            heard[neuron] += weight * weight
    blocks = inner_first.shape[0] - 1
    for back in range(blocks):
        block = blocks - 1 - back
        for edge in range(inner_first[block], inner_first[block + 1]):
            for neuron in range(width):
                weight = np.float64(weights[edge, neuron])
                heard[inner_source[edge]] += weight * weight * heard[block * width + neuron]


@growth_kernel
def prune_channels(
    resting_low: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    active_count: np.ndarray,
    overflow_count: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    weights: np.ndarray,
    row_used: np.ndarray,
    free_rows: np.ndarray,
    output_weights: np.ndarray,
    use: np.ndarray,
    utility: np.ndarray,
    heard: np.ndarray,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    phase: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
) -> None:
    """Remove the sections of rarely driven channels of little utility.

    The utility of a channel is E[d^2] * sum_j w_j^2 * sum_c v_cj^2 over its weight rows w and the
    output weights v of neuron j: what it moves the scores by. Neurons that j leads to count in the
    same way. Removed is what lies below a
    hundredth of the mean utility and a tenth of the mean E[d^2]: beside one that dominates, others
    that are driven all the time would only grow again at once. A channel that has grown since the
    last review is not judged yet. Afterwards half of what was summed up is forgotten.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        utility: float64, shape (channels,), written.
        heard: float64, shape (blocks * block width,), written.
    """
    width = weights.shape[1]
    known = int(counters[KNOWN_OUTPUTS])
    listen(known, width, weights, output_weights, inner_first, inner_source, heard)
    judged = 0
    total = 0.0
    total_use = 0.0
    for channel in range(resting_low.shape[0]):
        utility[channel] = 0.0
        if section_count[channel] == 0:
            continue
        for edge in range(reach_first[channel], reach_first[channel + 1]):
            start = reach_block[edge] * width
            for neuron in range(width):
                for section in range(section_count[channel]):
                    weight = np.float64(weights[row_table[section, edge], neuron])
                    utility[channel] += weight * weight * heard[start + neuron]
        utility[channel] *= use[channel]
        if phase[channel] == PHASE_REVIEWED:
            judged += 1
            total += utility[channel]
            total_use += use[channel]
    for channel in range(resting_low.shape[0]):
        if section_count[channel] == 0:
            continue
        if phase[channel] != PHASE_REVIEWED:
            phase[channel] = PHASE_REVIEWED
            use[channel] = 0.0
            continue
        rare = use[channel] * judged < 0.1 * total_use
        use[channel] *= 0.5
        # Written so that a NaN, from weights near overflow, removes nothing.
        if not (rare and utility[channel] * judged < 0.01 * total):
            continue
        sections = int(np.int64(section_count[channel]))
        for edge in range(reach_first[channel], reach_first[channel + 1]):
            for section in range(sections):
                row = int(np.int64(row_table[section, edge]))
                return_row(row, row_used, free_rows, counters)
                row_table[section, edge] = 0
                counters[PRUNED_ROWS] += 1
        counters[SECTIONS] -= sections
        edges = reach_first[channel + 1] - reach_first[channel]
        note_event(
            counters[LEARNED_ROWS], EVENT_CHANNEL_PRUNED, channel,
            -np.int64(edges) * sections * width, events, counters,
        )  # fmt: skip
        counters[LIVE_CHANNELS] -= int(active_count[channel] > 0)
        if counters[GROWTH_STOPPED] == 1:
            counters[GROWTH_STOPPED] = 0  # there is room again
        section_count[channel] = 0
        active_count[channel] = 0
        overflow_count[channel, 0] = 0
        overflow_count[channel, 1] = 0
        hot[channel, 3] = 1.0
        hot[channel, 4] = 0.0
        use[channel] = 0.0
        phase[channel] = PHASE_PRUNED
