"""Learning of rows in order: the steps of the algorithm, each in a file of its own.

The kernels of a row call one another with the arrays of the layout table, in its order. Growth of
the input coding begins in `ranges`, the scan of raw rows in `scanning`.
"""

import numpy as np

from kyouko.kernels.averaging import average_when_due
from kyouko.kernels.compile import hot_kernel
from kyouko.kernels.drives import push_plain, push_sections
from kyouko.kernels.forward import activate, softmax
from kyouko.kernels.graph import activate_graph
from kyouko.kernels.indices import (
    COMPARE_EVERY,
    DRIVE_ENERGY,
    KNOWN_OUTPUTS,
    LEAK,
    LEARNED_ROWS,
    LOSS_FAST,
    LOSS_SLOW,
    REHEARSAL_STEPS,
    SECTIONS,
    SHOW_CHOSEN,
    SKIP,
    SLOW_TOLERANCE,
    UPDATED_ROWS,
)
from kyouko.kernels.monitoring import choose_factor, choose_limit, follow_errors, watch_drift
from kyouko.kernels.pruning import add_use, is_sampled
from kyouko.kernels.ranges import is_laid_anew, observe_value
from kyouko.kernels.rehearsal import (
    answers_first,
    claim_rehearsals,
    compare_answers,
    draw_kept_row,
    keep_row,
)
from kyouko.kernels.scoring import open_outputs, score_class, score_numbers, subtract_targets
from kyouko.kernels.spiking import add_traces, forget_channel, keep_spikes
from kyouko.kernels.step import take_step
from kyouko.kernels.targets import track_targets

__all__ = ["learn_rows"]


