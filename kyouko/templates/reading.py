"""Reads a template written in YAML, and says of each mistake where it is.

The fields are those of `hanami.kyouko.v1.NetworkTemplate`, plus a `description`;
positions, windows and extents are lists of three numbers.
"""

from dataclasses import replace
from typing import Final, TypeVar

from kyouko.domain.engine import (
    Activation,
    Connection,
    Device,
    EngineOptions,
    NetworkKind,
    Optimizer,
    Organisation,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    Spiking,
    TaskKind,
)
from kyouko.domain.template import (
    Extent,
    NetworkTemplate,
    TemplateInput,
    TemplateProblem,
    Vector,
    problems_of,
    template_invalid,
)
from kyouko.templates.document import read_document
from kyouko.templates.fields import Fields, Findings, fields_of
from kyouko.templates.pipelines import read_pipeline

T = TypeVar("T")

_KINDS: Final = {item.value: item for item in TaskKind}
_NETWORK_KINDS: Final = {item.value: item for item in NetworkKind}
_ACTIVATIONS: Final = {item.value: item for item in Activation}
_OPTIMIZERS: Final = {item.value: item for item in Optimizer}
_DEVICES: Final = {item.value: item for item in Device}
_ORIGIN: Final[Vector] = (0.0, 0.0, 0.0)


def read_template(text: str) -> NetworkTemplate:
    """Return the template that a YAML text holds, checked.

    Raises:
        InvalidArgument: TEMPLATE_INVALID, with line, column and field of each mistake.
    """
    findings = Findings()
    root = fields_of(read_document(text), "", findings)
    if root is None:
        raise template_invalid(findings.problems)
    template = _template(root)
    if not findings.problems:
        findings.problems.extend(_placed(problem, findings) for problem in problems_of(template))
    if findings.problems:
        raise template_invalid(
            sorted(findings.problems, key=lambda problem: (problem.line, problem.column))
        )
    return template


def _placed(problem: TemplateProblem, findings: Findings) -> TemplateProblem:
    mark = findings.mark_of(problem.path)
    return replace(problem, line=mark.line, column=mark.column)


def _template(root: Fields) -> NetworkTemplate:
    template = NetworkTemplate(
        description=root.text("description") or "",
        kind=root.optional_choice("kind", _NETWORK_KINDS, NetworkKind.GROWING),
        inputs=tuple(_input(item) for item in root.sections("inputs")),
        populations=tuple(_population(item) for item in root.sections("populations")),
        outputs=tuple(_output(item) for item in root.sections("outputs")),
        connections=tuple(_connection(item) for item in root.optional_sections("connections")),
        organisation=_organisation(root),
        options=_options(root),
        pipeline=read_pipeline(root),
    )
    root.finish()
    return template


def _input(fields: Fields) -> TemplateInput:
    result = TemplateInput(
        name=fields.required_text("name"),
        channels=fields.integer("channels"),
        extent=_extent(fields),
        position=fields.vector("position") or _ORIGIN,
        delays=fields.integer_list("delays"),
    )
    fields.finish()
    return result


def _extent(fields: Fields) -> Extent | None:
    edges = fields.integers("extent")
    return None if edges is None else (edges[0], edges[1], edges[2])


def _population(fields: Fields) -> Population:
    reach = fields.section("reach")
    result = Population(
        name=fields.required_text("name"),
        neurons=fields.required_integer("neurons"),
        position=fields.vector("position") or _ORIGIN,
        inputs=reach.texts("inputs") if reach else (),
        reach=_reach(reach) if reach else Reach(),
        spiking=_spiking(fields),
        activation=fields.optional_choice("activation", _ACTIVATIONS, Activation.RECTIFIED),
    )
    fields.finish()
    return result


def _reach(fields: Fields) -> Reach:
    window, radius = fields.vector("window"), fields.number("radius")
    falloff = fields.number("falloff")
    if window is not None and radius is not None:
        fields.report("radius", "a reach is a window or a radius, not both")
    fields.finish()
    if window is not None:
        return Reach(ReachKind.WINDOW, window=window, falloff=falloff)
    if radius is not None:
        return Reach(ReachKind.RADIUS, radius=radius, falloff=falloff)
    return Reach(falloff=falloff)


def _spiking(parent: Fields) -> Spiking | None:
    fields = parent.section("spiking")
    if fields is None:
        return None
    defaults = Spiking()
    result = Spiking(
        leak=_or(fields.number("leak"), defaults.leak),
        cooldown=_or(fields.number("cooldown"), defaults.cooldown),
        refractory=_or(fields.integer("refractory"), defaults.refractory),
    )
    fields.finish()
    return result


def _connection(fields: Fields) -> Connection:
    result = Connection(
        source=fields.required_text("source"),
        target=fields.required_text("target"),
        chance=_or(fields.number("chance"), 1.0),
    )
    fields.finish()
    return result


def _organisation(root: Fields) -> Organisation | None:
    fields = root.section("organisation")
    if fields is None:
        return None
    defaults = Organisation()
    result = Organisation(
        populations=_or(fields.integer("populations"), defaults.populations),
        neurons=_or(fields.integer("neurons"), defaults.neurons),
        channels=_or(fields.integer("channels"), defaults.channels),
        at_row=_or(fields.integer("at_row"), defaults.at_row),
    )
    fields.finish()
    return result


def _output(fields: Fields) -> OutputPopulation:
    kind = fields.choice("kind", _KINDS) or TaskKind.CLASSES
    size = fields.integer("size")
    default = 1 if kind is TaskKind.NUMBERS else 0
    result = OutputPopulation(
        name=fields.required_text("name"), kind=kind, size=default if size is None else size
    )
    fields.finish()
    return result


def _options(root: Fields) -> EngineOptions:
    fields = root.section("options")
    defaults = EngineOptions()
    if fields is None:
        return defaults
    result = EngineOptions(
        seed=_or(fields.integer("seed"), defaults.seed),
        memory_limit_bytes=_or(fields.integer("memory_limit_bytes"), defaults.memory_limit_bytes),
        max_outputs=_or(fields.integer("max_labels"), defaults.max_outputs),
        rehearsal_rows=fields.integer("rehearsal_rows"),
        rehearsal_steps=fields.number("rehearsal_steps"),
        experts=fields.boolean("experts"),
        optimizer=fields.optional_choice("optimizer", _OPTIMIZERS, Optimizer.SGD),
        learning_rate=fields.number("learning_rate"),
        device=fields.optional_choice("device", _DEVICES, Device.CPU),
    )
    fields.finish()
    return result


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
