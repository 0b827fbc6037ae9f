"""Predictions of rows without learning them."""

import numpy as np

from kyouko.kernels.compile import hot_kernel
from kyouko.kernels.drives import push_plain, push_sections
from kyouko.kernels.forward import softmax
from kyouko.kernels.graph import compute_scores
from kyouko.kernels.spiking import add_traces, keep_spikes

__all__ = ["predict_rows"]


@hot_kernel
def predict_rows(
    first: int,
    rows: int,
    first_slot: int,
    classes: bool,
    leak: float,
    known: int,
    keep: bool,
    outputs: np.ndarray,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    others: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    scores: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
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
    """Predict `rows` rows, each as if it came next, or let them pass in order.

    Only scratch arrays and `outputs` are written, and the spiking neurons' memory if `keep`.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        first: place of the first row in `outputs`.
        rows: number of rows; their lists are in the slots from `first_slot` on.
        first_slot: first list slot.
        classes: True for probabilities, False for numbers.
        leak: slope of the activation below zero.
        known: outputs in use.
        keep: True to make each row the past of the next one.
        outputs: float32, shape (frame rows, outputs), written.
    """
    spikes = spiking.shape[0] > 0
    for row in range(rows):
        slot = first_slot + row
        left, _ = push_plain(
            slot, list_channel, list_value, list_length, hot, reach_first, reach_block,
            row_table, bucket_row, bucket_drive, bucket_length, others,
        )  # fmt: skip
        for other in range(left):
            item = others[other]
            push_sections(
                int(np.int64(list_channel[slot, item])), np.float64(list_value[slot, item]),
                resting_low, resting_high, knots, inverse, zero_section, section_count, reach_first,
                reach_block, row_table, bucket_row, bucket_drive, bucket_length,
            )  # fmt: skip
        if spikes or inner_source.shape[0] > 0:
            add_traces(
                spiking, trace_row, trace_drive, trace_length, trace_place, inner_length,
                bucket_row, bucket_drive, bucket_length,
            )  # fmt: skip
        compute_scores(
            weights, bias, output_weights, output_bias, bucket_row, bucket_drive, bucket_length,
            known, leak, inner_first, inner_source, inner_length, spiking, inner_trace, raised,
            silent, lowered, hidden, hidden_blocks, scores,
        )  # fmt: skip
        if keep and spikes:
            keep_spikes(
                spiking, trace_row, trace_drive, trace_length, inner_first, inner_length,
                inner_trace, raised, silent, hidden_blocks, bucket_row, bucket_drive, bucket_length,
            )  # fmt: skip
        if classes:
            softmax(scores, known, scores)
            for output in range(known):
                outputs[first + row, output] = scores[output]
        else:
            for output in range(known):
                outputs[first + row, output] = (
                    np.float64(scores[output]) * scale_deviation[output] + scale_mean[output]
                )
