"""What a template holds, its limits, and the structure that it stands for.

How templates are written is the business of `kyouko.templates`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kyouko.domain.engine import (
    Connection,
    EngineOptions,
    InputPopulation,
    NetworkKind,
    NetworkStructure,
    Organisation,
    OutputPopulation,
    Population,
)
from kyouko.domain.pipeline.channels import find_channels
from kyouko.domain.pipeline.options import PipelineOptions
from kyouko.domain.template import limits
from mesh.errors import FieldViolation, InvalidArgument

Vector = tuple[float, float, float]
Extent = tuple[int, int, int]


@dataclass(frozen=True)
class TemplateInput:
    """A group of input channels; `channels` None leaves their number open.

    Attributes:
        extent: channels along x, y and z; a line along x when None.
        position: where the first channel lies.
        delays: rows ago, ascending; such values of each channel enter beside the present one.
    """

    name: str
    channels: int | None = None
    extent: Extent | None = None
    position: Vector = (0.0, 0.0, 0.0)
    delays: tuple[int, ...] = ()

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
    kind: NetworkKind = NetworkKind.GROWING
    connections: tuple[Connection, ...] = ()
    organisation: Organisation | None = None
    pipeline: PipelineOptions | None = None
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
    shown = problems[: limits.MOST_REPORTED]
    more = f" (and {len(problems) - len(shown)} more)" if len(problems) > len(shown) else ""
    return InvalidArgument(
        "; ".join(problem.sentence() for problem in shown) + more,
        reason="TEMPLATE_INVALID",
        metadata=metadata,
        violations=[FieldViolation(problem.path, problem.sentence()) for problem in shown],
    )


def structure_of(template: NetworkTemplate) -> NetworkStructure:
    """Return the structure of a template that leaves no channels open.

    A network that teaches itself has as many outputs as there are channels to teach.
    """
    return NetworkStructure(
        inputs=tuple(_input(item) for item in template.inputs),
        populations=template.populations,
        output=_output(template),
        options=template.options,
        kind=template.kind,
        connections=template.connections,
        organisation=template.organisation,
        pipeline=template.pipeline,
    )


def _output(template: NetworkTemplate) -> OutputPopulation:
    output, pipeline = template.outputs[0], template.pipeline
    if pipeline is None or pipeline.goal is None:
        return output
    inputs = [(item.name, item.known_channels or 0) for item in template.inputs]
    chosen = find_channels(pipeline.goal.channels, inputs)
    return replace(output, size=len(chosen) or sum(count for _, count in inputs))


def _input(item: TemplateInput) -> InputPopulation:
    channels = item.known_channels or 0
    return InputPopulation(
        name=item.name,
        channels=channels,
        shape=item.extent or (channels, 1, 1),
        position=item.position,
        delays=item.delays,
    )
