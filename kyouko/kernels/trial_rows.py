"""Rows that are judged without the channels on trial, and learned: one call for many of them."""

import math
from typing import Any

import numpy as np

from kyouko.kernels.compile import hot_kernel, hot_part
from kyouko.kernels.drives import push_sections
from kyouko.kernels.forward import softmax
from kyouko.kernels.graph import compute_scores
from kyouko.kernels.indices import (
    KNOWN_OUTPUTS,
    LEAK,
    SHARE_TRIAL,
    TRIAL_LEFT,
    TRIAL_LOSS,
    TRIAL_ON,
    TRIAL_SQUARES,
    TRIAL_USUAL,
)
from kyouko.kernels.learning import learn_rows
from kyouko.kernels.shares import add_target

__all__ = ["judge_row", "learn_on_trial"]


@hot_part
def judge_row(
    slot: int,
    classes: bool,
    leak: float,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    list_label: np.ndarray,
    list_target: np.ndarray,
    trial: np.ndarray,
    trial_drive: np.ndarray,
    shares: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    scores: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
    counters: np.ndarray,
    meters: np.ndarray,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    inner_length: np.ndarray,
    spiking: np.ndarray,
    inner_trace: np.ndarray,
    raised: np.ndarray,
    silent: np.ndarray,
    lowered: np.ndarray,
) -> None:
    """Add to TRIAL_LOSS how much worse a fresh row's loss is without the channels on trial.

    Called between rows, not within `learn_rows`, which loses a fifth of its speed to the mere
    presence of this code.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        slot: list slot of the row.
        classes: True for class labels, False for numbers.
        leak: slope of the activation below zero.
    """
    known = int(counters[KNOWN_OUTPUTS])
    worse = 0.0
    for without in range(2):
        for block in range(bucket_length.shape[0]):
            bucket_length[block] = 0
            inner_length[block] = 0
        for item in range(list_length[slot]):
            channel = int(np.int64(list_channel[slot, item]))
            if without == 1 and trial[channel] == TRIAL_ON:
                continue
            push_sections(
                channel, np.float64(list_value[slot, item]), resting_low, resting_high, knots,
                inverse, zero_section, section_count, reach_first, reach_block, row_table,
                bucket_row, bucket_drive, bucket_length,
            )  # fmt: skip
        if without == 1:
            for channel in range(trial.shape[0]):
                sections = section_count[channel] if trial[channel] == TRIAL_ON else 0
                for section in range(sections):
                    for edge in range(reach_first[channel], reach_first[channel + 1]):
                        block = reach_block[edge]
                        place = bucket_length[block]
                        bucket_row[block, place] = row_table[section, edge]
                        bucket_drive[block, place] = trial_drive[channel, section]
                        bucket_length[block] = place + 1
        compute_scores(
            weights, bias, output_weights, output_bias, bucket_row, bucket_drive, bucket_length,
            known, leak, inner_first, inner_source, inner_length, spiking, inner_trace, raised,
            silent, lowered, hidden, hidden_blocks, scores,
        )  # fmt: skip
        loss = 0.0
        if classes:
            label = int(np.int64(list_label[slot]))
            softmax(scores, known, scores)
            if label < known:
                loss = -math.log(max(np.float64(scores[label]), 1e-6))
        else:
            for output in range(known):
                wanted = np.float64(list_target[slot, output]) - scale_mean[output]
                difference = np.float64(scores[output]) - wanted / scale_deviation[output]
                loss += min(difference * difference, 9.0)
        worse = loss - worse
        if without == 0:
            meters[TRIAL_USUAL] += loss
    meters[TRIAL_LOSS] += worse
    meters[TRIAL_SQUARES] += worse * worse
    add_target(int(np.int64(SHARE_TRIAL)), slot, classes, list_label, list_target, shares)
    counters[TRIAL_LEFT] -= 1


@hot_kernel
def learn_on_trial(
    first: int,
    rows: int,
    first_slot: int,
    observe: bool,
    classes: bool,
    settings: np.ndarray,
    judged: tuple[Any, ...],
    learned: tuple[Any, ...],
) -> None:
    """Judge each row by the weights before it, then learn it.

    Args:
        first: place of the first row in the results.
        rows: number of rows, none of them beyond the end of the trial.
        first_slot: list slot of the first row.
        observe: see `learn_rows`.
        classes: True for class labels, False for numbers.
        settings: float32, shape (SETTINGS,), preset of the way of arrival.
        judged: the arrays that `judge_row` takes.
        learned: the arrays that `learn_rows` takes after `settings`.
    """
    leak = np.float64(settings[LEAK])
    for row in range(rows):
        judge_row(first_slot + row, classes, leak, *judged)
        learn_rows(first, row, row + 1, first_slot, observe, classes, settings, *learned)
