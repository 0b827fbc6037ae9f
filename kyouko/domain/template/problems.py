"""All that can be wrong with a template whose fields are of the right types."""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from kyouko.domain.engine import (
    Activation,
    Connection,
    Device,
    EngineOptions,
    NetworkKind,
    NetworkStructure,
    Optimizer,
    Organisation,
    OutputPopulation,
    Reach,
    ReachKind,
    Spiking,
    TaskKind,
)
from kyouko.domain.engine.growing.topology import lay_out
from kyouko.domain.pipeline.lags import CALENDAR, engine_structure
from kyouko.domain.template import limits
from kyouko.domain.template.pipeline_problems import problems_of_pipeline
from kyouko.domain.template.sizes import count_channels, problems_of_size
from kyouko.domain.template.template import (
    NetworkTemplate,
    TemplateInput,
    TemplateProblem,
    Vector,
    structure_of,
)

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")


def problems_of(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    """Yield all that is wrong with a template and can be said without knowing open channels."""
    before = list(_problems_before_layout(template)) + list(problems_of_pipeline(template))
    yield from before
    yield from _problems_of_options(template.options)
    yield from _problems_of_kind(template)
    has_reach = all(item.known_channels is not None for item in template.inputs)
    # What is wrong above would be said a second time, or make the layout fail.
    if has_reach and not before and template.kind is NetworkKind.GROWING:
        yield from _problems_of_reach(engine_structure(structure_of(template)))


def _problems_before_layout(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    yield from _problems_of_inputs(template.inputs)
    yield from _problems_of_populations(template)
    yield from _problems_of_connections(template)
    yield from _problems_of_organisation(template.organisation)
    yield from _problems_of_outputs(template.outputs)


def _problems_of_inputs(inputs: tuple[TemplateInput, ...]) -> Iterator[TemplateProblem]:
    yield from _outside("inputs", len(inputs), 1, limits.MOST_INPUTS, "input populations")
    yield from _problems_of_names("inputs", [item.name for item in inputs])
    for index, item in enumerate(inputs):
        yield from _problems_of_input(f"inputs[{index}]", item)
    opened = [index for index, item in enumerate(inputs) if item.known_channels is None]
    for index in opened[1:]:
        yield TemplateProblem(
            f"inputs[{index}].channels",
            f"only one input population may leave its channels open, and inputs[{opened[0]}] does",
        )
    total = count_channels(inputs)
    if total > limits.MOST_CHANNELS:
        yield TemplateProblem(
            "inputs", f"{total} channels in all, delayed ones too; at most {limits.MOST_CHANNELS}"
        )


def _problems_of_input(path: str, item: TemplateInput) -> Iterator[TemplateProblem]:
    if item.channels is not None:
        yield from _outside(f"{path}.channels", item.channels, 1, limits.MOST_CHANNELS)
    for edge, axis in zip(item.extent or (), "xyz", strict=False):
        yield from _outside(
            f"{path}.extent", edge, 1, limits.MOST_CHANNELS, f"channels along {axis}"
        )
    if item.extent is not None and item.channels not in (None, math.prod(item.extent)):
        yield TemplateProblem(
            f"{path}.extent",
            f"{' x '.join(map(str, item.extent))} makes {math.prod(item.extent)} channels, "
            f"but channels says {item.channels}",
        )
    yield from _problems_of_position(f"{path}.position", item.position)
    yield from _problems_of_delays(f"{path}.delays", item.delays)


def _problems_of_delays(path: str, delays: tuple[int, ...]) -> Iterator[TemplateProblem]:
    yield from _outside(path, len(delays), 0, limits.MOST_DELAYS, "delays")
    for place, delay in enumerate(delays[: limits.MOST_DELAYS]):
        yield from _outside(f"{path}[{place}]", delay, 1, limits.MOST_DELAY, "rows ago")
    if any(later <= earlier for earlier, later in itertools.pairwise(delays)):
        yield TemplateProblem(path, "the delays have to ascend, each given once")


def _problems_of_populations(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    populations = template.populations
    yield from _outside("populations", len(populations), 1, limits.MOST_POPULATIONS, "populations")
    names = [item.name for item in populations]
    yield from _problems_of_names("populations", names)
    named = sum(len(item.inputs) for item in populations)
    yield from _outside("populations", named, 0, limits.MOST_REACH_NAMES, "names in reaches")
    if named > limits.MOST_REACH_NAMES:
        return
    places = _places(template)
    for index, item in enumerate(populations):
        path = f"populations[{index}]"
        if places[item.name] < 0:
            yield TemplateProblem(f"{path}.name", f"{item.name!r} is the name of an input already")
        yield from _outside(f"{path}.neurons", item.neurons, 1, limits.MOST_NEURONS)
        yield from _problems_of_position(f"{path}.position", item.position)
        for place, name in enumerate(item.inputs):
            yield from _problems_of_source(f"{path}.reach.inputs[{place}]", name, index, places)
        yield from _problems_of_shape(f"{path}.reach", item.reach)
        yield from _problems_of_spiking(f"{path}.spiking", item.spiking)
    found = template.organisation
    is_found_right = found is None or not any(_problems_of_organisation(found))
    yield from problems_of_size(template, found if is_found_right else None)


def _places(template: NetworkTemplate) -> Mapping[str, int]:
    """Return the place of each hidden population, and -1 for each input; the first of a name."""
    places = dict.fromkeys((item.name for item in template.inputs), -1)
    if template.pipeline is not None and template.pipeline.calendar is not None:
        places.setdefault(CALENDAR, -1)
    for index, item in enumerate(template.populations):
        places.setdefault(item.name, index)
    return places


def _problems_of_source(
    path: str, name: str, before: int, places: Mapping[str, int]
) -> Iterator[TemplateProblem]:
    """Refuse what is no input population and no hidden one before the place `before`."""
    place = places.get(name)
    if place is None:
        known = (item for item, found in places.items() if found < before)
        yield TemplateProblem(
            path, f"there is no population {name[:64]!r}; there are {_some(known)}"
        )
    elif place >= before:
        yield TemplateProblem(
            path, f"{name[:64]!r} has to be declared before the population that it leads to"
        )


def _some(names: Iterable[str]) -> str:
    """List the first names; there may be thousands, in thousands of problems."""
    shown = list(itertools.islice(names, limits.MOST_REPORTED + 1))
    listed = ", ".join(shown[: limits.MOST_REPORTED])
    return f"{listed} and others" if len(shown) > limits.MOST_REPORTED else listed


def _problems_of_shape(path: str, reach: Reach) -> Iterator[TemplateProblem]:
    if reach.window is not None and not all(
        math.isfinite(edge) and edge >= 0 for edge in reach.window
    ):
        yield TemplateProblem(f"{path}.window", "needs three lengths of at least 0")
    for name, length in (("radius", reach.radius), ("falloff", reach.falloff)):
        if length is not None and not (math.isfinite(length) and length > 0):
            yield TemplateProblem(f"{path}.{name}", f"{length:g} is not above 0")


def _problems_of_spiking(path: str, spiking: Spiking | None) -> Iterator[TemplateProblem]:
    if spiking is None:
        return
    for name, share in (("leak", spiking.leak), ("cooldown", spiking.cooldown)):
        if not 0.0 <= share < 1.0:
            yield TemplateProblem(f"{path}.{name}", f"{share:g} is not a share from 0 to below 1")
    yield from _outside(f"{path}.refractory", spiking.refractory, 0, limits.MOST_REFRACTORY, "rows")


def _problems_of_connections(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    connections = template.connections
    yield from _outside("connections", len(connections), 0, limits.MOST_CONNECTIONS, "connections")
    if len(connections) > limits.MOST_CONNECTIONS:
        return
    places = _places(template)
    seen: set[tuple[str, str]] = set()
    for index, item in enumerate(connections):
        path = f"connections[{index}]"
        yield from _problems_of_ends(path, item, places)
        if (item.source, item.target) in seen:
            yield TemplateProblem(path, f"{item.source!r} to {item.target!r} is given twice")
        seen.add((item.source, item.target))
        if not 0.0 < item.chance <= 1.0:
            yield TemplateProblem(f"{path}.chance", f"{item.chance:g} is not above 0 and up to 1")


def _problems_of_ends(
    path: str, item: Connection, places: Mapping[str, int]
) -> Iterator[TemplateProblem]:
    target = places.get(item.target, -1)
    if target < 0:
        hidden = (name for name, place in places.items() if place >= 0)
        yield TemplateProblem(
            f"{path}.target",
            f"there is no hidden population {item.target[:64]!r}; there are {_some(hidden)}",
        )
        return
    yield from _problems_of_source(f"{path}.source", item.source, target, places)


def _problems_of_organisation(item: Organisation | None) -> Iterator[TemplateProblem]:
    if item is None:
        return
    path = "organisation"
    yield from _outside(f"{path}.populations", item.populations, 1, limits.MOST_POPULATIONS)
    yield from _outside(f"{path}.neurons", item.neurons, 1, limits.MOST_NEURONS)
    yield from _outside(f"{path}.channels", item.channels, 1, limits.MOST_CHANNELS)
    yield from _outside(
        f"{path}.at_row", item.at_row, limits.LEAST_ORGANISED_ROWS, limits.MOST_ORGANISED_ROWS
    )


def _problems_of_outputs(outputs: tuple[OutputPopulation, ...]) -> Iterator[TemplateProblem]:
    if len(outputs) != 1:
        yield TemplateProblem("outputs", f"{len(outputs)} output populations; exactly one for now")
    for index, item in enumerate(outputs):
        path = f"outputs[{index}]"
        if not _NAME.fullmatch(item.name):
            yield _bad_name(f"{path}.name", item.name)
        if item.kind is TaskKind.NUMBERS:
            yield from _outside(f"{path}.size", item.size, 1, limits.MOST_NUMBERS, "numbers")
        elif item.size:
            yield TemplateProblem(
                f"{path}.size", "classes open their outputs by themselves; leave the size out"
            )


def _problems_of_options(options: EngineOptions) -> Iterator[TemplateProblem]:
    path = "options"
    yield from _outside(f"{path}.seed", options.seed, 0, limits.MOST_SEED)
    yield from _outside(
        f"{path}.memory_limit_bytes",
        options.memory_limit_bytes,
        limits.LEAST_MEMORY,
        limits.MOST_MEMORY,
    )
    yield from _outside(
        f"{path}.max_labels", options.max_outputs, limits.LEAST_LABELS, limits.MOST_LABELS
    )
    if options.rehearsal_rows is not None:
        yield from _outside(
            f"{path}.rehearsal_rows", options.rehearsal_rows, 0, limits.MOST_REHEARSED
        )
    steps = options.rehearsal_steps
    if steps is not None and not 0.0 <= steps <= limits.MOST_REHEARSAL_STEPS:
        yield TemplateProblem(
            f"{path}.rehearsal_steps", f"{steps:g} is outside 0 to {limits.MOST_REHEARSAL_STEPS:g}"
        )
    rate = options.learning_rate
    if rate is not None and not 0.0 < rate <= limits.MOST_LEARNING_RATE:
        yield TemplateProblem(
            f"{path}.learning_rate",
            f"{rate:g} is not above 0 and up to {limits.MOST_LEARNING_RATE:g}",
        )


def _problems_of_kind(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    """Refuse what only the other kind of network has."""
    if template.kind is NetworkKind.STATIC:
        for path in _growing_fields(template):
            yield TemplateProblem(path, "is for growing networks; this one is static")
    else:
        for path in _static_fields(template):
            yield TemplateProblem(path, "is for static networks; this one grows")


def _growing_fields(template: NetworkTemplate) -> Iterator[str]:
    for index, item in enumerate(template.populations):
        path = f"populations[{index}]"
        if item.inputs or item.reach != Reach():
            yield f"{path}.reach"
        if item.spiking is not None:
            yield f"{path}.spiking"
    if template.connections:
        yield "connections"
    if template.organisation is not None:
        yield "organisation"
    options = template.options
    for name in ("rehearsal_rows", "rehearsal_steps", "experts"):
        if getattr(options, name) is not None:
            yield f"options.{name}"


def _static_fields(template: NetworkTemplate) -> Iterator[str]:
    for index, item in enumerate(template.populations):
        if item.activation is not Activation.RECTIFIED:
            yield f"populations[{index}].activation"
    options = template.options
    if options.optimizer is not Optimizer.SGD:
        yield "options.optimizer"
    if options.learning_rate is not None:
        yield "options.learning_rate"
    if options.device is not Device.CPU:
        yield "options.device"


def _problems_of_reach(structure: NetworkStructure) -> Iterator[TemplateProblem]:
    topology = lay_out(structure)
    block = 0
    for index, population in enumerate(structure.populations):
        if topology.block_edges[block] == 0 and not topology.has_inner(block):
            kind = population.reach.kind
            name = kind.value if kind in (ReachKind.WINDOW, ReachKind.RADIUS) else "inputs"
            yield TemplateProblem(
                f"populations[{index}].reach.{name}",
                f"population {population.name!r} reaches no channel and no hidden neuron from its "
                "position",
            )
        block += -(-population.neurons // topology.block_width)


def _problems_of_names(path: str, names: list[str]) -> Iterator[TemplateProblem]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if not _NAME.fullmatch(name):
            yield _bad_name(f"{path}[{index}].name", name)
        elif name in seen:
            yield TemplateProblem(
                f"{path}[{index}].name", f"{name!r} is the name of {path}[{seen[name]}] already"
            )
        seen.setdefault(name, index)


def _bad_name(path: str, name: str) -> TemplateProblem:
    return TemplateProblem(
        path,
        f"{name[:130]!r} is no name; a letter, then up to 127 letters, digits, '_', '.' or '-'",
    )


def _problems_of_position(path: str, position: Vector) -> Iterator[TemplateProblem]:
    if not all(math.isfinite(value) for value in position):
        yield TemplateProblem(path, "needs three finite numbers")


def _outside(
    path: str, value: int, low: int, high: int, what: str = ""
) -> Iterator[TemplateProblem]:
    if not low <= value <= high:
        unit = f" {what}" if what else ""
        yield TemplateProblem(path, f"{value}{unit} is outside {low} to {high}")
