"""What all experts share: rows and targets in units that were known before each of them.

The values are written for a whole frame first, so that every expert, whatever it does with them,
sees the same units, and the frame's size cannot matter.
"""

import math

import numpy as np

from kyouko.kernels.compile import hot_kernel, hot_part

__all__ = ["standardise_rows", "standardise_targets"]


@hot_part
def _follow(
    channel: int,
    value: float,
    slope: float,
    channel_mean: np.ndarray,
    channel_variance: np.ndarray,
    channel_count: np.ndarray,
    block_mean: np.ndarray,
    block_variance: np.ndarray,
) -> None:
    """Let a channel's mean and variance follow a value; `slope` is 1 / deviation or 0."""
    place = channel_count[channel] % 64
    channel_count[channel] += 1
    rate = max(1.0 / channel_count[channel], 0.001)
    step = value - channel_mean[channel]
    if channel_count[channel] > 16 and abs(step) * slope > 8.0:
        step = math.copysign(8.0 / slope, step)
    channel_mean[channel] += rate * step
    channel_variance[channel] += rate * (step * step * (1.0 - rate) - channel_variance[channel])
    if place == 0:
        block_mean[channel] = 0.0
        block_variance[channel] = 0.0
    change = value - block_mean[channel]
    block_mean[channel] += change / (place + 1)
    spread = change * (value - block_mean[channel])
    block_variance[channel] += (spread - block_variance[channel]) / (place + 1)
    # Not where it is 0: a channel that rests for a while keeps its scale.
    least = block_variance[channel]
    if place == 63 and least > 0.0 and least < 1e-4 * channel_variance[channel]:
        channel_mean[channel] = block_mean[channel]
        channel_variance[channel] = least


@hot_kernel
def standardise_rows(
    rows: int,
    learn: bool,
    inputs: np.ndarray,
    channel_mean: np.ndarray,
    channel_variance: np.ndarray,
    channel_count: np.ndarray,
    block_mean: np.ndarray,
    block_variance: np.ndarray,
    standard: np.ndarray,
    fresh: np.ndarray,
    inverse: np.ndarray,
) -> None:
    """Write rows in standard deviations from the mean, as both were before each row.

    A missing value (NaN or infinite) and a channel that was constant so far are 0. Mean and
    variance are those of about the last 1,000 values, of which none counts as further away than
    eight standard deviations: an outlier moves little, a new scale is reached within some hundred
    rows. An outlier among the first values is forgotten with the next block of 64.

    Args:
        rows: number of rows.
        learn: whether mean and variance follow the rows.
        inputs: float32, shape (rows, channels).
        channel_mean: float64, shape (channels,).
        channel_variance: float64, shape (channels,).
        channel_count: int64, shape (channels,), values met that were not missing.
        block_mean: float64, shape (channels,), of the values of the present block of 64.
        block_variance: float64, shape (channels,), likewise.
        standard: float64, shape (slots, channels + 1), written: -5 to 5; the last column is 1.
        fresh: float32, shape (slots, channels), written: the raw value, -1e38 to 1e38; NaN for a
            missing one.
        inverse: float32, shape (slots, channels), written: 1 / standard deviation; 0 for what
            cannot be compared.
    """
    channels = inputs.shape[1]
    for row in range(rows):
        for channel in range(channels):
            value = np.float64(inputs[row, channel])
            mean = channel_mean[channel]
            present = abs(value) <= 3.5e38
            known = channel_count[channel] > 0 and channel_variance[channel] > 0.0
            slope = 1.0 / math.sqrt(channel_variance[channel]) if present and known else 0.0
            standard[row, channel] = (
                min(max((value - mean) * slope, -5.0), 5.0) if present and known else 0.0
            )
            fresh[row, channel] = min(max(value, -1e38), 1e38) if present else np.nan
            inverse[row, channel] = min(slope, 1e38)
            if learn and present:
                _follow(
                    channel, value, slope, channel_mean, channel_variance, channel_count,
                    block_mean, block_variance,
                )  # fmt: skip
        standard[row, channels] = 1.0


@hot_kernel
def standardise_targets(
    rows: int,
    learn: bool,
    seen: int,
    targets: np.ndarray,
    target_mean: np.ndarray,
    target_variance: np.ndarray,
    middle: np.ndarray,
    unit: np.ndarray,
) -> None:
    """Write the targets' mean and standard deviation as they were before each row.

    Args:
        rows: number of rows.
        learn: whether mean and variance follow the targets; else these are not read.
        seen: rows learned before.
        targets: float32, shape (rows, outputs), finite.
        target_mean: float64, shape (outputs,).
        target_variance: float64, shape (outputs,), of about the last 500 targets.
        middle: float64, shape (slots, outputs), written.
        unit: float64, shape (slots, outputs), written, above 0: of constant targets their size,
            or 1.
    """
    for row in range(rows):
        rate = max(1.0 / (seen + row + 1), 0.002)
        for output in range(target_mean.shape[0]):
            mean = target_mean[output]
            deviation = math.sqrt(target_variance[output])
            if not deviation > 1e-6 * abs(mean):
                deviation = abs(mean) if mean != 0.0 else 1.0
            middle[row, output] = mean
            unit[row, output] = max(deviation, 1e-30)
            if learn:
                step = np.float64(targets[row, output]) - mean
                target_mean[output] += rate * step
                target_variance[output] += rate * (
                    step * step * (1.0 - rate) - target_variance[output]
                )
