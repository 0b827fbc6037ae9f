"""The running unit of numeric targets."""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel

__all__ = ["track_targets"]


@growth_kernel
def track_targets(
    list_target: np.ndarray,
    slot: int,
    row_number: int,
    target_mean: np.ndarray,
    target_variance: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    slow_output_weights: np.ndarray,
    slow_output_bias: np.ndarray,
) -> None:
    """Follow the targets' mean and variance, and rescale the outputs without changing them.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        list_target: float32, shape (slots, outputs).
        slot: slot of this row.
        row_number: number of this row, from 1.
        target_mean: float64, shape (outputs,), running mean.
        target_variance: float64, shape (outputs,), running variance.
        scale_mean: float64, shape (outputs,), offset that the outputs use now.
        scale_deviation: float64, shape (outputs,), unit that the outputs use now.

    Source: van Hasselt et al. 2016, "Learning values across many orders of magnitude", section 2.1.
    """
    rate = max(1.0 / row_number, 0.002)
    power = row_number & (row_number - 1) == 0
    due = row_number < 8 or power or row_number % 256 == 0
    for output in range(list_target.shape[1]):
        step = np.float64(list_target[slot, output]) - target_mean[output]
        target_mean[output] += rate * step
        target_variance[output] += rate * (step * step * (1.0 - rate) - target_variance[output])
        if not due:
            continue
        mean = target_mean[output]
        deviation = math.sqrt(target_variance[output])
        # A constant target: any unit serves, one of the target's own size keeps sums in range.
        if not deviation > 1e-6 * abs(mean):
            deviation = abs(mean) if mean != 0.0 else 1.0
        deviation = max(deviation, 1e-30)
        old = scale_deviation[output]
        if abs(deviation - old) < 0.02 * old and abs(mean - scale_mean[output]) < 0.02 * old:
            continue
        # Beyond these limits nothing worth keeping was learned, and float32 would overflow.
        ratio = min(old / deviation, 1e6)
        shift = min(max((scale_mean[output] - mean) / deviation, -1e6), 1e6)
        if row_number == 1:
            ratio = 1.0
            shift = 0.0
        for n in range(output_weights.shape[1]):
            output_weights[output, n] *= ratio
            slow_output_weights[output, n] *= ratio
        output_bias[output] = output_bias[output] * ratio + shift
        slow_output_bias[output] = slow_output_bias[output] * ratio + shift
        scale_mean[output] = mean
        scale_deviation[output] = deviation
