"""Moving a network into wider arrays when channels are added at run time."""

from dataclasses import fields

import numpy as np

from kyouko.domain.engine.errors import EngineStructureError
from kyouko.domain.engine.growing.state import FRAME_SLOTS, NetworkState, allocate_state
from kyouko.domain.engine.growing.topology import Topology
from kyouko.domain.engine.structure import NetworkStructure
from kyouko.kernels import indices

__all__ = ["widen_state"]

# Refilled by the allocation, or not of the old shape.
_NOT_COPIED = frozenset(
    {"reach_first", "reach_block", "edge_neurons", "home_row", "row_table", "free_rows"}
)
_LISTS = ("list_channel", "list_value", "list_length", "list_label", "list_target")


def widen_state(old: NetworkState, structure: NetworkStructure, topology: Topology) -> NetworkState:
    """Copy a network into arrays that have room for channels appended to its rows.

    Edges are ordered by channel, so the old ones keep their places in front of the new ones. The
    old weight rows keep their indices too; the new edges' rows come from the free ones.

    Raises:
        EngineStructureError: if what has grown so far does not fit beside the wider arrays.
    """
    state = allocate_state(structure, topology)
    top = int(old.counters[indices.ROW_TOP])
    filled = int(old.counters[indices.RING_FILLED])
    if top > len(state.row_used):
        raise EngineStructureError(
            "options.memory_limit_bytes",
            f"{structure.options.memory_limit_bytes} bytes do not hold the present network",
            "a higher limit, or fewer new channels",
        )
    for item in fields(state):
        name = item.name
        if name in _NOT_COPIED:
            continue
        source, target = getattr(old, name), getattr(state, name)
        if name in _LISTS:
            kept = min(filled, len(target) - FRAME_SLOTS)
            source = source[:kept]
        elif name in ("weights", "slow_weights", "row_used"):
            source = source[:top]
        target[tuple(slice(0, edge) for edge in source.shape)] = source
    edges = len(old.reach_block)
    state.row_table[:, :edges] = old.row_table
    # Homes would be numbered anew in the wider network: all rows become common property.
    state.home_row[:] = -1
    free = np.flatnonzero(state.row_used[:top] == 0)[::-1]
    state.free_rows[: len(free)] = free
    counters = state.counters
    counters[indices.FREE_ROWS] = len(free)
    counters[indices.HOME_ROWS] = 0
    counters[indices.RING_FILLED] = min(filled, state.ring_rows)
    counters[indices.RING_NEXT] = 0
    # Channels whose own start-up is not over begin it anew together with the new ones.
    if counters[indices.LEARNED_ROWS] - counters[indices.START_FROM] >= indices.START_ROWS:
        counters[indices.NEW_FROM] = len(old.resting_low)
    counters[indices.START_FROM] = counters[indices.LEARNED_ROWS]
    counters[indices.GROWTH_STOPPED] = 0
    return state
