"""What all experts share: rows and targets in units that were known before each of them.

The values are written for a whole frame first, so that every expert, whatever it does with them,
sees the same units, and the frame's size cannot matter.
"""

import math

import numpy as np

from kyouko.kernels.compile import hot_kernel

__all__ = ["standardise_rows", "standardise_targets"]


@hot_kernel
def standardise_rows(
    rows: int,
    learn: bool,
    inputs: np.ndarray,
    channel_mean: np.ndarray,
    channel_variance: np.ndarray,
    channel_count: np.ndarray,
    standard: np.ndarray,
    fresh: np.ndarray,
    inverse: np.ndarray,
) -> None:
    """Write rows in standard deviations from the mean, as both were before each row.

    A missing value (NaN or infinite) and a channel that was constant so far are 0. The mean and
    variance are those of about the last 1,000 values.

    Args:
        rows: number of rows.
        learn: whether mean and variance follow the rows.
        inputs: float32, shape (rows, channels).
        channel_mean: float64, shape (channels,).
        channel_variance: float64, shape (channels,).
        channel_count: int64, shape (channels,), values met that were not missing.
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
                channel_count[channel] += 1
                rate = max(1.0 / channel_count[channel], 0.001)
                step = value - mean
                channel_mean[channel] += rate * step
                channel_variance[channel] += rate * (
                    step * step * (1.0 - rate) - channel_variance[channel]
                )
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
