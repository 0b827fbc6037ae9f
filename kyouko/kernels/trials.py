"""Trials of the network without the inputs that seem to be noise.

For some rows the loss is also computed with the suspected channels held at their mean: all of them
together, because one of many noisy or redundant inputs alone hardly matters either way. If the
network does no worse without them, they fall silent; else those of the highest utility are cleared
and the rest is tried again.
"""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.indices import (
    ALARMS,
    FAIR_SHARE,
    KNOWN_OUTPUTS,
    LEARNED_ROWS,
    LIVE_CHANNELS,
    QUIET_ALARMS,
    QUIET_ERROR,
    SHARE_COLUMNS,
    SHARE_QUIET,
    SHARE_SAMPLE,
    SHARE_TRIAL,
    SHOWN_ERROR,
    START_ROWS,
    TRIAL_LEFT,
    TRIAL_LOSS,
    TRIAL_OFF,
    TRIAL_ON,
    TRIAL_ROUND,
    TRIAL_ROUNDS,
    TRIAL_ROWS,
    TRIAL_SILENT,
    TRIAL_SLACK,
    TRIAL_SQUARES,
    TRIAL_USUAL,
)
from kyouko.kernels.pruning import listen
from kyouko.kernels.resting import drive_at, move_band, offset_of
from kyouko.kernels.shares import cover_targets
from kyouko.kernels.watching import is_suspect, rate_dependence, watch_channel

__all__ = ["begin_trial", "end_trial"]


@growth_kernel
def rate_utilities(
    start_values: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    section_count: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    weights: np.ndarray,
    output_weights: np.ndarray,
    utility: np.ndarray,
    heard: np.ndarray,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    counters: np.ndarray,
) -> None:
    """Estimate by how much each channel's variation in the sampled rows moves the scores.

    Like the utility of `prune_channels`, but with the variance of the drives in place of their
    mean square: a channel that is always driven alike says as little as one at rest.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        utility: float64, shape (channels,), written.
    """
    width = weights.shape[1]
    known = int(counters[KNOWN_OUTPUTS])
    listen(known, width, weights, output_weights, inner_first, inner_source, heard)
    for channel in range(resting_low.shape[0]):
        utility[channel] = 0.0
        for section in range(int(np.int64(section_count[channel]))):
            total = 0.0
            squares = 0.0
            for sample in range(START_ROWS):
                offset = offset_of(
                    np.float64(start_values[sample, channel]), np.float64(resting_low[channel]),
                    np.float64(resting_high[channel]),
                )  # fmt: skip
                drive = drive_at(offset, channel, section, knots)
                total += drive
                squares += drive * drive
            variance = squares / START_ROWS - (total / START_ROWS) ** 2
            for edge in range(reach_first[channel], reach_first[channel + 1]):
                start = reach_block[edge] * width
                row = row_table[section, edge]
                for neuron in range(width):
                    weight = np.float64(weights[row, neuron])
                    utility[channel] += variance * weight * weight * heard[start + neuron]


@growth_part
def _start_rounds(
    start_values: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    section_count: np.ndarray,
    trial: np.ndarray,
    trial_drive: np.ndarray,
    shares: np.ndarray,
    counters: np.ndarray,
    meters: np.ndarray,
) -> None:
    """Hold the channels on trial at their mean drives in the rows to come."""
    for channel in range(trial.shape[0]):
        sections = section_count[channel] if trial[channel] == TRIAL_ON else 0
        for section in range(sections):
            total = 0.0
            for sample in range(START_ROWS):
                offset = offset_of(
                    np.float64(start_values[sample, channel]), np.float64(resting_low[channel]),
                    np.float64(resting_high[channel]),
                )  # fmt: skip
                total += drive_at(offset, channel, section, knots)
            rest = drive_at(0.0, channel, section, knots)
            trial_drive[channel, section] = total / START_ROWS - rest
    meters[TRIAL_LOSS] = 0.0
    meters[TRIAL_SQUARES] = 0.0
    meters[TRIAL_USUAL] = 0.0
    for column in range(SHARE_COLUMNS):
        shares[SHARE_TRIAL, column] = 0.0
    counters[TRIAL_LEFT] = TRIAL_ROWS if counters[LEARNED_ROWS] < 1000 else 2 * TRIAL_ROWS
    counters[TRIAL_ROUND] += 1


