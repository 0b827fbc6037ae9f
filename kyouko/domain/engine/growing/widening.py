"""Moving a network into wider arrays when channels or populations are added at run time."""

from dataclasses import fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStructureError
from kyouko.domain.engine.growing.state import FRAME_SLOTS, NetworkState, allocate_state
from kyouko.domain.engine.growing.topology import Topology
from kyouko.domain.engine.structure import NetworkStructure
from kyouko.kernels import indices

__all__ = ["widen_state"]

Index = npt.NDArray[np.intp]

# Follow from the structure, or are laid out anew here.
_NOT_COPIED: Final = frozenset(
    {
        "reach_first", "reach_block", "edge_neurons", "home_row", "row_table", "free_rows",
        "inner_first", "inner_source", "spiking",
    }
)  # fmt: skip
_LISTS: Final = ("list_channel", "list_value", "list_length", "list_label", "list_target")
_POOL: Final = ("weights", "slow_weights", "row_used")


def widen_state(old: NetworkState, structure: NetworkStructure, topology: Topology) -> NetworkState:
    """Copy a network into the arrays of a structure that has more of something at its ends.

    That may be channels, blocks or memory; old channels, blocks and inner edges keep their places,
    and old weight rows their indices. Where an old channel reaches a new block, its sections get
    random weights at once; the outputs do not hear the new neurons yet, so nothing jumps.

    Raises:
        EngineStructureError: if what has grown so far does not fit into the wider arrays.
    """
    state = allocate_state(structure, topology)
    top = int(old.counters[indices.ROW_TOP])
    if top > len(state.row_used):
        raise _too_small(structure)
    kept = _newest_slots(old, state.ring_rows)
    for item in fields(state):
        name = item.name
        if name in _NOT_COPIED:
            continue
        source, target = getattr(old, name), getattr(state, name)
        if name in _LISTS:
            source = source[kept]
        elif name in _POOL:
            source = source[:top]
        target[tuple(slice(0, edge) for edge in source.shape)] = source
    counters = state.counters
    counters[indices.NEURONS] = structure.neurons
    counters[indices.RING_FILLED] = len(kept)
    if state.ring_rows != old.ring_rows:
        counters[indices.RING_NEXT] = 0
    counters[indices.GROWTH_STOPPED] = 0
    _connect_new_edges(old, state, structure)
    if len(state.resting_low) > len(old.resting_low):
        # Channels whose own start-up is not over begin it anew together with the new ones.
        if counters[indices.LEARNED_ROWS] - counters[indices.START_FROM] >= indices.START_ROWS:
            counters[indices.NEW_FROM] = len(old.resting_low)
        counters[indices.START_FROM] = counters[indices.LEARNED_ROWS]
    return state


def _too_small(structure: NetworkStructure) -> EngineStructureError:
    return EngineStructureError(
        "options.memory_limit_bytes",
        f"{structure.options.memory_limit_bytes} bytes do not hold the present network",
        "a higher limit, or fewer new channels and populations",
    )


def _newest_slots(old: NetworkState, room: int) -> Index:
    """List the slots of the rehearsed rows to keep: all in place, or the newest in order."""
    filled = int(old.counters[indices.RING_FILLED])
    if room == old.ring_rows:
        return np.arange(filled)
    first = int(old.counters[indices.RING_NEXT]) if filled == old.ring_rows else 0
    slots = (first + np.arange(filled)) % max(filled, 1)
    return slots[max(filled - room, 0) :]


def _keys(state: NetworkState, blocks: int) -> Index:
    """Number each edge by its channel and block; ascending, as the edges are."""
    channels = np.repeat(np.arange(len(state.resting_low)), np.diff(state.reach_first))
    return channels * blocks + state.reach_block


def _connect_new_edges(old: NetworkState, state: NetworkState, structure: NetworkStructure) -> None:
    """Give the old edges their rows back, and each section on a new edge a row of its own."""
    blocks = len(state.bias)
    keys = _keys(state, blocks)
    places = np.searchsorted(keys, _keys(old, blocks))
    state.row_table[:, places] = old.row_table
    fresh = np.ones(len(keys), np.bool_)
    fresh[places] = False
    sections = np.where(fresh, state.section_count[keys // blocks], 0)
    # Neighbours in a block become neighbours in memory.
    edges = np.repeat(np.lexsort((keys, state.reach_block)), sections[np.lexsort((keys, state.reach_block))])
