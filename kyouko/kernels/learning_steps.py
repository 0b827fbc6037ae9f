"""What is done with one row in one turn of `learning`, but for the passes and the step."""

import numpy as np

from kyouko.kernels.averaging import average_when_due
from kyouko.kernels.compile import hot_piece
from kyouko.kernels.drives import push_plain, push_sections
from kyouko.kernels.forward import softmax
from kyouko.kernels.indices import (
    DRIVE_ENERGY,
    KNOWN_OUTPUTS,
    LEARNED_ROWS,
    REHEARSAL_STEPS,
    SECTIONS,
    UPDATED_ROWS,
)
from kyouko.kernels.monitoring import follow_errors, watch_drift
from kyouko.kernels.pruning import add_use, is_sampled
from kyouko.kernels.ranges import is_laid_anew, observe_value
from kyouko.kernels.rehearsal import keep_row
from kyouko.kernels.scoring import open_outputs, score_class, score_numbers, subtract_targets
from kyouko.kernels.spiking import add_traces, forget_channel, keep_spikes
from kyouko.kernels.targets import track_targets

__all__ = ["finish_row", "follow_drives", "push_row", "score_row"]


@hot_piece
def push_row(
    slot: int,
    observe: bool,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    others: np.ndarray,
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
    reach_block: np.ndarray,
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
    inner_source: np.ndarray,
    inner_length: np.ndarray,
    spiking: np.ndarray,
    trace_row: np.ndarray,
    trace_drive: np.ndarray,
    trace_length: np.ndarray,
    trace_place: np.ndarray,
) -> float:
    """Fill the buckets with all that a row drives; the coding grows by what is new in it.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        slot: list slot of the row.
        observe: whether the row's values are new to the coding.

    Returns:
        The sum of squared drives.
    """
    spikes = spiking.shape[0] > 0
    left, energy = push_plain(
        slot, list_channel, list_value, list_length, hot, reach_first, reach_block, row_table,
        bucket_row, bucket_drive, bucket_length, others,
    )  # fmt: skip
    if observe and left > 0 and counters[SECTIONS] == 0:
        meters[DRIVE_ENERGY] = max(meters[DRIVE_ENERGY], 0.6 * left)
    for other in range(left):
        # 64 bits, as everywhere: a second width would compile all that follows twice.
        channel = int(np.int64(list_channel[slot, others[other]]))
        value = np.float64(list_value[slot, others[other]])
        if observe:
            if spikes and is_laid_anew(channel, active_count):
                forget_channel(
                    channel, reach_first, row_table, section_count, trace_row, trace_drive,
                    trace_length, trace_place,
                )  # fmt: skip
            observe_value(
                channel, value, resting_low, resting_high, knots, inverse, zero_section,
                section_count, hot, active_values, active_count, overflow_values, overflow_count,
                phase, reach_first, home_row, row_table, edge_neurons, weights, slow_weights,
                row_used, free_rows, counters, events, meters, random_state, scratch,
            )  # fmt: skip
        energy += push_sections(
            channel, value, resting_low, resting_high, knots, inverse, zero_section, section_count,
            reach_first, reach_block, row_table, bucket_row, bucket_drive, bucket_length,
        )  # fmt: skip
    if spikes or inner_source.shape[0] > 0:
        add_traces(
            spiking, trace_row, trace_drive, trace_length, trace_place, inner_length, bucket_row,
            bucket_drive, bucket_length,
        )  # fmt: skip
    return energy


@hot_piece
def follow_drives(
    slot: int,
    energy: float,
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
    counters: np.ndarray,
    meters: np.ndarray,
) -> None:
    """Count a fresh row, and follow what rows drive: in all, and by channel.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        slot: list slot of the row.
        energy: sum of its squared drives.
    """
    counters[LEARNED_ROWS] += 1
    row_number = counters[LEARNED_ROWS]
    if is_sampled(row_number):
        add_use(
            slot, list_channel, list_value, list_length, resting_low, resting_high, knots, inverse,
            zero_section, section_count, hot, use,
        )  # fmt: skip
    if row_number <= 2000:
        rate = max(0.002, 1.0 / row_number)
        meters[DRIVE_ENERGY] += rate * (energy - meters[DRIVE_ENERGY])


