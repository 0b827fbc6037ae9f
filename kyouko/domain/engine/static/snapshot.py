"""Export and import of a static network's state, exact to the bit; the same on every device."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStateError
from kyouko.domain.engine.interface import GrowthKind
from kyouko.domain.engine.static.backend import Weights
from kyouko.domain.engine.static.events import KEPT_EVENTS, EventLog
from kyouko.domain.engine.static.layers import Plan
from kyouko.domain.engine.static.outputs import TargetScale
from kyouko.domain.engine.static.scaling import BLOCK_ROWS, Scaling
from kyouko.domain.engine.structure import NetworkStructure
from kyouko.kernels import dense_indices as indices

__all__ = ["FORMAT_VERSION", "check_arrays", "describe", "export_arrays", "take_arrays"]

Array = npt.NDArray[Any]

FORMAT_VERSION: Final = 1
_ENGINE: Final = "static"
_BY_OUTPUT: Final = ("parameters", "first_moment", "second_moment")


def describe(structure: NetworkStructure, plan: Plan) -> dict[str, Any]:
    """Return what a state must fit; the device is not part of it."""
    return {
        "engine": _ENGINE,
        "format": FORMAT_VERSION,
        "channels": structure.channels,
        "layers": [[item.neurons, item.activation] for item in plan.layers],
        "most_outputs": structure.most_outputs,
        "kind": structure.output.kind.value,
        "optimizer": structure.options.optimizer.value,
    }


def export_arrays(
    plan: Plan,
    weights: Weights,
    channels: Scaling,
    targets: TargetScale | None,
    log: EventLog,
) -> dict[str, Array]:
    """Copy everything; of the weights only what belongs to known outputs."""
    used = plan.used_parameters(int(weights.counters[indices.KNOWN_OUTPUTS]))
    arrays: dict[str, Array] = {}
    for name, array in _named(weights, channels, targets, log):
        if name in _BY_OUTPUT:
            arrays[name] = array[:used].copy()
        elif name.endswith("recent_rows"):
            owner = channels if targets is None or name.startswith("channels/") else targets.scaling
            arrays[name] = array[: owner.waiting_rows()].copy()
        else:
            arrays[name] = array.copy()
    return arrays


def take_arrays(
    arrays: dict[str, Array],
    weights: Weights,
    channels: Scaling,
    targets: TargetScale | None,
    log: EventLog,
) -> None:
    """Fill freshly allocated arrays.

    Raises:
        EngineStateError: if an array is missing or does not fit.
    """
    for name, target in _named(weights, channels, targets, log):
        source = arrays.get(name)
        if source is None:
            raise EngineStateError(f"array {name} is missing")
        shorter = name in _BY_OUTPUT or name.endswith("recent_rows")
        fits = source.dtype == target.dtype and source.shape[1:] == target.shape[1:]
        fits = fits and source.ndim == target.ndim and len(source) <= len(target)
        if not fits or (not shorter and len(source) != len(target)):
            raise EngineStateError(
                f"array {name} is {source.dtype} of shape {source.shape}, expected "
                f"{target.dtype} of shape {target.shape}"
            )
        target[: len(source)] = source


def check_arrays(
    structure: NetworkStructure,
    arrays: dict[str, Array],
    plan: Plan,
    weights: Weights,
    scalings: dict[str, Scaling],
    log: EventLog,
) -> None:
    """Check what is used as an index or a divisor; the kernels run without bounds checks.

    Raises:
        EngineStateError: if a value is outside its range.
    """
    known = int(weights.counters[indices.KNOWN_OUTPUTS])
    fixed = structure.output.size
    _require(fixed <= known <= structure.most_outputs, f"{known} outputs")
    _require(bool((weights.counters >= 0).all()), "a negative counter")
    used = plan.used_parameters(known)
    for name in _BY_OUTPUT:
        room = len(getattr(weights, name))
        _require(len(arrays[name]) == min(used, room), f"{len(arrays[name])} values in {name}")
    for item in fields(weights):
        good = bool(np.isfinite(getattr(weights, item.name)).all())
        _require(good, f"{item.name} holds values that are not finite")
    kinds = {int(kind) for kind in GrowthKind}
    total = int(log.total[0])
    noted = set(log.kept[: max(0, min(total, KEPT_EVENTS)), 1].tolist())
    _require(total >= 0 and noted <= kinds, "events")
    for name, scaling in scalings.items():
        rows, blocks, starting, first = scaling.progress.tolist()
        good = rows >= 0 and blocks >= 0 and starting in (0, 1)
        good = good and 0 <= first <= len(scaling.center)
        _require(good and scaling.rows_until_review() > 0, "progress of the scaling")
        waiting = scaling.waiting_rows()
        good = waiting < BLOCK_ROWS and waiting == len(arrays[f"{name}/recent_rows"])
        _require(good, f"{waiting} rows of the scaling")
        scale = (scaling.deviation, scaling.evidence, scaling.inverse)
        good = all(bool((np.isfinite(array) & (array >= 0.0)).all()) for array in scale)
        _require(good and bool(np.isfinite(scaling.center).all()), "a scale")
    if "targets" in scalings:
        center, unit = arrays["targets/output_center"], arrays["targets/output_unit"]
        good = bool((np.isfinite(center) & np.isfinite(unit) & (unit > 0.0)).all())
        _require(good, "a unit of the targets")


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise EngineStateError(f"{found} cannot be in this network")


def _named(
    weights: Weights, channels: Scaling, targets: TargetScale | None, log: EventLog
) -> Iterator[tuple[str, Array]]:
    """List all arrays by the names that they are saved under."""
    for item in fields(weights):
        yield item.name, getattr(weights, item.name)
    for item in fields(channels):
        yield f"channels/{item.name}", getattr(channels, item.name)
    if targets is not None:
        for item in fields(targets.scaling):
            yield f"targets/{item.name}", getattr(targets.scaling, item.name)
        yield "targets/output_center", targets.center
        yield "targets/output_unit", targets.unit
    yield "events", log.kept
    yield "event_total", log.total
