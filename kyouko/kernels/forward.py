"""From filled buckets to hidden activities, scores and probabilities."""

import math

import numpy as np

from kyouko.kernels.compile import hot_part
from kyouko.kernels.vectors import sum_rows

__all__ = ["add_up", "read_out", "softmax"]


@hot_part
def add_up(
    first_block: int,
    stop_block: int,
    weights: np.ndarray,
    bias: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    leak: float,
    hidden_blocks: np.ndarray,
) -> None:
    """Compute the hidden activities of some blocks from their filled buckets.

    Args:
        first_block: the first block.
        stop_block: the block after the last one.
        weights: float32, shape (capacity, block width).
        bias: float32, shape (blocks, block width).
        bucket_row: int32, shape (blocks, places), weight rows that are driven.
        bucket_drive: float32, same shape, their drives.
        bucket_length: int32, shape (blocks,).
        leak: slope of the activation below zero.
        hidden_blocks: float32, shape (blocks, block width), written. With one flat array the index
            start + n might be negative for all the compiler knows, and nothing is vectorised.
    """
    width = bias.shape[1]
    slope = np.float32(leak)
    for block in range(first_block, stop_block):
        sum_rows(
            block, bucket_length[block], weights, bias, bucket_row, bucket_drive, hidden_blocks
        )
        for n in range(width):
            hidden_blocks[block, n] = max(hidden_blocks[block, n], slope * hidden_blocks[block, n])


@hot_part
def read_out(
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    known: int,
    hidden: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Compute the outputs' scores from the hidden activities.

    Args:
        output_weights: float32, shape (most outputs, blocks * block width).
        output_bias: float32, shape (most outputs,).
        known: outputs in use.
        hidden: float32, shape (blocks * block width,).
        scores: float32, shape (most outputs,), written up to `known`.
    """
    for output in range(known):
        total = np.float32(0.0)
        for n in range(hidden.shape[0]):
            total += output_weights[output, n] * hidden[n]
        scores[output] = total + output_bias[output]


@hot_part
def softmax(scores: np.ndarray, known: int, chances: np.ndarray) -> None:
    """Turn scores into probabilities over the known classes."""
    if known == 0:
        return
    highest = scores[0]
    for output in range(1, known):
        highest = max(highest, scores[output])
    total = np.float32(0.0)
    for output in range(known):
        chances[output] = math.exp(scores[output] - highest)
        total += chances[output]
    scale = np.float32(1.0) / total
    for output in range(known):
        chances[output] *= scale
