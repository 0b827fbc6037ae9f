"""What the values of watched channels tell about the targets, measured on a sample of the rows.

The sample also is what reviews know about the present: which values a channel takes now.
"""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.indices import (
    ALARM_SHORT,
    LEARNED_ROWS,
    ORDERED,
    RECENT_NEXT,
    SHARE_ALL,
    SHARE_SAMPLE,
    START_ROWS,
    WATCH_GROUPS,
)
from kyouko.kernels.shares import add_target, follow_numbers

__all__ = [
    "is_suspect",
    "keep_share",
    "rate_dependence",
    "sample_byte_rows",
    "sample_float_rows",
    "watch_channel",
]


@growth_part
def _is_chosen(row_number: int) -> bool:
    """Tell whether a row belongs to the sample: at first all, in the end a sixteenth."""
    spread = ((row_number & 0xFFFFFFFF) * 2654435769) & 0xFFFFFFFF
    limit = 0x10000000
    if row_number <= 2048:
        limit = 0x40000000
    elif row_number <= 16384:
        limit = 0x20000000
    return row_number <= 512 or spread < limit


@growth_part
def _choose_group(
    slot: int,
    sample: int,
    classes: bool,
    list_label: np.ndarray,
    list_target: np.ndarray,
    watch_targets: np.ndarray,
) -> int:
    """Put a row into one of WATCH_GROUPS groups: by its class, or by how large its number is.

    Several numbers take turns, at most four of them, with four groups each.
    """
    if classes:
        return int(np.int64(list_label[slot]) % WATCH_GROUPS)
    output = int(sample % min(list_target.shape[1], 4))
    difference = np.float64(list_target[slot, output]) - watch_targets[output, 0]
    watch_targets[output, 2] += 1.0
    rate = max(0.02, 1.0 / watch_targets[output, 2])
    watch_targets[output, 0] += rate * difference
    watch_targets[output, 1] += rate * (abs(difference) - watch_targets[output, 1])
    far = int(abs(difference) > watch_targets[output, 1])
    return output * 4 + 2 * int(difference > 0.0) + far


def _sample_rows(
    inputs: np.ndarray,
    rows: int,
    first_slot: int,
    classes: bool,
    list_label: np.ndarray,
    list_target: np.ndarray,
    start_values: np.ndarray,
    watch_low: np.ndarray,
    watch_high: np.ndarray,
    watch_sums: np.ndarray,
    watch_squares: np.ndarray,
    watch_targets: np.ndarray,
    shares: np.ndarray,
    counters: np.ndarray,
) -> None:
    """Keep the newest sampled rows, and measure the watched channels with them.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        inputs: uint8 or float32, shape (rows, channels), rows that are about to be learned.
        rows: number of rows; their targets are in the slots from `first_slot` on.
        first_slot: first list slot.
        classes: True for class labels, False for numbers.
    """
    watched = False
    for channel in range(inputs.shape[1]):
        watched |= watch_low[channel] <= watch_high[channel]
    for row in range(rows):
        if not _is_chosen(int(counters[LEARNED_ROWS] + row + 1)):
            continue
        sample = int(counters[RECENT_NEXT])
        counters[RECENT_NEXT] = (sample + 1) % START_ROWS
        if not classes:
            follow_numbers(first_slot + row, list_target, shares)
        for line in range(SHARE_ALL, SHARE_SAMPLE + 1):
            add_target(line, first_slot + row, classes, list_label, list_target, shares)
        group = _choose_group(
            first_slot + row, sample, classes, list_label, list_target, watch_targets
        )
        zero = np.float32(0.0)
        one = np.float32(1.0)
        for channel in range(inputs.shape[1]):
            start_values[sample, channel] = inputs[row, channel]
        if not watched:
            continue
        for channel in range(inputs.shape[1]):
            value = start_values[sample, channel]
            low = watch_low[channel]
            high = watch_high[channel]
            inside = (value >= low) & (value <= high)
            place = ((value - low) - (high - value)) / (high - low)
            place = place if inside else zero
            watch_sums[group, 0, channel] += one if inside else zero
            watch_sums[group, 1, channel] += place
            watch_sums[group, 2, channel] += abs(place)
            watch_squares[channel] += place * place


# A kernel is compiled for one dtype: rows are scanned and sampled as they come.
sample_byte_rows = growth_kernel(_sample_rows)
sample_float_rows = growth_kernel(_sample_rows)


