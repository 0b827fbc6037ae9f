"""Templates: what a network is to be made from, and whether that can work.

A template may leave the number of channels open; `resolve` closes it and gives
the structure that an engine is made from. How templates are written is the
business of `kyouko.templates`.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kyouko.domain.engine import (
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    ReachKind,
    TaskKind,
)
from kyouko.domain.engine.growing.topology import choose_block_width, lay_out
from mesh.errors import FieldViolation, InvalidArgument

Vector = tuple[float, float, float]
Extent = tuple[int, int, int]

MOST_CHANNELS: Final = 1 << 20
MOST_INPUTS: Final = 256
MOST_POPULATIONS: Final = 4096
# In the reaches of all populations together; a network has to fit into a message several times.
MOST_REACH_NAMES: Final = 1 << 16
MOST_NEURONS: Final = 65536
MOST_NUMBERS: Final = 1024
LEAST_MEMORY: Final = 1 << 20
MOST_MEMORY: Final = 1 << 34
LEAST_LABELS: Final = 2
MOST_LABELS: Final = 4096
MOST_SEED: Final = 2**63 - 1
# Blocks of neurons times the channels they may reach; above it, only laying the network out
# would take seconds and gigabytes.
MOST_EDGES: Final = 1 << 24
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")
_MOST_REPORTED: Final = 20


@dataclass(frozen=True)
class TemplateInput:
    """A group of input channels; `channels` None leaves their number open.

    Attributes:
        extent: channels along x, y and z; a line along x when None.
        position: where the first channel lies.
    """

    name: str
    channels: int | None = None
    extent: Extent | None = None
    position: Vector = (0.0, 0.0, 0.0)

    @property
    def known_channels(self) -> int | None:
        """The number of channels, if the template says it in one way or the other."""
        if self.channels is None and self.extent is not None:
            return math.prod(self.extent)
        return self.channels


@dataclass(frozen=True)
class NetworkTemplate:
    """A template whose fields are of the right types; `problems_of` says what is wrong with it."""

    inputs: tuple[TemplateInput, ...]
    populations: tuple[Population, ...]
    outputs: tuple[OutputPopulation, ...]
    options: EngineOptions = field(default_factory=EngineOptions)
    description: str = ""


@dataclass(frozen=True)
class TemplateProblem:
    """What is wrong, and where.

    Attributes:
        path: of the field, such as `populations[2].reach.window`.
        text: the problem, and what is allowed.
        line: from 1; 0 when the template was not a text.
        column: from 1; 0 when the template was not a text.
    """

    path: str
    text: str
    line: int = 0
    column: int = 0

    def sentence(self) -> str:
        """Return the problem with its place, for people."""
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{place}{self.path or 'template'}: {self.text}"


def template_invalid(problems: Sequence[TemplateProblem]) -> InvalidArgument:
    """Return the error of a template with at least one problem; the first one leads."""
    first = problems[0]
    metadata = {"field": first.path, "problems": str(len(problems))}
    if first.line:
        metadata |= {"line": str(first.line), "column": str(first.column)}
    shown = problems[:_MOST_REPORTED]
    more = f" (and {len(problems) - len(shown)} more)" if len(problems) > len(shown) else ""
    return InvalidArgument(
        "; ".join(problem.sentence() for problem in shown) + more,
        reason="TEMPLATE_INVALID",
        metadata=metadata,
        violations=[FieldViolation(problem.path, problem.sentence()) for problem in shown],
    )


def check(template: NetworkTemplate) -> None:
    """Refuse a template from which no network can be made.

    Raises:
        InvalidArgument: TEMPLATE_INVALID.
    """
    problems = list(problems_of(template))
    if problems:
        raise template_invalid(problems)


def problems_of(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    """Yield all that is wrong with a template and can be said without knowing open channels."""
    yield from _problems_of_inputs(template.inputs)
    yield from _problems_of_populations(template)
    yield from _problems_of_outputs(template.outputs)
    yield from _problems_of_options(template.options)
    has_reach = all(item.known_channels is not None for item in template.inputs)
    # What is wrong above would be said a second time, or make the layout fail.
    if has_reach and not any(_problems_before_layout(template)):
        yield from _problems_of_reach(_structure(template))


def resolve(
    template: NetworkTemplate, *, channels: int | None = None, seed: int | None = None
) -> NetworkStructure:
    """Return the structure of a new network, every choice filled in.

    Args:
        template: The template.
        channels: The channels of the one input population that leaves its number open.
        seed: Overrides the template's seed.

    Raises:
        InvalidArgument: TEMPLATE_INVALID, or FIELD_INVALID for `channels`.
    """
    check(template)
    chosen = replace(template, inputs=_close(template.inputs, channels))
    if seed is not None:
        chosen = replace(chosen, options=replace(chosen.options, seed=seed))
    check(chosen)
    return _structure(chosen)


def _close(inputs: tuple[TemplateInput, ...], channels: int | None) -> tuple[TemplateInput, ...]:
    names = [item.name for item in inputs if item.known_channels is None]
    if not names:
        total = sum(item.known_channels or 0 for item in inputs)
        if channels not in (None, total):
            raise InvalidArgument.for_field(
                "channels",
                f"the template fixes {total} channels and leaves none open, not {channels}",
                metadata={"expected": str(total), "actual": str(channels)},
            )
        return inputs
    if channels is None:
        raise InvalidArgument.for_field(
            "channels", f"the template leaves the channels of input {names[0]!r} open; say how many"
        )
    return tuple(
        replace(item, channels=channels) if item.known_channels is None else item for item in inputs
    )


def _structure(template: NetworkTemplate) -> NetworkStructure:
    return NetworkStructure(
        inputs=tuple(_input(item) for item in template.inputs),
        populations=template.populations,
        output=template.outputs[0],
        options=template.options,
    )


def _input(item: TemplateInput) -> InputPopulation:
    channels = item.known_channels or 0
    return InputPopulation(
        name=item.name,
        channels=channels,
        shape=item.extent or (channels, 1, 1),
        position=item.position,
    )


def _problems_before_layout(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    yield from _problems_of_inputs(template.inputs)
    yield from _problems_of_populations(template)
    yield from _problems_of_outputs(template.outputs)


def _problems_of_inputs(inputs: tuple[TemplateInput, ...]) -> Iterator[TemplateProblem]:
    yield from _outside("inputs", len(inputs), 1, MOST_INPUTS, "input populations")
    yield from _problems_of_names("inputs", [item.name for item in inputs])
    for index, item in enumerate(inputs):
        yield from _problems_of_input(f"inputs[{index}]", item)
    opened = [index for index, item in enumerate(inputs) if item.known_channels is None]
    for index in opened[1:]:
        yield TemplateProblem(
            f"inputs[{index}].channels",
            f"only one input population may leave its channels open, and inputs[{opened[0]}] does",
        )
    total = sum(item.known_channels or 0 for item in inputs)
    if total > MOST_CHANNELS:
        yield TemplateProblem("inputs", f"{total} channels in all; at most {MOST_CHANNELS}")


def _problems_of_input(path: str, item: TemplateInput) -> Iterator[TemplateProblem]:
    if item.channels is not None:
        yield from _outside(f"{path}.channels", item.channels, 1, MOST_CHANNELS)
    for edge, axis in zip(item.extent or (), "xyz", strict=False):
        yield from _outside(f"{path}.extent", edge, 1, MOST_CHANNELS, f"channels along {axis}")
    if item.extent is not None and item.channels not in (None, math.prod(item.extent)):
        yield TemplateProblem(
            f"{path}.extent",
            f"{' x '.join(map(str, item.extent))} makes {math.prod(item.extent)} channels, "
            f"but channels says {item.channels}",
        )
    yield from _problems_of_position(f"{path}.position", item.position)


def _problems_of_populations(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    populations = template.populations
    yield from _outside("populations", len(populations), 1, MOST_POPULATIONS, "populations")
    yield from _problems_of_names("populations", [item.name for item in populations])
    named = sum(len(item.inputs) for item in populations)
    yield from _outside("populations", named, 0, MOST_REACH_NAMES, "names of inputs in reaches")
    if named > MOST_REACH_NAMES:
        return
    known = [item.name for item in template.inputs]
    for index, item in enumerate(populations):
        path = f"populations[{index}]"
        yield from _outside(f"{path}.neurons", item.neurons, 1, MOST_NEURONS)
        yield from _problems_of_position(f"{path}.position", item.position)
        for place, name in enumerate(item.inputs):
            if name not in known:
                yield TemplateProblem(
                    f"{path}.reach.inputs[{place}]",
                    f"there is no input population {name[:64]!r}; there are {_some(known)}",
                )
        yield from _problems_of_shape(path, item)
    channels = sum(item.known_channels or 0 for item in template.inputs)
    width = choose_block_width(populations) if populations else 8
    blocks = sum(-(-item.neurons // width) for item in populations)
    if blocks * channels > MOST_EDGES:
        yield TemplateProblem(
            "populations",
            f"{blocks} blocks of {width} neurons times {channels} channels are too much to lay "
            f"out; at most {MOST_EDGES}: take fewer populations, neurons or channels",
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_REPORTED])
    return shown if len(names) <= _MOST_REPORTED else f"{shown} and others"


def _problems_of_shape(path: str, item: Population) -> Iterator[TemplateProblem]:
    window, radius = item.reach.window, item.reach.radius
    if window is not None and not all(math.isfinite(edge) and edge >= 0 for edge in window):
        yield TemplateProblem(f"{path}.reach.window", "needs three lengths of at least 0")
    if radius is not None and not (math.isfinite(radius) and radius > 0):
        yield TemplateProblem(f"{path}.reach.radius", f"{radius:g} is not above 0")


def _problems_of_outputs(outputs: tuple[OutputPopulation, ...]) -> Iterator[TemplateProblem]:
    if len(outputs) != 1:
        yield TemplateProblem("outputs", f"{len(outputs)} output populations; exactly one for now")
    for index, item in enumerate(outputs):
        path = f"outputs[{index}]"
        if not _NAME.fullmatch(item.name):
            yield _bad_name(f"{path}.name", item.name)
        if item.kind is TaskKind.NUMBERS:
            yield from _outside(f"{path}.size", item.size, 1, MOST_NUMBERS, "numbers")
        elif item.size:
            yield TemplateProblem(
                f"{path}.size", "classes open their outputs by themselves; leave the size out"
            )


def _problems_of_options(options: EngineOptions) -> Iterator[TemplateProblem]:
    yield from _outside("options.seed", options.seed, 0, MOST_SEED)
    yield from _outside(
        "options.memory_limit_bytes", options.memory_limit_bytes, LEAST_MEMORY, MOST_MEMORY
    )
    yield from _outside("options.max_labels", options.max_outputs, LEAST_LABELS, MOST_LABELS)


def _problems_of_reach(structure: NetworkStructure) -> Iterator[TemplateProblem]:
    topology = lay_out(structure)
    block = 0
    for index, population in enumerate(structure.populations):
        if topology.block_edges[block] == 0:
            kind = "window" if population.reach.kind is ReachKind.WINDOW else "radius"
            yield TemplateProblem(
                f"populations[{index}].reach.{kind}",
                f"population {population.name!r} reaches no channel from its position",
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
