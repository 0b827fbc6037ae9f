"""What no network can be made from, found before anything is allocated."""

import itertools
import math
from collections.abc import Collection
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
    for population in structure.populations:
        _check_reach(population, structure.channels)
    _check_connections(structure.connections, structure.populations, names)
    if structure.organisation is not None:
        _check_organisation(structure.organisation)
    _check_output(structure.output)
    _check_options(structure.options)


def check_present(population: InputPopulation) -> None:
    """Raise EngineStructureError for new channels with delays: their past would go unseen.

    Only a network made with delays keeps a past, and channels with delays can be added to it.
    """
    where = f"inputs.{population.name}.delays"
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
    _require(all(names), where, "an empty name", "a name for each")
    _require(len(set(names)) == len(names), where, f"names {names}", "each name once")


def _check_inputs(inputs: tuple[InputPopulation, ...]) -> None:
    _check_names([item.name for item in inputs], "inputs")
    for item in inputs:
        where = f"inputs.{item.name}"
        _require(item.channels >= 1, f"{where}.channels", item.channels, "at least 1")
        fits = all(edge >= 1 for edge in item.shape) and math.prod(item.shape) == item.channels
        _require(fits, f"{where}.shape", item.shape, "three edges whose product is `channels`")
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
    names = [item.name for item in populations]
    for place, item in enumerate(populations):
        where = f"populations.{item.name}"
        known = item.name in inputs
        _require(not known, where, "also the name of an input population", "a name of its own")
        _require(item.neurons >= 1, f"{where}.neurons", item.neurons, "at least 1")
        finite = all(math.isfinite(value) for value in item.position)
        _require(finite, f"{where}.position", item.position, "finite numbers")
        for name in item.inputs:
            _check_source(f"{where}.inputs", name, names[:place], names, inputs)
        if item.spiking is not None:
            _check_spiking(f"{where}.spiking", item.spiking)
    total = sum(item.neurons for item in populations)
    _require(total <= _MOST_NEURONS, "populations", f"{total} neurons", f"up to {_MOST_NEURONS}")


def _check_source(
    where: str, name: str, earlier: list[str], hidden: list[str], inputs: Collection[str]
) -> None:
    """Check that a population leads to another one without ever leading back."""
    allowed = f"an input population or a hidden one declared before: {[*inputs, *earlier]}"
    known = name in inputs or name in hidden
    _require(known, where, f"there is no population {name!r}", allowed)
    order = name in inputs or name in earlier
    _require(order, where, f"{name!r} is not declared before, so signals could run in a circle",
             allowed)  # fmt: skip


def _check_spiking(where: str, spiking: Spiking) -> None:
    for name, share in (("leak", spiking.leak), ("cooldown", spiking.cooldown)):
        _require(0.0 <= share < 1.0, f"{where}.{name}", share, "0 to below 1")
    good = 0 <= spiking.refractory <= _MOST_ROWS
    _require(good, f"{where}.refractory", spiking.refractory, f"0 to {_MOST_ROWS} rows")


def _check_reach(population: Population, channels: int) -> None:
    where = f"populations.{population.name}.reach"
    reach = population.reach
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
    names = [item.name for item in populations]
    for place, item in enumerate(connections):
        where = f"connections.{place}"
        known = item.target in names
        _require(known, f"{where}.target", f"there is no hidden population {item.target!r}",
                 f"of {names}")  # fmt: skip
        earlier = names[: names.index(item.target)]
        _check_source(f"{where}.source", item.source, earlier, names, inputs)
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
    _require(good, "output.size", output.size, f"{smallest} to {_MOST_OUTPUTS}")


def _check_options(options: EngineOptions) -> None:
    good = 1 <= options.max_outputs <= _MOST_OUTPUTS
    _require(good, "options.max_outputs", options.max_outputs, f"1 to {_MOST_OUTPUTS}")
    rows = options.rehearsal_rows
    _require(rows is None or rows >= 0, "options.rehearsal_rows", rows, "at least 0")
    steps = options.rehearsal_steps
    good = steps is None or 0.0 <= steps <= 16.0
    _require(good, "options.rehearsal_steps", steps, "0 to 16")
