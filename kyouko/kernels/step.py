"""The gradient step whose size the curvature along it bounds."""

import numpy as np

from kyouko.kernels.compile import hot_part
from kyouko.kernels.graph import pass_back
from kyouko.kernels.indices import LEAK, STEP
from kyouko.kernels.vectors import subtract_from_rows

__all__ = ["take_step"]


@hot_part
def take_step(
    settings: np.ndarray,
    limit: float,
    factor: float,
    known: int,
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    inner_source: np.ndarray,
    inner_length: np.ndarray,
    silent: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    delta: np.ndarray,
    hidden_delta: np.ndarray,
    hidden_delta_blocks: np.ndarray,
) -> None:
    """Take one gradient step whose size is bounded by the curvature along it.

    With T the squared length of the gradient of the scores, per unit of delta, a step of
    lr * T < 2 cannot overshoot on squared error (< 8 on softmax): that is what makes one setting
    serve all data. T = 1 + |h|^2 + sum_b (1 + sum_b d^2) |dh_b|^2 / |delta|^2. Blocks come in
    reverse, so that a hidden source hears of its targets before its own turn; its activity is a
    drive of theirs.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        settings: the preset vector, see `indices`.
        limit: largest rate, before `factor`.
        factor: what the running error or noise makes of the step, 0 to 1.
        delta: float32, shape (most outputs,), derivative of the loss by each score.
        hidden_delta: float32, shape (blocks * block width,), scratch.

    Source: normalised steps after Nagumo & Noda 1967, "A Learning Method for System
    Identification"; the extension to hidden layers is our own.
    """
    blocks = bias.shape[0]
    width = bias.shape[1]
    size = blocks * width
    leak = settings[LEAK]
    delta_square = np.float32(0.0)
    for n in range(size):
        hidden_delta[n] = 0.0
    for output in range(known):
        change = delta[output]
        delta_square += change * change
        if abs(change) >= np.float32(1e-3):
            for n in range(size):
                hidden_delta[n] += change * output_weights[output, n]
    if not delta_square > 0.0:
        return
    length = np.float32(1.0)
    for n in range(size):
        length += hidden[n] * hidden[n]
    for back in range(blocks):
        block = blocks - 1 - back
        if silent.shape[0] > 0:
            for n in range(width):
                if silent[block, n] > 0:
                    hidden_delta_blocks[block, n] = 0.0
        square = np.float32(0.0)
        for n in range(width):
            slope = np.float32(1.0) if hidden_blocks[block, n] > 0.0 else leak
            change = hidden_delta_blocks[block, n] * slope
            hidden_delta_blocks[block, n] = change
            square += change * change
        drives = np.float32(1.0)
        for item in range(bucket_length[block]):
            drives += bucket_drive[block, item] * bucket_drive[block, item]
        length += drives * square / delta_square
        if inner_source.shape[0] > 0:
            pass_back(
                block, weights, inner_source, inner_length, bucket_row, bucket_length, hidden_delta,
                hidden_delta_blocks,
            )  # fmt: skip
    rate = min(np.float32(limit), settings[STEP] / length) * np.float32(factor)
    # An infinite length (weights near overflow) gives rate 0; a NaN must not reach the weights.
    if not (rate > 0.0 and rate < np.float32(3e37)):
        return
    for output in range(known):
        change = rate * delta[output]
        output_bias[output] -= change
        if abs(delta[output]) >= np.float32(1e-3):
            for n in range(size):
                output_weights[output, n] -= change * hidden[n]
    for n in range(size):
        hidden_delta[n] *= rate
    for block in range(blocks):
        for n in range(width):
            bias[block, n] -= hidden_delta_blocks[block, n]
        subtract_from_rows(
            block, bucket_length[block], weights, bucket_row, bucket_drive, hidden_delta_blocks
        )
