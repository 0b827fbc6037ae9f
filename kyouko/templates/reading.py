"""Reads a template written in YAML, and says of each mistake where it is.

The fields are those of `hanami.kyouko.v1.NetworkTemplate`, plus a `description`;
positions, windows and extents are lists of three numbers.
"""

from dataclasses import replace
from typing import Final

from kyouko.domain.engine import (
    EngineOptions,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
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

_KINDS: Final = {"classes": TaskKind.CLASSES, "numbers": TaskKind.NUMBERS}
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
        inputs=tuple(_input(item) for item in root.sections("inputs")),
        populations=tuple(_population(item) for item in root.sections("populations")),
        outputs=tuple(_output(item) for item in root.sections("outputs")),
        options=_options(root),
    )
    root.finish()
    return template


def _input(fields: Fields) -> TemplateInput:
    result = TemplateInput(
        name=fields.required_text("name"),
        channels=fields.integer("channels"),
        extent=_extent(fields),
        position=fields.vector("position") or _ORIGIN,
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
    )
    fields.finish()
    return result


def _reach(fields: Fields) -> Reach:
    window, radius = fields.vector("window"), fields.number("radius")
    if window is not None and radius is not None:
        fields.report("radius", "a reach is a window or a radius, not both")
    fields.finish()
    if window is not None:
        return Reach(ReachKind.WINDOW, window=window)
    if radius is not None:
        return Reach(ReachKind.RADIUS, radius=radius)
    return Reach()


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
    seed = fields.integer("seed")
    memory = fields.integer("memory_limit_bytes")
    labels = fields.integer("max_labels")
    fields.finish()
    return EngineOptions(
        seed=defaults.seed if seed is None else seed,
        memory_limit_bytes=defaults.memory_limit_bytes if memory is None else memory,
        max_outputs=defaults.max_outputs if labels is None else labels,
    )
