"""Allocation of a network's arrays within its memory limit, and their first values."""

from typing import Any

import numpy as np

from kyouko.domain.engine.errors import EngineMemoryError
from kyouko.domain.engine.growing.presets import rehearsal_rows
from kyouko.domain.engine.growing.state import STATE_GAPS, NetworkState, count_frame_slots
from kyouko.domain.engine.growing.topology import Topology
from kyouko.domain.engine.memory import allocate, count_bytes
from kyouko.domain.engine.structure import NetworkStructure, TaskKind
from kyouko.kernels import indices

__all__ = ["allocate_state"]


def _seed(value: int) -> int:
    """Spread a small seed over 64 bits, never 0.

    Source: Steele, Lea & Flood 2014, "Fast Splittable Pseudorandom Number Generators" (mix64).
    """
    mask = (1 << 64) - 1
    mixed = (value + 0x9E3779B97F4A7C15) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return (mixed ^ (mixed >> 31)) or 1


def _targets(structure: NetworkStructure) -> int:
    return structure.output.size if structure.output.kind is TaskKind.NUMBERS else 1


def _list_shapes(structure: NetworkStructure, slots: int) -> dict[str, tuple[Any, ...]]:
    channels = structure.channels
    targets = _targets(structure)
    return {
        "list_channel": ((slots, channels), np.int32),
        "list_value": ((slots, channels), np.float32),
        "list_length": ((slots,), np.int32),
        "list_label": ((slots,), np.int32),
        "list_target": ((slots, targets), np.float32),
    }


def _graph_shapes(structure: NetworkStructure, topology: Topology) -> dict[str, tuple[Any, ...]]:
    """Return the shapes of what only inner edges and spiking populations use."""
    blocks = len(topology.block_neurons)
    inner = len(topology.inner_source)
    remembered = blocks if structure.is_spiking else 0
    return {
        "inner_first": ((blocks + 1,), np.int32),
        "inner_source": ((inner,), np.int32),
        "inner_length": ((blocks,), np.int32),
        "spiking": ((remembered, indices.SPIKING_COLUMNS), np.float32),
        "inner_trace": ((inner if structure.is_spiking else 0,), np.float32),
        "trace_row": ((remembered, topology.longest_bucket), np.int32),
        "trace_drive": ((remembered, topology.longest_bucket), np.float32),
        "trace_length": ((remembered,), np.int32),
        "raised": ((remembered, topology.block_width), np.float32),
        "silent": ((remembered, topology.block_width), np.int32),
        "lowered": ((remembered, topology.block_width), np.float32),
    }


