"""Moving a network into wider arrays when channels or populations are added at run time."""

from dataclasses import fields
from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStructureError
from kyouko.domain.engine.growing.allocation import allocate_state
from kyouko.domain.engine.growing.state import NetworkState
from kyouko.domain.engine.growing.topology import Topology
from kyouko.domain.engine.structure import NetworkStructure
from kyouko.kernels import indices

__all__ = ["widen_state"]

Index = npt.NDArray[np.intp]

# Follow from the structure, or are laid out anew here.
_NOT_COPIED: Final = frozenset(
    {
        "reach_first", "reach_block", "edge_neurons", "home_row", "row_table", "free_rows",
        "inner_first", "inner_source", "spiking", "trace_place",
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
    is_new = np.ones(len(keys), np.bool_)
    is_new[places] = False
    # By block, so that neighbours in a block are neighbours in memory.
    order = np.argsort(state.reach_block, kind="stable")
    sections = np.where(is_new, state.section_count[keys // blocks], 0)[order]
    edges = np.repeat(order, sections)
    section = np.arange(len(edges)) - np.repeat(np.cumsum(sections) - sections, sections)
    rows = _take_rows(state, len(edges), structure)
    state.row_table[section, edges] = rows
    scale = np.sqrt(np.maximum(state.meters[indices.DRIVE_ENERGY], 1e-3))
    deviation = 0.6 / (scale * np.sqrt(np.repeat(sections, sections)))
    weights = _draw_generator(state).standard_normal((len(rows), state.weights.shape[1]))
    weights *= deviation[:, None]
    weights[np.arange(weights.shape[1]) >= state.edge_neurons[edges, None]] = 0.0
    state.weights[rows] = weights
    state.slow_weights[rows] = state.weights[rows]


def _take_rows(state: NetworkState, count: int, structure: NetworkStructure) -> Index:
    """Take weight rows from the pool, unused ones first; what the old network gave back follows."""
    counters = state.counters
    top = int(counters[indices.ROW_TOP])
    free = np.flatnonzero(state.row_used[:top] == 0)
    rows = np.concatenate([np.arange(top, len(state.row_used)), free])
    if count > len(rows):
        raise _too_small(structure)
    state.row_used[rows[:count]] = 1
    counters[indices.USED_ROWS] += count
    counters[indices.ROW_TOP] = min(top + count, len(state.row_used))
    # Homes would be numbered anew in the wider network: all rows become common property.
    state.home_row[:] = -1
    counters[indices.HOME_ROWS] = 0
    left = np.flatnonzero(state.row_used[:top] == 0)[::-1]
    state.free_rows[: len(left)] = left
    counters[indices.FREE_ROWS] = len(left)
    return rows[:count]


def _draw_generator(state: NetworkState) -> np.random.Generator:
    """Move the network's random state on, and return a generator that starts from it.

    Source: Marsaglia 2003, "Xorshift RNGs", section 3, as `kyouko.kernels.randomness.draw_uniform`.
    """
    mask = (1 << 64) - 1
    value = int(state.random_state[0])
    value ^= value << 13 & mask
    value ^= value >> 7
    value ^= value << 17 & mask
    state.random_state[0] = value
    return np.random.Generator(np.random.PCG64(value))
