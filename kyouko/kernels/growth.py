"""Growth of the input coding: resting bands, sections, their weight rows, overflow.

Runs a few times per channel, so clarity comes before speed here, and without fast-math. A channel's
value x becomes the offset v from its resting band; sections are the intervals between ascending
knots of v, and 0 is always a knot. The drive of a section is the part of it that v has passed:
from 0 to 1 above the band, from 0 to -1 below it.
"""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.events import note_event, stop_growth
from kyouko.kernels.indices import (
    AT_REST,
    CANDIDATES,
    DRIVE_ENERGY,
    EVENT_CHANNEL_GREW,
    EVENT_SECTION_ADDED,
    FREE_ROWS,
    HOME_ROWS,
    KEPT,
    LEARNED_ROWS,
    LIVE_CHANNELS,
    MOST_SECTIONS,
    NEW_FROM,
    NEW_KNOTS,
    OLD_FAST,
    OLD_SLOW,
    ORDERED,
    OVERFLOW_VALUES,
    PHASE_NEW,
    PHASE_PRUNED,
    REGROWN_FROM,
    ROW_TOP,
    SECTIONS,
    START_ROWS,
    USED_ROWS,
)

__all__ = [
    "choose_bands",
    "count_spare_rows",
    "draw_normal",
    "draw_uniform",
    "find_band",
    "lay_sections",
    "observe_value",
    "return_row",
    "sort_line",
    "start_outputs",
]


@growth_part
def draw_uniform(random_state: np.ndarray) -> float:
    """Draw from (0, 1) with a 64-bit xorshift generator.

    Args:
        random_state: uint64, shape (1,), never zero, advanced.

    Source: Marsaglia 2003, "Xorshift RNGs", section 3, triple (13, 7, 17).
    """
    state = random_state[0]
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    random_state[0] = state
    return (np.float64(state >> np.uint64(11)) + 0.5) / 9007199254740992.0


@growth_kernel
def draw_normal(random_state: np.ndarray) -> float:
    """Draw from N(0, 1).

    Source: Box & Muller 1958, "A Note on the Generation of Random Normal Deviates".
    """
    radius = math.sqrt(-2.0 * math.log(draw_uniform(random_state)))
    return radius * math.cos(2.0 * math.pi * draw_uniform(random_state))


@growth_kernel
def start_outputs(
    output_weights: np.ndarray,
    slow_output_weights: np.ndarray,
    outputs: int,
    block_neurons: np.ndarray,
    block_width: int,
    random_state: np.ndarray,
) -> None:
    """Draw the first weights from the hidden neurons to `outputs` outputs, small and random.

    Neurons that only pad a block keep weight zero, which keeps them silent for ever.

    Args:
        output_weights: float32, shape (most outputs, blocks * block_width), written.
        slow_output_weights: the averaged copy, written.
        outputs: rows to draw.
        block_neurons: int32, shape (blocks,), real neurons of each block.
        block_width: neurons a block has room for.
        random_state: uint64, shape (1,).
    """
    neurons = 0
    for block in range(block_neurons.shape[0]):
        neurons += block_neurons[block]
    scale = 0.3 / math.sqrt(max(neurons, 1))
    for output in range(outputs):
        for block in range(block_neurons.shape[0]):
            for neuron in range(block_neurons[block]):
                weight = np.float32(scale * draw_normal(random_state))
                output_weights[output, block * block_width + neuron] = weight
                slow_output_weights[output, block * block_width + neuron] = weight


@growth_part
def sort_line(scratch: np.ndarray, line: int, count: int) -> None:
    """Sort the first `count` values of a line in place, ascending.

    Insertion sort: at most 64 values, and numpy's sort takes seconds to compile. Pass no literals:
    each would be compiled on its own.
    """
    for place in range(1, count):
        value = scratch[line, place]
        hole = place
        while hole > 0 and scratch[line, hole - 1] > value:
            scratch[line, hole] = scratch[line, hole - 1]
            hole -= 1
        scratch[line, hole] = value


@growth_part
def _take_row(home: int, row_used: np.ndarray, free_rows: np.ndarray, counters: np.ndarray) -> int:
    """Hand out a weight row; the caller has made sure that one is left."""
    if home >= 0 and row_used[home] == 0:
        row = home
    elif counters[FREE_ROWS] > 0:
        counters[FREE_ROWS] -= 1
        row = int(np.int64(free_rows[counters[FREE_ROWS]]))
    else:
        row = int(counters[ROW_TOP])
        counters[ROW_TOP] += 1
    row_used[row] = 1
    counters[USED_ROWS] += 1
    return row


