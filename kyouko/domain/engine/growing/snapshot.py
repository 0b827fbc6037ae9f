"""Export and import of a network's state, exact to the bit; no files, no formats on disk."""

from dataclasses import fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStateError
from kyouko.domain.engine.growing.state import NetworkState
from kyouko.domain.engine.interface import EngineState, GrowthKind
from kyouko.domain.engine.structure import NetworkStructure
from kyouko.kernels import indices
from kyouko.kernels.compile import SOURCE_STAMP

__all__ = ["FORMAT_VERSION", "export_arrays", "import_arrays"]

Array = npt.NDArray[Any]

FORMAT_VERSION: Final = 4
_ENGINE: Final = "growing"

_LISTS_AT_ONCE: Final = 64

# Follow from the structure, or hold nothing between calls.
_NOT_SAVED: Final = frozenset(
    {
        "reach_first", "reach_block", "edge_neurons", "scan_flags", "bucket_row", "bucket_drive",
        "bucket_length", "others", "hidden", "hidden_delta", "scores", "slow_scores", "delta",
        "tally", "utility", "heard", "scratch", "inner_first", "inner_source", "inner_length",
        "spiking", "trace_place", "lowered",
    }
)  # fmt: skip
_POOL: Final = ("weights", "slow_weights")
_LISTS: Final = ("list_channel", "list_value")
_TRACES: Final = ("trace_row", "trace_drive")
_SLOTS: Final = ("list_length", "list_label", "list_target")
_RAW: Final = frozenset({"start_values", "list_value"})  # hold what the rows held, NaN too


def _describe(structure: NetworkStructure, state: NetworkState) -> dict[str, Any]:
    return {
        "engine": _ENGINE,
        "format": FORMAT_VERSION,
        "channels": structure.channels,
        "edges": len(state.reach_block),
        "inner_edges": len(state.inner_source),
        "spiking": len(state.spiking) > 0,
        "blocks": len(state.bias),
        "block_width": state.bias.shape[1],
        "weight_rows": len(state.weights),
        "most_outputs": structure.most_outputs,
        "ring_rows": state.ring_rows,
        "kind": structure.output.kind.value,
    }


def export_arrays(structure: NetworkStructure, state: NetworkState) -> EngineState:
    """Copy the saved arrays, without the parts of pools that nobody uses."""
    filled = int(state.counters[indices.RING_FILLED])
    free = int(state.counters[indices.FREE_ROWS])
    known = int(state.counters[indices.KNOWN_OUTPUTS])
    used = np.flatnonzero(state.row_used)
    lengths = state.list_length[:filled]
    inside = np.arange(structure.channels) < lengths[:, None]
    arrays: dict[str, Array] = {}
    for item in fields(state):
        name = item.name
        if name in _NOT_SAVED:
            continue
        array = getattr(state, name)
        if name in _POOL:
            arrays[name] = array[used]
        elif name in _LISTS:
            arrays[name] = array[:filled][inside]
        elif name in _TRACES:
            arrays[name] = array[_kept_traces(state)]
        elif name in _SLOTS:
            arrays[name] = array[:filled].copy()
        elif name == "free_rows":
            arrays[name] = array[:free].copy()
        elif name in ("output_weights", "slow_output_weights"):
            arrays[name] = array[:known].copy()
        elif name == "row_table":
            sections = int(state.section_count.max())
            arrays[name] = array[:sections].copy()
        else:
            arrays[name] = array.copy()
    header = _describe(structure, state)
    header["kernels"] = SOURCE_STAMP
    header["learned_rows"] = int(state.counters[indices.LEARNED_ROWS])
    return EngineState(arrays=arrays, header=header)


def _kept_traces(state: NetworkState) -> npt.NDArray[np.bool_]:
    """Return which places of the traces are in use."""
    return np.asarray(np.arange(state.trace_row.shape[1]) < state.trace_length[:, None])


def _take(arrays: dict[str, Array], name: str, like: Array) -> Array:
    array = arrays.get(name)
    if array is None:
        raise EngineStateError(f"array {name} is missing")
    if array.dtype != like.dtype or array.ndim > like.ndim:
        raise EngineStateError(f"array {name} is {array.dtype} of {array.ndim} dimensions")
    return array


