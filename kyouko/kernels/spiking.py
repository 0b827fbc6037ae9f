"""Neurons with a memory: potentials that leak, thresholds that cool down, silence after a spike.

The potential u_t = leak * u_(t-1) + W d_t is never stored. It equals W e_t with the trace
e_t = leak * e_(t-1) + d_t of each weight row's drive, as long as the weights stay the same; and
as the drive of a row, e_t gives the exact gradient by W. So traces take the drives' place in the
buckets, and everything else stays as it is. A trace is what the bucket held for the last row.

Source: eligibility traces of leaky neurons as in Bellec et al. 2020, "A solution to the learning
dilemma for recurrent networks of spiking neurons"; thresholds that rise with each spike as in
Gerstner et al. 2014, "Neuronal Dynamics", section 5.2.
"""

from typing import Final

import numpy as np

from kyouko.kernels.compile import growth_part, hot_part
from kyouko.kernels.indices import (
    SPIKING_COOLDOWN,
    SPIKING_ON,
    SPIKING_REST,
    SPIKING_SHARE,
)

__all__ = ["LEAST_TRACE", "add_traces", "forget_channel", "keep_spikes"]

LEAST_TRACE: Final = 1e-3  # what has leaked away to less is forgotten


@hot_part
def add_traces(
    spiking: np.ndarray,
    trace_row: np.ndarray,
    trace_drive: np.ndarray,
    trace_length: np.ndarray,
    trace_place: np.ndarray,
    inner_length: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
) -> None:
    """Add what is left of earlier drives to the freshly filled buckets; writes only scratch.

    Args are arrays of the layout table in `kyouko.domain.engine.growing.state`.
    """
    for block in range(bucket_length.shape[0]):
        inner_length[block] = 0
        if spiking.shape[0] == 0 or spiking[block, SPIKING_ON] == 0.0:
            continue
        share = spiking[block, SPIKING_SHARE]
        fresh = np.int64(bucket_length[block])
        for item in range(fresh):
            trace_place[bucket_row[block, item]] = item + 1
        count = fresh
        for item in range(trace_length[block]):
            drive = share * trace_drive[block, item]
            if not abs(drive) >= np.float32(LEAST_TRACE):
                continue
            row = trace_row[block, item]
            place = np.int64(trace_place[row])
            if place > 0:
                bucket_drive[block, place - 1] += drive
            elif count < bucket_row.shape[1]:
                bucket_row[block, count] = row
                bucket_drive[block, count] = drive
                count += 1
        for item in range(fresh):
            trace_place[bucket_row[block, item]] = 0
        bucket_length[block] = count


@hot_part
def keep_spikes(
    spiking: np.ndarray,
    trace_row: np.ndarray,
    trace_drive: np.ndarray,
    trace_length: np.ndarray,
    inner_first: np.ndarray,
    inner_length: np.ndarray,
    inner_trace: np.ndarray,
    raised: np.ndarray,
    silent: np.ndarray,
    hidden_blocks: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
) -> None:
    """Make the row that has just been computed the past of the next one.

    Args are arrays of the layout table in `kyouko.domain.engine.growing.state`.
    """
    for block in range(bucket_length.shape[0]):
        if spiking[block, SPIKING_ON] == 0.0:
            continue
        count = np.int64(bucket_length[block])
        plain = count - inner_length[block]
        for item in range(plain):
            trace_row[block, item] = bucket_row[block, item]
            trace_drive[block, item] = bucket_drive[block, item]
        trace_length[block] = plain
        for edge in range(inner_first[block], inner_first[block + 1]):
            inner_trace[edge] = 0.0
        for item in range(plain, count):
            inner_trace[bucket_row[block, item]] = bucket_drive[block, item]
        cooldown = spiking[block, SPIKING_COOLDOWN]
        for n in range(hidden_blocks.shape[1]):
            spike = max(hidden_blocks[block, n], np.float32(0.0))
            raised[block, n] = min(cooldown * (raised[block, n] + spike), np.float32(3e37))
            if silent[block, n] > 0:
                silent[block, n] -= 1
            elif spike > 0.0:
                silent[block, n] = np.int32(spiking[block, SPIKING_REST])


@growth_part
def forget_channel(
    channel: int,
    reach_first: np.ndarray,
    row_table: np.ndarray,
    section_count: np.ndarray,
    trace_row: np.ndarray,
    trace_drive: np.ndarray,
    trace_length: np.ndarray,
    trace_place: np.ndarray,
) -> None:
    """Clear the traces of a channel whose sections are about to be laid anew.

    Args are arrays of the layout table in `kyouko.domain.engine.growing.state`, and the channel.
    """
    for section in range(section_count[channel]):
        for edge in range(reach_first[channel], reach_first[channel + 1]):
            trace_place[row_table[section, edge]] = 1
    for block in range(trace_length.shape[0]):
        for item in range(trace_length[block]):
            if trace_place[trace_row[block, item]] == 1:
                trace_drive[block, item] = 0.0
    for section in range(section_count[channel]):
        for edge in range(reach_first[channel], reach_first[channel + 1]):
            trace_place[row_table[section, edge]] = 0