@growth_part
def return_row(row: int, row_used: np.ndarray, free_rows: np.ndarray, counters: np.ndarray) -> None:
    """Take a weight row back; one that is an edge's home waits for that edge."""
    row_used[row] = 0
    counters[USED_ROWS] -= 1
    if row >= counters[HOME_ROWS]:
        free_rows[counters[FREE_ROWS]] = row
        counters[FREE_ROWS] += 1


@growth_part
def count_spare_rows(row_used: np.ndarray, counters: np.ndarray) -> int:
    """Return how many weight rows the pool can still hand out."""
    return int(row_used.shape[0] - counters[ROW_TOP] + counters[FREE_ROWS])


@growth_kernel
def _place_knots(
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
    sort_line(scratch, int(np.int64(ORDERED)), count)
    # A sixteenth at both ends is left out once that is one value: a single outlier sets no scale.
    cut = count // 16
    last = count - 2 * cut - 1
    scratch[CANDIDATES, 0] = 0.0
    number = int(np.int64(1))
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
    sort_line(scratch, int(np.int64(CANDIDATES)), number)
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
def _passed_part(offset: float, low: float, high: float) -> float:
    return min(max((offset - low) / (high - low), 0.0), 1.0)


@growth_part
def _store_knots(
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


@growth_kernel
def _regrid_channel(
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
        knot_count = _place_knots(active_values, channel, count, wanted, scratch)
    lay_sections(
        channel, knot_count, old_low, old_high, False, resting_low, resting_high, knots, inverse,
        zero_section, section_count, hot, active_count, reach_first, home_row, row_table,
        edge_neurons, weights, slow_weights, row_used, free_rows, counters, events, meters,
        random_state, scratch,
    )  # fmt: skip


@growth_kernel
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
        stop_growth(int(np.int64(1)), events, counters)
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
        note_event(
            counters[LEARNED_ROWS] + 1, int(np.int64(kind)), channel, gained, events, counters
        )

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
            at_low = _passed_part(low, old_bottom, old_top)
            at_high = _passed_part(high, old_bottom, old_top)
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
            row_table[section, edge] = _take_row(home, row_used, free_rows, counters)
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
    _store_knots(
        channel, knot_count, scratch, resting_low, resting_high, knots, inverse,
        zero_section, section_count, hot, active_count,
    )  # fmt: skip


@growth_part
def _append_section(
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
        stop_growth(int(np.int64(2)), events, counters)
        return
    if stop - first > count_spare_rows(row_used, counters):
        stop_growth(int(np.int64(1)), events, counters)
        return
    shift = 0 if upward == 1 else 1
    for place in range(sections + 1):
        scratch[NEW_KNOTS, place + shift] = knots[channel, place]
    scratch[NEW_KNOTS, sections + 1 if upward == 1 else 0] = end
    for edge in range(first, stop):
        if upward == 0:
            for section in range(sections, 0, -1):
                row_table[section, edge] = row_table[section - 1, edge]
        row = _take_row(int(np.int64(-1)), row_used, free_rows, counters)
        for neuron in range(weights.shape[1]):
            weights[row, neuron] = 0.0
            slow_weights[row, neuron] = 0.0
        row_table[sections if upward == 1 else 0, edge] = row
    counters[SECTIONS] += 1
    note_event(
        counters[LEARNED_ROWS] + 1, int(np.int64(EVENT_SECTION_ADDED)), channel,
        (stop - first) * weights.shape[1], events, counters,
    )  # fmt: skip
    _store_knots(
        channel, sections + 2, scratch, resting_low, resting_high, knots, inverse,
        zero_section, section_count, hot, active_count,
    )  # fmt: skip


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
            _regrid_channel(
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
    sort_line(scratch, int(np.int64(ORDERED)), int(np.int64(OVERFLOW_VALUES)))
    # the last but one of the eight, seen outward from the band
    end = scratch[ORDERED, OVERFLOW_VALUES - 2] if side == 1 else scratch[ORDERED, 1]
    _append_section(
        channel, side, end, resting_low, resting_high, knots, inverse, zero_section,
        section_count, hot, active_count, reach_first, home_row, row_table, weights,
        slow_weights, row_used, free_rows, counters, events, scratch,
    )  # fmt: skip


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
        finite = int(np.int64(0))  # not a literal, for which all that follows would compile anew
        for row in range(rows):
            if abs(start_values[row, channel]) < 3e38:
                scratch[ORDERED, finite] = start_values[row, channel]
                finite += 1
        if finite > 0:
            sort_line(scratch, int(np.int64(ORDERED)), finite)
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
            _regrid_channel(
                channel, np.float64(old_low[channel]), np.float64(old_high[channel]), resting_low,
                resting_high, knots, inverse, zero_section, section_count, hot, active_values,
                active_count, reach_first, home_row, row_table, edge_neurons, weights,
                slow_weights, row_used, free_rows, counters, events, meters, random_state, scratch,
            )  # fmt: skip