def _copy_front(target: Array, source: Array, name: str) -> None:
    """Copy `source` over the first rows of `target`, which it must fit."""
    if source.shape[1:] != target.shape[1:] or len(source) > len(target):
        raise EngineStateError(f"array {name} has shape {source.shape}, room is {target.shape}")
    _check_finite(source, name)
    target[: len(source)] = source


def _check_finite(source: Array, name: str) -> None:
    if name not in _RAW and source.dtype.kind == "f" and not np.isfinite(source).all():
        raise EngineStateError(f"array {name} holds values that are not finite")


def import_arrays(structure: NetworkStructure, state: NetworkState, saved: EngineState) -> None:
    """Fill a freshly allocated state.

    Raises:
        EngineStateError: if the saved state is of another structure, engine or format, or is not
            consistent in itself. The kernels run without bounds checks, so everything that they
            use as an index is checked here.
    """
    for key, value in _describe(structure, state).items():
        if saved.header.get(key) != value:
            raise EngineStateError(f"{key} is {saved.header.get(key)!r}, expected {value!r}")
    arrays = saved.arrays
    for item in fields(state):
        name = item.name
        if name in _NOT_SAVED or name in _POOL or name in _LISTS or name in _TRACES:
            continue
        array = getattr(state, name)
        _copy_front(array, _take(arrays, name, array), name)
    _check_indices(state, structure)
    _check_rows(state)
    used = np.flatnonzero(state.row_used)
    for name in _POOL:
        target = getattr(state, name)
        source = _take(arrays, name, target)
        if source.shape != (len(used), target.shape[1]):
            raise EngineStateError(f"array {name} has shape {source.shape}")
        _check_finite(source, name)
        target[used] = source
    kept = _kept_traces(state)
    for name in _TRACES:
        target = getattr(state, name)
        source = _take(arrays, name, target)
        if source.shape != (int(kept.sum()),):
            raise EngineStateError(f"array {name} has shape {source.shape}")
        _check_finite(source, name)
        target[kept] = source
    _check_traces(state)
    filled = int(state.counters[indices.RING_FILLED])
    inside = np.arange(structure.channels) < state.list_length[:filled, None]
    for name in _LISTS:
        target = getattr(state, name)
        source = _take(arrays, name, target)
        if source.shape != (int(inside.sum()),):
            raise EngineStateError(f"array {name} has shape {source.shape}")
        target[:filled][inside] = source
    if (state.list_channel[:filled] < 0).any() or (
        state.list_channel[:filled] >= structure.channels
    ).any():
        raise EngineStateError("array list_channel points outside the channels")
    _check_lists(state.list_channel[:filled], inside)


