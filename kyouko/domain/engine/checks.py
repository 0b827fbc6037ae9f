"""What no network can be made from, found before anything is allocated.

Errors name the field as a template does, such as `populations[2].reach.window`: a caller who has a
template can pass them on.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Final

from kyouko.domain.engine.errors import EngineStructureError
from kyouko.domain.engine.structure import (
    Connection,
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    Organisation,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    Spiking,
    TaskKind,
)

__all__ = ["check_present", "check_structure"]

_MOST_CHANNELS: Final = 1 << 24
_MOST_NEURONS: Final = 1 << 20
_MOST_ROWS: Final = 1 << 20  # of delays and of rest after a spike
_MOST_OUTPUTS: Final = 65536


def check_structure(structure: NetworkStructure) -> None:
    """Raise EngineStructureError at the first thing that cannot be built."""
    names = [item.name for item in structure.inputs]
    _check_inputs(structure.inputs)
    _check_populations(structure.populations, names)
    for place, population in enumerate(structure.populations):
        _check_reach(f"populations[{place}].reach", population.reach, structure.channels)
    _check_connections(structure.connections, structure.populations, names)
    if structure.organisation is not None:
        _check_organisation(structure.organisation)
    _check_output(structure.output)
    _check_options(structure.options)


def check_present(population: InputPopulation, place: int) -> None:
    """Raise EngineStructureError for new channels with delays: their past would go unseen.

    Only a network made with delays keeps a past, and channels with delays can be added to it.
    """
    where = f"inputs[{place}].delays"
    _require(not population.delays, where, population.delays, "none in a network without delays")


def _require(condition: bool, where: str, problem: object, allowed: str) -> None:
    if not condition:
        raise EngineStructureError(where, str(problem), allowed)


def _is_length(value: float | None, *, positive: bool = False) -> bool:
    """Tell whether a value is a finite length."""
    if value is None or not math.isfinite(value):
        return False
    return value > 0.0 if positive else value >= 0.0


def _check_names(names: list[str], where: str) -> None:
    _require(len(names) > 0, where, "none", "at least one")
    seen: set[str] = set()
    for place, name in enumerate(names):
        _require(bool(name), f"{where}[{place}].name", "empty", "a name")
        _require(name not in seen, f"{where}[{place}].name", f"{name!r} again", "each name once")
        seen.add(name)


def _check_inputs(inputs: tuple[InputPopulation, ...]) -> None:
    _check_names([item.name for item in inputs], "inputs")
    for place, item in enumerate(inputs):
        where = f"inputs[{place}]"
        _require(item.channels >= 1, f"{where}.channels", item.channels, "at least 1")
        fits = all(edge >= 1 for edge in item.shape) and math.prod(item.shape) == item.channels
        _require(fits, f"{where}.extent", item.shape, "three edges whose product is `channels`")
        finite = all(math.isfinite(value) for value in item.position)
        _require(finite, f"{where}.position", item.position, "finite numbers")
        good = _is_length(item.spacing, positive=True)
        _require(good, f"{where}.spacing", item.spacing, "above 0")
        ascend = all(early < late for early, late in itertools.pairwise((0, *item.delays)))
        good = ascend and max(item.delays, default=0) <= _MOST_ROWS
        _require(good, f"{where}.delays", item.delays, f"ascending, from 1 to {_MOST_ROWS}")
    total = sum(item.channels for item in inputs)
    _require(total <= _MOST_CHANNELS, "inputs", f"{total} channels", f"up to {_MOST_CHANNELS}")


def _check_populations(populations: tuple[Population, ...], inputs: list[str]) -> None:
    _check_names([item.name for item in populations], "populations")
    places = _places(populations, inputs)
    for place, item in enumerate(populations):
        where = f"populations[{place}]"
        known = item.name in inputs
        _require(
            not known, f"{where}.name", "also the name of an input population", "a name of its own"
        )
        _require(item.neurons >= 1, f"{where}.neurons", item.neurons, "at least 1")
        finite = all(math.isfinite(value) for value in item.position)
        _require(finite, f"{where}.position", item.position, "finite numbers")
        for number, name in enumerate(item.inputs):
            _check_source(f"{where}.reach.inputs[{number}]", name, place, places)
        if item.spiking is not None:
            _check_spiking(f"{where}.spiking", item.spiking)
    total = sum(item.neurons for item in populations)
    _require(total <= _MOST_NEURONS, "populations", f"{total} neurons", f"up to {_MOST_NEURONS}")


def _check_source(where: str, name: str, before: int, places: Mapping[str, int]) -> None:
    """Check that a population leads to one at the place `before` without ever leading back."""
    place = places.get(name)
    if place is not None and place < before:
        return
    # Only now: written for each of thousands of connections, the list would take minutes.
    known = [item for item, found in places.items() if found < before]
    allowed = f"an input population or a hidden one declared before: {known}"
    _require(place is not None, where, f"there is no population {name!r}", allowed)
    _require(False, where, f"{name!r} is not declared before, so signals could run in a circle",
             allowed)  # fmt: skip


def _places(populations: tuple[Population, ...], inputs: list[str]) -> dict[str, int]:
    """Return the place of each hidden population, and -1 for each input."""
    places = dict.fromkeys(inputs, -1)
    return places | {item.name: place for place, item in enumerate(populations)}


def _check_spiking(where: str, spiking: Spiking) -> None:
    for name, share in (("leak", spiking.leak), ("cooldown", spiking.cooldown)):
        _require(0.0 <= share < 1.0, f"{where}.{name}", share, "0 to below 1")
    good = 0 <= spiking.refractory <= _MOST_ROWS
    _require(good, f"{where}.refractory", spiking.refractory, f"0 to {_MOST_ROWS} rows")


def _check_reach(where: str, reach: Reach, channels: int) -> None:
    if reach.kind is ReachKind.WINDOW:
        good = reach.window is not None and all(map(_is_length, reach.window))
        _require(good, f"{where}.window", reach.window, "three lengths of at least 0")
    if reach.kind is ReachKind.RADIUS:
        _require(_is_length(reach.radius), f"{where}.radius", reach.radius, "at least 0")
    if reach.kind is ReachKind.CHANNELS:
        _check_channels(f"{where}.channels", reach, channels)
    if reach.falloff is not None:
        good = _is_length(reach.falloff, positive=True)
        _require(good, f"{where}.falloff", reach.falloff, "above 0")


def _check_channels(where: str, reach: Reach, channels: int) -> None:
    _require(len(reach.channels) > 0, where, "none", "at least one")
    ascend = all(early < late for early, late in itertools.pairwise(reach.channels))
    _require(ascend, where, "not in order, or twice the same", "ascending places in the row")
    first, last = reach.channels[0], reach.channels[-1]
    inside = first >= 0 and last < channels
    _require(inside, where, last if first >= 0 else first, f"0 to {channels - 1}")


def _check_connections(
    connections: tuple[Connection, ...], populations: tuple[Population, ...], inputs: list[str]
) -> None:
    places = _places(populations, inputs)
    for number, item in enumerate(connections):
        where = f"connections[{number}]"
        target = places.get(item.target, -1)
        if target < 0:
            found = f"there is no hidden population {item.target!r}"
            allowed = f"of {[item.name for item in populations]}"
            raise EngineStructureError(f"{where}.target", found, allowed)
        _check_source(f"{where}.source", item.source, target, places)
        _require(0.0 < item.chance <= 1.0, f"{where}.chance", item.chance, "above 0 to 1")


def _check_organisation(item: Organisation) -> None:
    for name, value in (("populations", item.populations), ("channels", item.channels)):
        _require(value >= 1, f"organisation.{name}", value, "at least 1")
    total = item.populations * item.neurons
    good = item.neurons >= 1 and total <= _MOST_NEURONS
    _require(good, "organisation.neurons", item.neurons, f"1 to {_MOST_NEURONS} in all")
    good = 1 <= item.at_row <= _MOST_ROWS
    _require(good, "organisation.at_row", item.at_row, f"1 to {_MOST_ROWS}")


def _check_output(output: OutputPopulation) -> None:
    smallest = 1 if output.kind is TaskKind.NUMBERS else 0
    good = smallest <= output.size <= _MOST_OUTPUTS
    _require(good, "outputs[0].size", output.size, f"{smallest} to {_MOST_OUTPUTS}")


def _check_options(options: EngineOptions) -> None:
    good = 1 <= options.max_outputs <= _MOST_OUTPUTS
    _require(good, "options.max_labels", options.max_outputs, f"1 to {_MOST_OUTPUTS}")
    rows = options.rehearsal_rows
    _require(rows is None or rows >= 0, "options.rehearsal_rows", rows, "at least 0")
    steps = options.rehearsal_steps
    good = steps is None or 0.0 <= steps <= 16.0
    _require(good, "options.rehearsal_steps", steps, "0 to 16")