@hot_piece
def score_row(
    place: int,
    slot: int,
    fresh: bool,
    compare: bool,
    use_slow: bool,
    classes: bool,
    settings: np.ndarray,
    list_label: np.ndarray,
    list_target: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
    scores: np.ndarray,
    slow_scores: np.ndarray,
    delta: np.ndarray,
    outputs: np.ndarray,
    losses: np.ndarray,
    correct: np.ndarray,
    predicted: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
    meters: np.ndarray,
) -> tuple[float, float, float]:
    """Set `delta` to the loss's derivatives by the scores; hand out what a fresh row got.

    Besides the arguments of `learn_rows` and `score_class`:
        slot: list slot of the row.
        fresh: whether the row is predicted now, and not learned again.

    Returns:
        The row's error, 0 to 1; of a fresh row also loss and error of what was handed out.
    """
    known = int(counters[KNOWN_OUTPUTS])
    shown_loss = 0.0
    shown_error = 0.0
    if classes:
        label = int(np.int64(list_label[slot]))
        softmax(scores, known, delta)
        if fresh:
            shown_loss, shown_error = score_class(
                place, label, known, compare, use_slow, settings, delta, slow_scores, outputs,
                losses, correct, predicted, meters,
            )  # fmt: skip
            if label >= known:
                open_outputs(label, known, scores, delta, counters, events)
        missing = 1.0 - np.float64(delta[label])
        list_target[slot, 0] = missing
        delta[label] -= np.float32(1.0)
        return missing, shown_loss, shown_error
    error = subtract_targets(slot, known, list_target, scale_mean, scale_deviation, scores, delta)
    if fresh:
        has_unit = counters[LEARNED_ROWS] > 1
        # Without a second target there is no unit: nothing to learn yet.
        error = error if has_unit else 0.0
        shown_loss = score_numbers(
            place, slot, known, compare, use_slow, has_unit, settings, list_target, scale_mean,
            scale_deviation, scores, slow_scores, outputs, losses, meters,
        )  # fmt: skip
    return error, shown_loss, error


@hot_piece
def finish_row(
    slot: int,
    ring_size: int,
    known: int,
    update: bool,
    classes: bool,
    row_error: float,
    shown_loss: float,
    shown_error: float,
    settings: np.ndarray,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    list_label: np.ndarray,
    list_target: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    hidden_blocks: np.ndarray,
    weights: np.ndarray,
    slow_weights: np.ndarray,
    row_used: np.ndarray,
    bias: np.ndarray,
    slow_bias: np.ndarray,
    output_weights: np.ndarray,
    slow_output_weights: np.ndarray,
    output_bias: np.ndarray,
    slow_output_bias: np.ndarray,
    target_mean: np.ndarray,
    target_variance: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
    meters: np.ndarray,
    random_state: np.ndarray,
    tally: np.ndarray,
    inner_first: np.ndarray,
    inner_length: np.ndarray,
    spiking: np.ndarray,
    inner_trace: np.ndarray,
    trace_row: np.ndarray,
    trace_drive: np.ndarray,
    trace_length: np.ndarray,
    raised: np.ndarray,
    silent: np.ndarray,
) -> None:
    """Make a learned row the past: keep it, and follow targets, errors and weights.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        slot: list slot of the row.
        ring_size: number of slots that hold rehearsed rows.
        known: outputs in use.
        update: whether a step was taken for the row.
        classes: True for class labels, False for numbers.
        row_error: error of the first answer.
        shown_loss: loss of what was handed out.
        shown_error: its error.
        settings: float32, shape (SETTINGS,), preset of the way of arrival.
    """
    if spiking.shape[0] > 0:
        keep_spikes(
            spiking, trace_row, trace_drive, trace_length, inner_first, inner_length, inner_trace,
            raised, silent, hidden_blocks, bucket_row, bucket_drive, bucket_length,
        )  # fmt: skip
    if update:
        counters[UPDATED_ROWS] += 1
    if settings[REHEARSAL_STEPS] > 0.0:
        keep_row(
            slot, ring_size, not update, settings, list_channel, list_value, list_length,
            list_label, list_target, counters, meters, tally, random_state,
        )  # fmt: skip
    row_number = counters[LEARNED_ROWS]
    if not classes:
        track_targets(
            list_target, slot, row_number, target_mean, target_variance, scale_mean,
            scale_deviation, output_weights, output_bias, slow_output_weights, slow_output_bias,
        )  # fmt: skip
    follow_errors(row_number, row_error, shown_loss, shown_error, meters)
    watch_drift(row_number, row_error, settings, counters, events, meters)
    average_when_due(
        known, settings, counters, row_used, weights, bias, output_weights, output_bias,
        slow_weights, slow_bias, slow_output_weights, slow_output_bias,
    )  # fmt: skip
