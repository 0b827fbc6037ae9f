"""Scanning of raw rows: which channels left their resting band, and with what value.

Rows come as bytes or as floats, and each dtype has a kernel of its own, made of the same text: to
turn bytes into floats first takes a fortieth of the time of learning. Everything after the scan
works on compact lists.
"""

import numpy as np

from kyouko.kernels.compile import hot_kernel

__all__ = ["count_non_finite", "scan_byte_rows", "scan_float_rows"]


def _scan_rows(
    inputs: np.ndarray,
    scan_low: np.ndarray,
    scan_high: np.ndarray,
    first: int,
    stop: int,
    first_slot: int,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    scan_flags: np.ndarray,
    scan_words: np.ndarray,
) -> None:
    """Write the active channels of rows `first` to `stop` into consecutive list slots.

    The comparison alone is vectorised and writes a flag for each channel; eight resting channels
    are then passed over at once, and the compaction of the others has no branch. That takes half
    the time of one loop for all. Unsigned indices spare the test for negative ones. A NaN compares
    false on both sides and so is at rest.

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
        scan_flags: uint8, shape (channels rounded up to a multiple of 8,), scratch.
        scan_words: uint64, the same memory, eight flags each.
    """
    channels = inputs.shape[1]
    for row in range(first, stop):
        slot = first_slot + row - first
        for channel in range(channels):
            value = inputs[row, channel]
            scan_flags[channel] = (value < scan_low[channel]) | (value > scan_high[channel])
        count = np.uintp(0)
        for word in range(channels // 8):
            if scan_words[word] == 0:
                continue
            for place in range(8):
                index = np.uint32(word * 8 + place)
                list_channel[slot, count] = index
                list_value[slot, count] = inputs[row, index]
                count += np.uintp(scan_flags[index])
        for channel in range(channels - channels % 8, channels):
            if scan_flags[channel] != 0:
                list_channel[slot, count] = channel
                list_value[slot, count] = inputs[row, channel]
                count += np.uintp(1)
        list_length[slot] = count


scan_byte_rows = hot_kernel(_scan_rows)
scan_float_rows = hot_kernel(_scan_rows)


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
