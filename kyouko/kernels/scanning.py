"""Scanning of raw rows: which channels left their resting band, and with what value.

The only kernel that sees the caller's dtype; everything after it works on compact lists.
"""

import numpy as np

from kyouko.kernels.compile import hot_kernel

__all__ = ["count_non_finite", "scan_rows"]


@hot_kernel
def scan_rows(
    inputs: np.ndarray,
    scan_low: np.ndarray,
    scan_high: np.ndarray,
    first: int,
    stop: int,
    first_slot: int,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
) -> None:
    """Write the active channels of rows `first` to `stop` into consecutive list slots.

    The compaction has no branch: 0.35 us for 784 channels, against 0.5 to 0.7 us for chunked or
    branching forms. Unsigned indices spare the test for negative ones, a quarter of the time. A
    NaN compares false on both sides and so is at rest.

    Args:
        inputs: uint8 or float32, shape (rows, channels).
        scan_low: int16 (uint8 rows) or float32, shape (channels,), lower end of the resting band.
        scan_high: the same for the upper end.
        first: first row to scan.
        stop: row after the last one to scan.
        first_slot: slot that receives row `first`.
        list_channel: int32, shape (slots, channels), written.
        list_value: float32, shape (slots, channels), written.
        list_length: int32, shape (slots,), written.
    """
    channels = inputs.shape[1]
    for row in range(first, stop):
        slot = first_slot + row - first
        count = np.uintp(0)
        for channel in range(channels):
            value = inputs[row, channel]
            list_channel[slot, count] = channel
            count += np.uintp((value < scan_low[channel]) | (value > scan_high[channel]))
        for item in range(count):
            list_value[slot, item] = inputs[row, np.uint32(list_channel[slot, item])]
        list_length[slot] = count


@hot_kernel
def count_non_finite(inputs: np.ndarray) -> int:
    """Count NaN and infinite values.

    Args:
        inputs: float32, shape (rows, channels).
    """
    total = 0
    for row in range(inputs.shape[0]):
        # 0 * NaN and 0 * inf are NaN: one vectorised sum tells whether the row needs a count.
        check = np.float32(0.0)
        for channel in range(inputs.shape[1]):
            check += inputs[row, channel] * np.float32(0.0)
        if check != check:
            for channel in range(inputs.shape[1]):
                if not np.isfinite(inputs[row, channel]):
                    total += 1
    return total
