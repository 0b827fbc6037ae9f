"""Export and import of a mixture: the experts' arrays beside those of the inner engine."""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStateError
from kyouko.domain.engine.experts.sleeping import MOST_NAPS
from kyouko.domain.engine.experts.state import SCRATCH, ExpertState
from kyouko.domain.engine.interface import EngineState
from kyouko.domain.engine.structure import NetworkStructure
from kyouko.kernels.compile import SOURCE_STAMP

__all__ = ["MixtureParts", "export_mixture", "import_experts", "split_mixture"]

Array = npt.NDArray[Any]

_ENGINE: Final = "mixture"
_FORMAT: Final = 1
_INNER: Final = "inner/"
_EXPERTS: Final = "experts/"
_RAW: Final = frozenset({"ring_values"})  # holds NaN where rows had gaps


@dataclass(frozen=True)
class MixtureParts:
    """A mixture's state taken apart.

    Attributes:
        inner: state of the inner engine.
        experts: arrays of the experts by name, or None if there are none any more.
        header: of the mixture.
    """

    inner: EngineState
    experts: dict[str, Array] | None
    header: dict[str, Any]


def _describe(structure: NetworkStructure, state: ExpertState | None) -> dict[str, Any]:
    return {
        "engine": _ENGINE,
        "format": _FORMAT,
        "channels": structure.channels,
        "most_outputs": structure.most_outputs,
        "kind": structure.output.kind.value,
        "kept_rows": 0 if state is None else state.kept_rows,
    }


def export_mixture(
    structure: NetworkStructure, experts: ExpertState | None, inner: EngineState
) -> EngineState:
    """Copy the experts' arrays and put them beside the inner engine's."""
    arrays = {_INNER + name: array for name, array in inner.arrays.items()}
    if experts is not None:
        names = [item.name for item in fields(experts) if item.name not in SCRATCH]
        arrays |= {_EXPERTS + name: getattr(experts, name).copy() for name in names}
    header = _describe(structure, experts)
    header |= {"kernels": SOURCE_STAMP, "experts": experts is not None, "inner": inner.header}
    return EngineState(arrays, header)


def split_mixture(saved: EngineState) -> MixtureParts | None:
    """Take a mixture's state apart; None if it is the state of an engine without experts.

    Raises:
        EngineStateError: if it is a mixture's, but not of this version.
    """
    header = saved.header
    if header.get("engine") != _ENGINE:
        return None
    inner = header.get("inner")
    if not isinstance(inner, dict) or not isinstance(header.get("experts"), bool):
        raise EngineStateError("the header of the mixture is incomplete")

    def part(prefix: str) -> dict[str, Array]:
        names = [name for name in saved.arrays if name.startswith(prefix)]
        return {name.removeprefix(prefix): saved.arrays[name] for name in names}

    experts = part(_EXPERTS) if header["experts"] else None
    return MixtureParts(EngineState(part(_INNER), inner), experts, header)


def import_experts(structure: NetworkStructure, state: ExpertState, parts: MixtureParts) -> None:
    """Fill freshly allocated experts.

    Raises:
        EngineStateError: if the saved arrays are of another structure, or not consistent in
            themselves. The kernels run without bounds checks, so everything that they use as an
            index is checked here.
    """
    for key, value in _describe(structure, state).items():
        if parts.header.get(key) != value:
            raise EngineStateError(f"{key} is {parts.header.get(key)!r}, expected {value!r}")
    for item in fields(state):
        if item.name in SCRATCH:
            continue
        target = getattr(state, item.name)
        source = (parts.experts or {}).get(item.name)
        if source is None or source.dtype != target.dtype or source.shape != target.shape:
            raise EngineStateError(f"array {_EXPERTS}{item.name} is missing or does not fit")
        if item.name not in _RAW and not np.isfinite(source).all():
            raise EngineStateError(f"array {_EXPERTS}{item.name} is not finite")
        target[:] = source
    _check_indices(structure, state)


def _check_indices(structure: NetworkStructure, state: ExpertState) -> None:
    kept = state.kept_rows
    most = np.iinfo(np.int64).max // 2
    for array, lowest, highest, name in (
        (state.ring_counters, (0, 0), (kept - 1, kept), "ring_counters"),
        (state.ring_label, 0, structure.most_outputs - 1, "ring_label"),
        (state.naps, 0, MOST_NAPS - 1, "naps"),
        (state.awake, 0, 1, "awake"),
        (state.channel_count, 0, most, "channel_count"),
        (state.turn_at, 0, most, "turn_at"),
        (state.counters, 0, most, "counters"),
    ):
        if (array < np.asarray(lowest)).any() or (array > np.asarray(highest)).any():
            raise EngineStateError(f"array {_EXPERTS}{name} is outside {lowest} to {highest}")