@hot_kernel
def learn_rows(
    first: int,
    begin: int,
    stop: int,
    first_slot: int,
    observe: bool,
    classes: bool,
    settings: np.ndarray,
    outputs: np.ndarray,
    losses: np.ndarray,
    correct: np.ndarray,
    predicted: np.ndarray,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    list_label: np.ndarray,
    list_target: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    others: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    hidden_delta: np.ndarray,
    hidden_delta_blocks: np.ndarray,
    scores: np.ndarray,
    slow_scores: np.ndarray,
    delta: np.ndarray,
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
    use: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    home_row: np.ndarray,
    row_table: np.ndarray,
    edge_neurons: np.ndarray,
    weights: np.ndarray,
    slow_weights: np.ndarray,
    row_used: np.ndarray,
    free_rows: np.ndarray,
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
    scratch: np.ndarray,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    inner_length: np.ndarray,
    spiking: np.ndarray,
    inner_trace: np.ndarray,
    trace_row: np.ndarray,
    trace_drive: np.ndarray,
    trace_length: np.ndarray,
    trace_place: np.ndarray,
    raised: np.ndarray,
    silent: np.ndarray,
    lowered: np.ndarray,
) -> None:
    """Predict, score and learn the rows from `begin` to `stop` in order.

    Before a row is learned some of the kept ones are learned again, which changes weights and
    nothing else: before or after a row of a stream is predicted, whichever predicts better
    (`rehearsal`).

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        first: place of row 0 in `outputs`, `losses`, `correct` and `predicted`.
        begin: first row to learn.
        stop: row after the last one to learn.
        first_slot: list slot of row 0; also the number of slots that hold rehearsed rows.
        observe: False for a row whose values were already observed by `choose_bands`.
        classes: True for class labels, False for numbers.
        settings: float32, shape (SETTINGS,), preset of the way of arrival.
        outputs: float32, shape (frame rows, outputs), written: predictions before learning.
        losses: float32, shape (frame rows,), written.
        correct: uint8, shape (frame rows,), written for classes.
        predicted: int32, shape (frame rows,), written for classes, -1 where no class is known.
    """
    ring_size = first_slot
    leak = np.float64(settings[LEAK])
    streamed = settings[SHOW_CHOSEN] != 0.0
    spikes = spiking.shape[0] > 0
    graph = spikes or inner_source.shape[0] > 0
    for row in range(begin, stop):
        rehearsals = claim_rehearsals(counters, meters)
        early = streamed and rehearsals > 0 and answers_first(counters, meters)
        first_turn = 0 if early else rehearsals
        last_turn = rehearsals + 1 if early else rehearsals
        row_error = 0.0
        shown_loss = 0.0
        shown_error = 0.0
        for turn in range(last_turn + 1):
            fresh = turn == first_turn
            if fresh or turn == last_turn:
                slot = first_slot + row
            else:
                slot = draw_kept_row(classes, settings, list_target, counters, random_state)
                if slot < 0:
                    continue
            left, energy = push_plain(
                slot, list_channel, list_value, list_length, hot, reach_first, reach_block,
                row_table, bucket_row, bucket_drive, bucket_length, others,
            )  # fmt: skip
            if fresh and observe and left > 0 and counters[SECTIONS] == 0:
                meters[DRIVE_ENERGY] = max(meters[DRIVE_ENERGY], 0.6 * left)
            for other in range(left):
                # 64 bits, as everywhere: a second width would compile all that follows twice.
                channel = int(np.int64(list_channel[slot, others[other]]))
                value = np.float64(list_value[slot, others[other]])
                if fresh and observe:
                    if spikes and is_laid_anew(channel, active_count):
                        forget_channel(
                            channel, reach_first, row_table, section_count, trace_row, trace_drive,
                            trace_length, trace_place,
                        )  # fmt: skip
                    observe_value(
                        channel, value, resting_low, resting_high, knots, inverse, zero_section,
                        section_count, hot, active_values, active_count, overflow_values,
                        overflow_count, phase, reach_first, home_row, row_table, edge_neurons,
                        weights, slow_weights, row_used, free_rows, counters, events, meters,
                        random_state, scratch,
                    )  # fmt: skip
                energy += push_sections(
                    channel, value, resting_low, resting_high, knots, inverse, zero_section,
                    section_count, reach_first, reach_block, row_table, bucket_row, bucket_drive,
                    bucket_length,
                )  # fmt: skip
            if graph:
                add_traces(
                    spiking, trace_row, trace_drive, trace_length, trace_place, inner_length,
                    bucket_row, bucket_drive, bucket_length,
                )  # fmt: skip
            known = int(counters[KNOWN_OUTPUTS])
            compare = False
            use_slow = False
            if fresh:
                counters[LEARNED_ROWS] += 1
                row_number = counters[LEARNED_ROWS]
                if is_sampled(row_number):
                    add_use(
                        slot, list_channel, list_value, list_length, resting_low, resting_high,
                        knots, inverse, zero_section, section_count, hot, use,
                    )  # fmt: skip
                if row_number <= 2000:
                    rate = max(0.002, 1.0 / row_number)
                    meters[DRIVE_ENERGY] += rate * (energy - meters[DRIVE_ENERGY])
                compare = row_number % int(settings[COMPARE_EVERY]) == 0
                use_slow = (
                    streamed and meters[LOSS_SLOW] < settings[SLOW_TOLERANCE] * meters[LOSS_FAST]
                )
                if (compare or use_slow) and graph:
                    activate_graph(
                        slow_weights, slow_bias, slow_output_weights, slow_output_bias,
                        bucket_row, bucket_drive, bucket_length, known, leak, inner_first,
                        inner_source, inner_length, spiking, inner_trace, raised, silent, lowered,
                        hidden, hidden_blocks, slow_scores,
                    )  # fmt: skip
                elif compare or use_slow:
                    activate(
                        slow_weights, slow_bias, slow_output_weights, slow_output_bias,
                        bucket_row, bucket_drive, bucket_length, known, leak, hidden, hidden_blocks,
                        slow_scores,
                    )  # fmt: skip
            if graph:
                activate_graph(
                    weights, bias, output_weights, output_bias, bucket_row, bucket_drive,
                    bucket_length, known, leak, inner_first, inner_source, inner_length, spiking,
                    inner_trace, raised, silent, lowered, hidden, hidden_blocks, scores,
                )  # fmt: skip
            else:
                activate(
                    weights, bias, output_weights, output_bias, bucket_row, bucket_drive,
                    bucket_length, known, leak, hidden, hidden_blocks, scores,
                )  # fmt: skip

            error = 0.0
            if classes:
                label = int(np.int64(list_label[slot]))
                softmax(scores, known, delta)
                if fresh:
                    shown_loss, shown_error = score_class(
                        first + row, label, known, compare, use_slow, settings, delta, slow_scores,
                        outputs, losses, correct, predicted, meters,
                    )  # fmt: skip
                    if label >= known:
                        known = open_outputs(label, known, scores, delta, counters, events)
                error = 1.0 - np.float64(delta[label])
                list_target[slot, 0] = error
                delta[label] -= np.float32(1.0)
            else:
                error = subtract_targets(
                    slot, known, list_target, scale_mean, scale_deviation, scores, delta
                )
                if fresh:
                    has_unit = counters[LEARNED_ROWS] > 1
                    # Without a second target there is no unit: nothing to learn yet.
                    error = error if has_unit else 0.0
                    shown_error = error
                    shown_loss = score_numbers(
                        first + row, slot, known, compare, use_slow, has_unit, settings,
                        list_target, scale_mean, scale_deviation, scores, slow_scores, outputs,
                        losses, meters,
                    )  # fmt: skip

            if fresh:
                row_error = error
                if early:
                    continue
            elif turn == last_turn:
                compare_answers(row_error, error, counters, meters)
            update = error >= settings[SKIP] and error > 0.0
            if update:
                take_step(
                    settings, choose_limit(settings, meters), choose_factor(settings, meters),
                    known, weights, bias, output_weights, output_bias, bucket_row, bucket_drive,
                    bucket_length, inner_source, inner_length, silent, hidden, hidden_blocks, delta,
                    hidden_delta, hidden_delta_blocks,
                )  # fmt: skip
            if turn != last_turn:
                continue

            if spikes:
                keep_spikes(
                    spiking, trace_row, trace_drive, trace_length, inner_first, inner_length,
                    inner_trace, raised, silent, hidden_blocks, bucket_row, bucket_drive,
                    bucket_length,
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
                    scale_deviation, output_weights, output_bias, slow_output_weights,
                    slow_output_bias,
                )  # fmt: skip
            follow_errors(row_number, row_error, shown_loss, shown_error, meters)
            watch_drift(row_number, row_error, settings, counters, events, meters)
            average_when_due(
                known, settings, counters, row_used, weights, bias, output_weights, output_bias,
                slow_weights, slow_bias, slow_output_weights, slow_output_bias,
            )  # fmt: skip