def _fixed_shapes(structure: NetworkStructure, topology: Topology) -> dict[str, tuple[Any, ...]]:
    channels = structure.channels
    edges = len(topology.reach_block)
    blocks = len(topology.block_neurons)
    width = topology.block_width
    outputs = structure.most_outputs
    most = indices.MOST_SECTIONS
    longest = topology.longest_bucket
    return _graph_shapes(structure, topology) | {
        "start_values": ((indices.START_ROWS, channels), np.float32),
        "scan_low_bytes": ((channels,), np.int16),
        "scan_high_bytes": ((channels,), np.int16),
        "resting_low": ((channels,), np.float32),
        "resting_high": ((channels,), np.float32),
        "knots": ((channels, most + 1), np.float32),
        "inverse": ((channels, most), np.float32),
        "zero_section": ((channels,), np.int32),
        "section_count": ((channels,), np.int32),
        "hot": ((channels, indices.HOT_COLUMNS), np.float32),
        "active_values": ((channels, indices.START_ROWS), np.float32),
        "active_count": ((channels,), np.int32),
        "overflow_values": ((channels, 2, indices.OVERFLOW_VALUES), np.float32),
        "overflow_count": ((channels, 2), np.int32),
        "watch_low": ((channels,), np.float32),
        "watch_high": ((channels,), np.float32),
        "watch_sums": ((indices.WATCH_GROUPS, 3, channels), np.float32),
        "watch_squares": ((channels,), np.float32),
        "watch_targets": ((_targets(structure), 3), np.float64),
        "shares": ((indices.SHARE_LINES, indices.SHARE_COLUMNS), np.float64),
        "trial": ((channels,), np.uint8),
        "trial_drive": ((channels, most), np.float32),
        "use": ((channels,), np.float32),
        "phase": ((channels,), np.uint8),
        "reach_first": ((channels + 1,), np.int32),
        "reach_block": ((edges,), np.int32),
        "home_row": ((edges,), np.int32),
        "edge_neurons": ((edges,), np.int32),
        "row_table": ((most, edges), np.int32),
        "bias": ((blocks, width), np.float32),
        "slow_bias": ((blocks, width), np.float32),
        "output_weights": ((outputs, blocks * width), np.float32),
        "slow_output_weights": ((outputs, blocks * width), np.float32),
        "output_bias": ((outputs,), np.float32),
        "slow_output_bias": ((outputs,), np.float32),
        "target_mean": ((outputs,), np.float64),
        "target_variance": ((outputs,), np.float64),
        "scale_mean": ((outputs,), np.float64),
        "scale_deviation": ((outputs,), np.float64),
        "counters": ((indices.COUNTERS,), np.int64),
        "events": ((indices.EVENT_ROWS, indices.EVENT_COLUMNS), np.int64),
        "meters": ((indices.METERS,), np.float64),
        "random_state": ((1,), np.uint64),
        "scan_flags": ((-(-channels // 8) * 8,), np.uint8),
        "bucket_row": ((blocks, longest), np.int32),
        "bucket_drive": ((blocks, longest), np.float32),
        "bucket_length": ((blocks,), np.int32),
        "others": ((channels,), np.int32),
        "hidden": ((blocks * width,), np.float32),
        "hidden_delta": ((blocks * width,), np.float32),
        "scores": ((outputs,), np.float32),
        "slow_scores": ((outputs,), np.float32),
        "delta": ((outputs,), np.float32),
        "tally": ((outputs,), np.int64),
        "utility": ((channels,), np.float64),
        "heard": ((blocks * width,), np.float64),
        "scratch": ((indices.SCRATCH_LINES, indices.START_ROWS), np.float64),
    }


def allocate_state(structure: NetworkStructure, topology: Topology) -> NetworkState:
    """Allocate an empty network within its memory limit.

    The pool of weight rows takes what the rest leaves, up to the most the structure can use. It
    is allocated whole, because the system lends pages only when they are first written: so
    arrays never move, and a full pool is met at the same row whatever the frame size.

    Raises:
        EngineMemoryError: if the limit does not even hold the fixed arrays.
    """
    limit = structure.options.memory_limit_bytes
    shapes = _fixed_shapes(structure, topology)
    slot_bytes = count_bytes(_list_shapes(structure, 1))
    fixed = count_bytes(shapes) + STATE_GAPS + count_frame_slots(structure.channels) * slot_bytes
    edges = len(topology.reach_block)
    # Connections between hidden neurons exist from the first row on.
    inner = len(topology.inner_source)
    row_bytes = topology.block_width * 8 + (9 if structure.is_spiking else 5)
    least = fixed + (inner + min(edges, 64)) * row_bytes
    if least > limit:
        raise EngineMemoryError(limit, least)
    # Rehearsal never takes more than an eighth of what the weights could have.
    ring = min(rehearsal_rows(structure), (limit - fixed - inner * row_bytes) // 8 // slot_bytes)
    most = inner + edges * indices.MOST_SECTIONS
    capacity = min(most, (limit - fixed - ring * slot_bytes) // row_bytes)
    capacity = max(capacity, 1)
    shapes.update(_list_shapes(structure, ring + count_frame_slots(structure.channels)))
    shapes["weights"] = ((capacity, topology.block_width), np.float32)
    shapes["slow_weights"] = ((capacity, topology.block_width), np.float32)
    shapes["row_used"] = ((capacity,), np.uint8)
    shapes["free_rows"] = ((capacity,), np.int32)
    shapes["trace_place"] = ((capacity if structure.is_spiking else 0,), np.int32)
    state = NetworkState(**allocate(shapes))
    _fill(state, structure, topology)
    return state


def _fill(state: NetworkState, structure: NetworkStructure, topology: Topology) -> None:
    edges = len(topology.reach_block)
    state.reach_first[:] = topology.reach_first
    state.reach_block[:] = topology.reach_block
    state.edge_neurons[:] = topology.block_neurons[topology.reach_block]
    state.home_row[:] = -1
    inner = len(topology.inner_source)
    state.inner_first[:] = topology.inner_first
    state.inner_source[:] = topology.inner_source
    state.row_used[:inner] = 1
    homes = inner + edges if inner + edges <= len(state.row_used) else inner
    state.counters[indices.ROW_TOP] = homes
    state.counters[indices.HOME_ROWS] = homes
    if homes > inner:
        order = np.argsort(topology.reach_block, kind="stable")
        state.home_row[order] = np.arange(inner, homes, dtype=np.int32)
    for block, place in enumerate(topology.block_population if structure.is_spiking else ()):
        spiking = structure.populations[place].spiking
        if spiking is not None:
            state.spiking[block] = (1.0, spiking.leak, spiking.cooldown, spiking.refractory)
    state.counters[indices.NEURONS] = structure.neurons
    state.hot[:, indices.HOT_VALID_LOW] = 1.0
    state.watch_low[:] = 1.0
    state.scale_deviation[:] = 1.0
    state.meters[indices.ERROR_SLOW] = 1.0
    state.meters[indices.STEP_FACTOR] = 1.0
    state.meters[indices.ALARM_LONG] = 1.0
    state.random_state[0] = _seed(structure.options.seed)
    output = structure.output
    if output.size > 0:
        state.counters[indices.KNOWN_OUTPUTS] = output.size