@growth_kernel
def begin_trial(
    classes: bool,
    start_values: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    section_count: np.ndarray,
    watch_low: np.ndarray,
    watch_high: np.ndarray,
    watch_sums: np.ndarray,
    watch_squares: np.ndarray,
    trial: np.ndarray,
    trial_drive: np.ndarray,
    shares: np.ndarray,
    counters: np.ndarray,
    meters: np.ndarray,
) -> None:
    """Put all suspected channels on trial, unless one is going on or they are too few to cost much.

    Suspicions wait while the sampled targets are more alike than usual.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        classes: True for class labels, False for numbers.
    """
    if counters[TRIAL_LEFT] > 0:
        return
    if cover_targets(int(np.int64(SHARE_SAMPLE)), shares) < FAIR_SHARE:
        return
    suspects = 0
    dependence = 0.0
    for channel in range(trial.shape[0]):
        suspected = is_suspect(
            channel, classes, resting_low, resting_high, section_count, watch_low, watch_high,
            watch_sums, watch_squares, meters,
        )  # fmt: skip
        if suspected:
            trial[channel] = TRIAL_ON
            suspects += 1
            dependence += rate_dependence(channel, watch_sums, watch_squares)
        elif trial[channel] == TRIAL_ON:
            trial[channel] = TRIAL_OFF
    if suspects * 64 < counters[LIVE_CHANNELS]:
        for channel in range(trial.shape[0]):
            if trial[channel] == TRIAL_ON:
                trial[channel] = TRIAL_OFF
        suspects = 0
    if suspects == 0:
        return
    # Half a deviation is what chance gives on average. Many suspects that together show no more are
    # noise almost surely, and weigh more as a burden: silence may then cost a little.
    many = suspects >= 32 and dependence / suspects < 0.5 + 1.0 / math.sqrt(suspects)
    meters[TRIAL_SLACK] = 0.03 if many else 0.003
    counters[TRIAL_ROUND] = 0
    _start_rounds(
        start_values, resting_low, resting_high, knots, section_count, trial, trial_drive, shares,
        counters, meters,
    )  # fmt: skip


@growth_kernel
def end_trial(
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
    trial_drive: np.ndarray,
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
    output_weights: np.ndarray,
    row_used: np.ndarray,
    free_rows: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
    meters: np.ndarray,
    random_state: np.ndarray,
    scratch: np.ndarray,
    utility: np.ndarray,
    heard: np.ndarray,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
) -> None:
    """Silence the channels on trial if they were not missed, else try again with fewer.

    A trial whose targets were more alike than usual says nothing: the next review may repeat it.

    Args are arrays of the layout table in `kyouko.domain.engine.growing.state`.
    """
    if cover_targets(int(np.int64(SHARE_TRIAL)), shares) < FAIR_SHARE:
        for channel in range(trial.shape[0]):
            if trial[channel] == TRIAL_ON:
                trial[channel] = TRIAL_OFF
        return
    # one standard error on the safe side
    harm = meters[TRIAL_LOSS] + math.sqrt(meters[TRIAL_SQUARES])
    if harm <= meters[TRIAL_SLACK] * meters[TRIAL_USUAL]:
        for channel in range(trial.shape[0]):
            low = np.float64(watch_low[channel])
            high = np.float64(watch_high[channel])
            if trial[channel] == TRIAL_ON and section_count[channel] > 0 and low < high:
                move_band(
                    channel, low, high, False, start_values, scan_low_bytes, scan_high_bytes,
                    resting_low, resting_high, knots, inverse, zero_section, section_count, hot,
                    active_values, active_count, overflow_count, phase, reach_first, reach_block,
                    home_row, row_table, edge_neurons, weights, slow_weights, bias, slow_bias,
                    row_used, free_rows, counters, events, meters, random_state, scratch,
                    list_channel, list_value, list_length,
                )  # fmt: skip
                trial[channel] = TRIAL_SILENT
                watch_channel(
                    channel, int(np.int64(0)), 0, scratch, resting_low, resting_high,
                    watch_low, watch_high, watch_sums, watch_squares,
                )  # fmt: skip
        meters[QUIET_ERROR] = meters[SHOWN_ERROR]
        counters[QUIET_ALARMS] = counters[ALARMS]
        for column in range(SHARE_COLUMNS):
            shares[SHARE_QUIET, column] = shares[SHARE_TRIAL, column]
        return
    rate_utilities(
        start_values, resting_low, resting_high, knots, section_count, reach_first, reach_block,
        row_table, weights, output_weights, utility, heard, inner_first, inner_source, counters,
    )  # fmt: skip
    total = 0.0
    suspects = 0
    for channel in range(trial.shape[0]):
        if trial[channel] == TRIAL_ON:
            total += utility[channel]
            suspects += 1
    remaining = 0
    for channel in range(trial.shape[0]):
        # Written so that a NaN, from weights near overflow, clears the channel.
        if trial[channel] == TRIAL_ON and utility[channel] * suspects < total:
            remaining += 1
        elif trial[channel] == TRIAL_ON:
            trial[channel] = TRIAL_OFF
    if remaining > 0 and counters[TRIAL_ROUND] < TRIAL_ROUNDS:
        _start_rounds(
            start_values, resting_low, resting_high, knots, section_count, trial, trial_drive,
            shares, counters, meters,
        )  # fmt: skip
