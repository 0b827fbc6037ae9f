"""Averaged ("slow") copies of the weights."""

import numpy as np

from kyouko.kernels.compile import hot_kernel, hot_part
from kyouko.kernels.indices import (
    AVERAGINGS,
    HORIZON,
    ROW_TOP,
    SINCE_AVERAGING,
    USED_ROWS,
)
from kyouko.kernels.vectors import approach_rows

__all__ = ["average", "average_when_due"]


@hot_kernel
def average(
    beta: float,
    known: int,
    counters: np.ndarray,
    row_used: np.ndarray,
    row_top: int,
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    slow_weights: np.ndarray,
    slow_bias: np.ndarray,
    slow_output_weights: np.ndarray,
    slow_output_bias: np.ndarray,
) -> None:
    """Move the averaged weights towards the present ones by the share `beta`.

    Source: Polyak & Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging".
    """
    share = np.float32(beta)
    row = 0
    while row < row_top:
        first = row
        while row < row_top and row_used[row] != 0:
            row += 1
        approach_rows(first, row, beta, weights, slow_weights)
        while row < row_top and row_used[row] == 0:
            row += 1
    for block in range(bias.shape[0]):
        for n in range(bias.shape[1]):
            slow_bias[block, n] += share * (bias[block, n] - slow_bias[block, n])
    for output in range(known):
        slow_output_bias[output] += share * (output_bias[output] - slow_output_bias[output])
        for n in range(output_weights.shape[1]):
            slow_output_weights[output, n] += share * (
                output_weights[output, n] - slow_output_weights[output, n]
            )


@hot_part
def average_when_due(
    known: int,
    settings: np.ndarray,
    counters: np.ndarray,
    row_used: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    slow_weights: np.ndarray,
    slow_bias: np.ndarray,
    slow_output_weights: np.ndarray,
    slow_output_bias: np.ndarray,
) -> None:
    """Count a learned row, and average after as many rows as the network's size allows."""
    counters[SINCE_AVERAGING] += 1
    interval = min(max(counters[USED_ROWS] * weights.shape[1] // 500, 16), 512)
    if counters[SINCE_AVERAGING] < interval:
        return
    beta = max(4.0 / (counters[AVERAGINGS] + 4.0), counters[SINCE_AVERAGING] / settings[HORIZON])
    counters[SINCE_AVERAGING] = 0
    counters[AVERAGINGS] += 1
    average(
        beta, known, counters, row_used, int(counters[ROW_TOP]), weights, bias, output_weights,
        output_bias, slow_weights, slow_bias, slow_output_weights, slow_output_bias,
    )  # fmt: skip