def _check_indices(state: NetworkState, structure: NetworkStructure) -> None:
    counters = state.counters
    capacity = len(state.row_used)

    def between(value: Any, low: int, high: int, name: str) -> None:
        if np.any(np.asarray(value) < low) or np.any(np.asarray(value) > high):
            raise EngineStateError(f"{name} is outside {low} to {high}")

    between(counters, 0, np.iinfo(np.int64).max // 2, "a counter")
    between(counters[indices.GROWTH_STOPPED], 0, 2, "reason why growth stopped")
    between(counters[indices.START_FROM], 0, counters[indices.LEARNED_ROWS], "row of a start")
    between(counters[indices.ROW_TOP], 0, capacity, "counter of weight rows")
    between(counters[indices.FREE_ROWS], 0, capacity, "counter of free rows")
    between(counters[indices.KNOWN_OUTPUTS], 0, structure.most_outputs, "counter of outputs")
    between(counters[indices.RING_FILLED], 0, state.ring_rows, "counter of rehearsed rows")
    between(counters[indices.RING_NEXT], 0, max(state.ring_rows - 1, 0), "place of rehearsal")
    between(counters[indices.HOME_ROWS], 0, counters[indices.ROW_TOP], "counter of home rows")
    between(counters[indices.NEW_FROM], 0, structure.channels - 1, "counter of older channels")
    between(counters[indices.RECENT_NEXT], 0, indices.START_ROWS - 1, "place of sampled rows")
    between(counters[indices.TRIAL_LEFT], 0, 2 * indices.TRIAL_ROWS, "rows of a trial")
    between(counters[indices.NEURONS], structure.neurons, structure.neurons, "counter of neurons")
    noted = min(int(counters[indices.EVENTS]), indices.EVENT_ROWS)
    between(state.events[:noted, 1], min(GrowthKind), max(GrowthKind), "kind of an event")
    most = max(structure.channels, structure.most_outputs) - 1
    between(state.events[:noted, 2], -1, most, "subject of an event")
    between(state.home_row, -1, capacity - 1, "home_row")
    between(state.section_count, 0, indices.MOST_SECTIONS, "section_count")
    between(state.zero_section, 0, state.section_count.max(initial=0), "zero_section")
    between(state.active_count, 0, indices.START_ROWS, "active_count")
    between(state.trace_length, 0, state.trace_row.shape[1], "trace_length")
    between(state.trial, indices.TRIAL_OFF, indices.TRIAL_SILENT, "trial")
    between(state.phase, indices.PHASE_NEW, indices.PHASE_PRUNED, "phase")
    between(state.overflow_count, 0, indices.OVERFLOW_VALUES - 1, "overflow_count")
    between(state.row_table, 0, capacity - 1, "row_table")
    between(state.free_rows, 0, capacity - 1, "free_rows")
    between(state.list_length, 0, structure.channels, "list_length")
    between(state.list_label, 0, structure.most_outputs - 1, "list_label")


def _owners(state: NetworkState) -> npt.NDArray[np.int64]:
    """Return the block of each weight row that a section or an inner edge uses, -1 for others."""
    owner = np.full(len(state.row_used), -1)
    blocks = np.repeat(np.arange(len(state.bias)), np.diff(state.inner_first))
    owner[: len(blocks)] = blocks
    sections = np.repeat(state.section_count, np.diff(state.reach_first))
    for section in range(int(sections.max(initial=0))):
        edges = np.flatnonzero(sections > section)
        owner[state.row_table[section, edges]] = state.reach_block[edges]
    return owner


def _check_rows(state: NetworkState) -> None:
    """Check that no weight row is used, or free, twice: returned rows would overflow the stack."""
    counters = state.counters
    edges = np.diff(state.reach_first)
    uses = len(state.inner_source) + int((state.section_count * edges).sum())
    in_use = _owners(state) >= 0
    if int(in_use.sum()) != uses or (in_use != (state.row_used == 1)).any():
        raise EngineStateError("array row_used does not fit to row_table")
    free = state.free_rows[: int(counters[indices.FREE_ROWS])]
    homes = state.home_row[state.home_row >= 0]
    spare = in_use[free].any() or (free < counters[indices.HOME_ROWS]).any()
    if spare or len(np.unique(free)) != len(free):
        raise EngineStateError("array free_rows holds rows that are not free")
    if in_use[int(counters[indices.ROW_TOP]) :].any() or len(np.unique(homes)) != len(homes):
        raise EngineStateError("array home_row or the counter of weight rows does not fit")


def _check_traces(state: NetworkState) -> None:
    """Check that a block remembers rows of its own, each once; those of drive 0 are forgotten."""
    if (state.trace_row < 0).any() or (state.trace_row >= len(state.row_used)).any():
        raise EngineStateError("array trace_row points outside the weight rows")
    owner = _owners(state)
    kept = _kept_traces(state) & (state.trace_drive != 0.0)
    for block, rows in enumerate(state.trace_row):
        rows = rows[kept[block]]
        if (owner[rows] != block).any() or len(np.unique(rows)) != len(rows):
            raise EngineStateError("array trace_row holds rows of other blocks")


def _check_lists(channels: Array, inside: npt.NDArray[np.bool_]) -> None:
    """Check that no kept row lists a channel twice: it would fill a bucket beyond its end."""
    width = channels.shape[1]
    # The unused ends get numbers of their own, beyond those of the channels.
    filler = np.arange(width, 2 * width, dtype=np.int32)
    for start in range(0, len(channels), _LISTS_AT_ONCE):
        part = slice(start, start + _LISTS_AT_ONCE)
        ordered = np.sort(np.where(inside[part], channels[part], filler), axis=1)
        if (ordered[:, 1:] == ordered[:, :-1]).any():
            raise EngineStateError("array list_channel lists a channel twice")