@growth_kernel
def rate_dependence(channel: int, watch_sums: np.ndarray, watch_squares: np.ndarray) -> float:
    """Compare the groups of rows by their values inside a channel's watched interval.

    Returns:
        The larger of two F statistics, for the values and for their distances from the middle,
        as deviations above what chance gives: about 0 for noise. NaN with too few rows.

    Source: Fisher 1925, "Statistical Methods for Research Workers", chapter VII.
    """
    rows = 0.0
    groups = 0
    for group in range(watch_sums.shape[0]):
        rows += watch_sums[group, 0, channel]
        groups += int(watch_sums[group, 0, channel] > 0.0)
    if groups < 2 or rows < groups + 30.0:
        return np.nan
    highest = -1.0
    for moment in range(1, 3):
        total = 0.0
        explained = 0.0
        for group in range(watch_sums.shape[0]):
            count = np.float64(watch_sums[group, 0, channel])
            if count > 0.0:
                part = np.float64(watch_sums[group, moment, channel])
                total += part
                explained += part * part / count
        within = max(watch_squares[channel] - explained, 1e-6 * rows) / (rows - groups)
        between = (explained - total * total / rows) / (groups - 1)
        highest = max(highest, (between / within - 1.0) * math.sqrt(0.5 * (groups - 1)))
    return highest


@growth_part
def is_suspect(
    channel: int,
    classes: bool,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    section_count: np.ndarray,
    watch_low: np.ndarray,
    watch_high: np.ndarray,
    watch_sums: np.ndarray,
    watch_squares: np.ndarray,
    meters: np.ndarray,
) -> bool:
    """Tell whether a channel costs and seems to say nothing, in a network that predicts well.

    While the network predicts badly nobody can say what it will need: inputs of which only
    combinations tell something look like noise at first.
    """
    inside = (
        resting_low[channel] <= watch_low[channel] and resting_high[channel] >= watch_high[channel]
    )
    if section_count[channel] == 0 or inside or watch_low[channel] > watch_high[channel]:
        return False
    if not rate_dependence(channel, watch_sums, watch_squares) < 3.0:
        return False
    # Numbers: a third of 0.8, the mean absolute error of guessing the mean, in deviations.
    enough = 0.24
    if classes:
        rows = 0.0
        largest = 0.0
        for group in range(watch_sums.shape[0]):
            rows += watch_sums[group, 0, channel]
            largest = max(largest, watch_sums[group, 0, channel])
        enough = 0.6 * (1.0 - largest / rows)
    return bool(meters[ALARM_SHORT] < enough)


@growth_part
def keep_share(
    channel: int, share: np.float32, watch_sums: np.ndarray, watch_squares: np.ndarray
) -> None:
    """Forget all but a share of what was measured of a channel."""
    watch_squares[channel] *= share
    for group in range(watch_sums.shape[0]):
        for moment in range(watch_sums.shape[1]):
            watch_sums[group, moment, channel] *= share


@growth_part
def watch_channel(
    channel: int,
    count: int,
    active: int,
    scratch: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    watch_low: np.ndarray,
    watch_high: np.ndarray,
    watch_sums: np.ndarray,
    watch_squares: np.ndarray,
) -> None:
    """Choose the interval that is measured until the next review.

    A wide band is watched as long as it stays; half of what was measured is forgotten each time.
    Of a channel that is mostly active the bulk of its values is watched, measured anew each time.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        count: sampled values, in ORDERED of `scratch`, ascending if half of them are active.
        active: how many of them lie outside the resting band.
    """
    low = np.float32(1.0)
    high = np.float32(0.0)
    kept = np.float32(0.0)
    if resting_low[channel] < resting_high[channel]:
        low = resting_low[channel]
        high = resting_high[channel]
        if low == watch_low[channel] and high == watch_high[channel]:
            kept = np.float32(0.5)
    elif count >= 32 and active * 2 >= count:
        bottom = scratch[ORDERED, count // 16]
        top = scratch[ORDERED, count - 1 - count // 16]
        if bottom < top:
            low = np.float32(max(1.5 * bottom - 0.5 * top, -3e37))
            high = np.float32(min(1.5 * top - 0.5 * bottom, 3e37))
    watch_low[channel] = low
    watch_high[channel] = high
    keep_share(channel, kept, watch_sums, watch_squares)
