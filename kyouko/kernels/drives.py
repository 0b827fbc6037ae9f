"""From the active channels of a row to the weight rows they drive, and how strongly.

A block's *bucket* holds the driven weight rows of that block with their drives.
"""

import numpy as np

from kyouko.kernels.compile import hot_part

__all__ = ["push_plain", "push_sections"]


@hot_part
def push_plain(
    slot: int,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    hot: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    others: np.ndarray,
) -> tuple[int, float]:
    """Fill the blocks' buckets from channels that have one frozen section and a usual value.

    Returns:
        The number of list items left to `push_sections`, whose places are in `others`, and the
        sum of squared drives.
    """
    # Unsigned indices spare the test for negative ones: twice the speed of this loop.
    one_place = np.uint32(1)
    left = np.uintp(0)
    filled = np.uintp(0)
    energy = np.float32(0.0)
    zero = np.float32(0.0)
    one = np.float32(1.0)
    for block in range(bucket_length.shape[0]):
        bucket_length[block] = 0
    single = bucket_length.shape[0] == 1
    for item in range(list_length[slot]):
        channel = np.uint32(list_channel[slot, item])
        value = list_value[slot, item]
        if not (value >= hot[channel, 3] and value <= hot[channel, 4]):
            others[left] = item
            left += np.uintp(1)
            continue
        band_end = hot[channel, 6] if value > hot[channel, 6] else hot[channel, 5]
        drive = (value - band_end - hot[channel, 0]) * hot[channel, 1]
        drive = min(max(drive, zero), one) - hot[channel, 2]
        energy += drive * drive
        if single:
            edge = np.uint32(reach_first[channel])
            bucket_row[0, filled] = row_table[0, edge]
            bucket_drive[0, filled] = drive
            filled += np.uintp(np.uint32(reach_first[channel + one_place]) - edge)
        else:
            for place_of_edge in range(reach_first[channel], reach_first[channel + one_place]):
                edge = np.uint32(place_of_edge)
                target = np.uint32(reach_block[edge])
                place = np.uint32(bucket_length[target])
                bucket_row[target, place] = row_table[0, edge]
                bucket_drive[target, place] = drive
                bucket_length[target] = place + one_place
    if single:
        bucket_length[0] = filled
    return int(left), np.float64(energy)


@hot_part
def push_sections(
    channel: int,
    value: float,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
) -> float:
    """Fill the buckets with all sections that one channel's value drives.

    Returns:
        The sum of squared drives.
    """
    energy = np.float32(0.0)
    raw = np.float32(value)
    up = raw > resting_high[channel]
    if not up and not raw < resting_low[channel]:
        return 0.0
    offset = raw - resting_high[channel] if up else raw - resting_low[channel]
    offset = min(max(offset, np.float32(-3e37)), np.float32(3e37))
    section = zero_section[channel]
    if not up:
        section -= 1
    if bucket_length.shape[0] == 1 and reach_first[channel + 1] - reach_first[channel] == 1:
        # Most short rows: with the count in a register, two thirds of the time of the loop below.
        only = np.uint32(reach_first[channel])
        filled = np.uintp(bucket_length[0])
        while section >= 0 and section < section_count[channel]:
            near = knots[channel, section] if up else knots[channel, section + 1]
            drive = (offset - near) * inverse[channel, section]
            drive = min(max(drive, np.float32(-1.0)), np.float32(1.0))
            if (up and drive <= 0.0) or (not up and drive >= 0.0):
                break
            energy += drive * drive
            bucket_row[0, filled] = row_table[np.uint32(section), only]
            bucket_drive[0, filled] = drive
            filled += np.uintp(1)
            section += 1 if up else -1
        bucket_length[0] = filled
        return np.float64(energy)
    while section >= 0 and section < section_count[channel]:
        near = knots[channel, section] if up else knots[channel, section + 1]
        drive = (offset - near) * inverse[channel, section]
        drive = min(max(drive, np.float32(-1.0)), np.float32(1.0))
        if (up and drive <= 0.0) or (not up and drive >= 0.0):
            break
        energy += drive * drive
        index = np.uint32(section)
        for place_of_edge in range(reach_first[channel], reach_first[channel + 1]):
            edge = np.uint32(place_of_edge)
            target = np.uint32(reach_block[edge])
            place = np.uint32(bucket_length[target])
            bucket_row[target, place] = row_table[index, edge]
            bucket_drive[target, place] = drive
            bucket_length[target] = place + np.uint32(1)
        section += 1 if up else -1
    return np.float64(energy)
