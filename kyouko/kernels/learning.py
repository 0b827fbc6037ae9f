"""Learning of rows in order: the loop over rows and turns; what is done in a turn is elsewhere.

The kernels of a row call one another with the arrays of the layout table, in its order. Growth of
the input coding begins in `ranges`, the scan of raw rows in `scanning`.
"""

import numpy as np

from kyouko.kernels.compile import hot_kernel
from kyouko.kernels.graph import compute_scores
from kyouko.kernels.indices import (
    COMPARE_EVERY,
    KNOWN_OUTPUTS,
    LEAK,
    LEARNED_ROWS,
    LOSS_FAST,
    LOSS_SLOW,
    SHOW_CHOSEN,
    SKIP,
    SLOW_TOLERANCE,
)
from kyouko.kernels.learning_steps import finish_row, follow_drives, push_row, score_row
from kyouko.kernels.monitoring import choose_factor, choose_limit
from kyouko.kernels.rehearsal import (
    answers_first,
    claim_rehearsals,
    compare_answers,
    draw_kept_row,
)
from kyouko.kernels.step import take_step

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
    leak = np.float64(settings[LEAK])
    streamed = settings[SHOW_CHOSEN] != 0.0
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
            slot = first_slot + row
            if not fresh and turn != last_turn:
                slot = draw_kept_row(classes, settings, list_target, counters, random_state)
                if slot < 0:
                    continue
            is_new = fresh and observe
            energy = push_row(
                slot, is_new, list_channel, list_value, list_length, bucket_row,
                bucket_drive, bucket_length, others, resting_low, resting_high, knots, inverse,
                zero_section, section_count, hot, active_values, active_count, overflow_values,
                overflow_count, phase, reach_first, reach_block, home_row, row_table, edge_neurons,
                weights, slow_weights, row_used, free_rows, counters, events, meters, random_state,
                scratch, inner_source, inner_length, spiking, trace_row, trace_drive, trace_length,
                trace_place,
            )  # fmt: skip
            known = int(counters[KNOWN_OUTPUTS])
            compare = False
            use_slow = False
            if fresh:
                follow_drives(
                    slot, energy, list_channel, list_value, list_length, resting_low, resting_high,
                    knots, inverse, zero_section, section_count, hot, use, counters, meters,
                )  # fmt: skip
                compare = counters[LEARNED_ROWS] % int(settings[COMPARE_EVERY]) == 0
                use_slow = (
                    streamed and meters[LOSS_SLOW] < settings[SLOW_TOLERANCE] * meters[LOSS_FAST]
                )
                if compare or use_slow:
                    compute_scores(
                        slow_weights, slow_bias, slow_output_weights, slow_output_bias, bucket_row,
                        bucket_drive, bucket_length, known, leak, inner_first, inner_source,
                        inner_length, spiking, inner_trace, raised, silent, lowered, hidden,
                        hidden_blocks, slow_scores,
                    )  # fmt: skip
            compute_scores(
                weights, bias, output_weights, output_bias, bucket_row, bucket_drive, bucket_length,
                known, leak, inner_first, inner_source, inner_length, spiking, inner_trace, raised,
                silent, lowered, hidden, hidden_blocks, scores,
            )  # fmt: skip
            error, loss, wrong = score_row(
                first + row, slot, fresh, compare, use_slow, classes, settings, list_label,
                list_target, scale_mean, scale_deviation, scores, slow_scores, delta, outputs,
                losses, correct, predicted, counters, events, meters,
            )  # fmt: skip
            known = int(counters[KNOWN_OUTPUTS])
            if fresh:
                row_error = error
                shown_loss = loss
                shown_error = wrong
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
            if turn == last_turn:
                finish_row(
                    slot, first_slot, known, update, classes, row_error, shown_loss, shown_error,
                    settings, list_channel, list_value, list_length, list_label, list_target,
                    bucket_row, bucket_drive, bucket_length, hidden_blocks, weights, slow_weights,
                    row_used, bias, slow_bias, output_weights, slow_output_weights, output_bias,
                    slow_output_bias, target_mean, target_variance, scale_mean, scale_deviation,
                    counters, events, meters, random_state, tally, inner_first, inner_length,
                    spiking, inner_trace, trace_row, trace_drive, trace_length, raised, silent,
                )  # fmt: skip
