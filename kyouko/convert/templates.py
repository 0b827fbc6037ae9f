"""Templates and structures to and from messages."""

from hanami.kyouko.v1 import template_service_pb2 as pb

from kyouko.domain.engine import (
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    TaskKind,
)
from kyouko.domain.template import NetworkTemplate, TemplateInput
from kyouko.templates import ShippedTemplate

_KINDS = {
    pb.OUTPUT_KIND_CLASSES: TaskKind.CLASSES,
    pb.OUTPUT_KIND_NUMBERS: TaskKind.NUMBERS,
}
_KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}


def template_message(shipped: ShippedTemplate) -> pb.Template:
    """Return a shipped template as a message."""
    return pb.Template(
        name=f"templates/{shipped.template_id}",
        description=shipped.template.description,
        yaml=shipped.yaml,
        structure=network_template_message(shipped.template),
    )


def network_template_message(template: NetworkTemplate) -> pb.NetworkTemplate:
    """Return a template as a message; open channels stay open."""
    return pb.NetworkTemplate(
        inputs=[_open_input_message(item) for item in template.inputs],
        populations=[_population_message(item) for item in template.populations],
        outputs=[_output_message(item) for item in template.outputs],
        options=_options_message(template.options),
    )


def structure_message(structure: NetworkStructure) -> pb.NetworkTemplate:
    """Return a structure as a message, every choice filled in."""
    return pb.NetworkTemplate(
        inputs=[_input_message(item) for item in structure.inputs],
        populations=[_population_message(item) for item in structure.populations],
        outputs=[_output_message(structure.output)],
        options=_options_message(structure.options),
    )


def network_template_of(message: pb.NetworkTemplate) -> NetworkTemplate:
    """Return the template in a message."""
    return NetworkTemplate(
        inputs=tuple(_input_of(item) for item in message.inputs),
        populations=tuple(_population_of(item) for item in message.populations),
        outputs=tuple(_output_of(item) for item in message.outputs),
        options=_options_of(message.options),
    )


def _open_input_message(item: TemplateInput) -> pb.InputPopulation:
    message = pb.InputPopulation(name=item.name, position=_position_message(item.position))
    if item.known_channels is not None:
        message.channels = item.known_channels
    if item.extent is not None:
        x, y, z = item.extent
        message.extent.CopyFrom(pb.Extent(x=x, y=y, z=z))
    return message


def _input_message(item: InputPopulation) -> pb.InputPopulation:
    x, y, z = item.shape
    return pb.InputPopulation(
        name=item.name,
        channels=item.channels,
        extent=pb.Extent(x=x, y=y, z=z),
        position=_position_message(item.position),
    )


def _population_message(item: Population) -> pb.Population:
    message = pb.Population(
        name=item.name, neurons=item.neurons, position=_position_message(item.position)
    )
    message.reach.inputs.extend(item.inputs)
    if item.reach.window is not None:
        message.reach.window.CopyFrom(_position_message(item.reach.window))
    if item.reach.radius is not None:
        message.reach.radius = item.reach.radius
    return message


def _output_message(item: OutputPopulation) -> pb.OutputPopulation:
    message = pb.OutputPopulation(name=item.name, kind=_KIND_NUMBERS[item.kind])
    if item.size:
        message.size = item.size
    return message


def _options_message(options: EngineOptions) -> pb.NetworkOptions:
    return pb.NetworkOptions(
        seed=options.seed,
        memory_limit_bytes=options.memory_limit_bytes,
        max_labels=options.max_outputs,
    )


def _position_message(position: tuple[float, float, float]) -> pb.Position:
    x, y, z = position
    return pb.Position(x=x, y=y, z=z)


def _position_of(message: pb.Position) -> tuple[float, float, float]:
    return (message.x, message.y, message.z)


def _input_of(message: pb.InputPopulation) -> TemplateInput:
    extent = message.extent
    return TemplateInput(
        name=message.name,
        channels=message.channels if message.HasField("channels") else None,
        extent=(extent.x, extent.y, extent.z) if message.HasField("extent") else None,
        position=_position_of(message.position),
    )


def _population_of(message: pb.Population) -> Population:
    return Population(
        name=message.name,
        neurons=message.neurons,
        position=_position_of(message.position),
        inputs=tuple(message.reach.inputs),
        reach=_reach_of(message.reach),
    )


def _reach_of(message: pb.Reach) -> Reach:
    shape = message.WhichOneof("shape")
    if shape == "window":
        return Reach(ReachKind.WINDOW, window=_position_of(message.window))
    if shape == "radius":
        return Reach(ReachKind.RADIUS, radius=message.radius)
    return Reach()


def _output_of(message: pb.OutputPopulation) -> OutputPopulation:
    kind = _KINDS.get(message.kind, TaskKind.CLASSES)
    default = 1 if kind is TaskKind.NUMBERS else 0
    return OutputPopulation(
        name=message.name,
        kind=kind,
        size=message.size if message.HasField("size") else default,
    )


def _options_of(message: pb.NetworkOptions) -> EngineOptions:
    defaults = EngineOptions()
    has_memory = message.HasField("memory_limit_bytes")
    return EngineOptions(
        seed=message.seed if message.HasField("seed") else defaults.seed,
        memory_limit_bytes=(
            message.memory_limit_bytes if has_memory else defaults.memory_limit_bytes
        ),
        max_outputs=message.max_labels if message.HasField("max_labels") else defaults.max_outputs,
    )
