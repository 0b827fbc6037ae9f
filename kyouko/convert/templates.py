"""Templates and structures to and from messages."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

from google.protobuf.message import Message
from hanami.kyouko.v1 import template_service_pb2 as pb

from kyouko.convert.pipelines import pipeline_message, pipeline_of
from kyouko.domain.engine import (
    Activation,
    Connection,
    Device,
    EngineOptions,
    InputPopulation,
    NetworkKind,
    NetworkStructure,
    Optimizer,
    Organisation,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    Spiking,
    TaskKind,
)
from kyouko.domain.template import NetworkTemplate, TemplateInput
from kyouko.templates import ShippedTemplate

T = TypeVar("T")

_KINDS = {
    pb.OUTPUT_KIND_CLASSES: TaskKind.CLASSES,
    pb.OUTPUT_KIND_NUMBERS: TaskKind.NUMBERS,
}
_KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_NETWORK_KINDS = {
    NetworkKind.GROWING: pb.NETWORK_KIND_GROWING,
    NetworkKind.STATIC: pb.NETWORK_KIND_STATIC,
}
_ACTIVATIONS = {
    Activation.RECTIFIED: pb.ACTIVATION_RELU,
    Activation.TANH: pb.ACTIVATION_TANH,
    Activation.SIGMOID: pb.ACTIVATION_SIGMOID,
}
_OPTIMIZERS = {Optimizer.SGD: pb.OPTIMIZER_SGD, Optimizer.ADAM: pb.OPTIMIZER_ADAM}
_DEVICES = {Device.CPU: pb.DEVICE_CPU, Device.GPU: pb.DEVICE_GPU}


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
    message = pb.NetworkTemplate(
        inputs=[_open_input_message(item) for item in template.inputs],
        populations=[_population_message(item, template.kind) for item in template.populations],
        outputs=[_output_message(item) for item in template.outputs],
        options=_options_message(template.options, template.kind),
    )
    _add_connections(message, template)
    return message


def structure_message(structure: NetworkStructure) -> pb.NetworkTemplate:
    """Return a structure as a message, every choice filled in."""
    message = pb.NetworkTemplate(
        inputs=[_input_message(item) for item in structure.inputs],
        populations=[_population_message(item, structure.kind) for item in structure.populations],
        outputs=[_output_message(structure.output)],
        options=_options_message(structure.options, structure.kind),
    )
    _add_connections(message, structure)
    return message


def _add_connections(
    message: pb.NetworkTemplate, source: NetworkTemplate | NetworkStructure
) -> None:
    message.kind = _NETWORK_KINDS[source.kind]
    message.connections.extend(
        pb.Connection(source=item.source, target=item.target, chance=item.chance)
        for item in source.connections
    )
    if source.organisation is not None:
        message.organisation.CopyFrom(pb.Organisation(**asdict(source.organisation)))
    if source.pipeline is not None:
        message.pipeline.CopyFrom(pipeline_message(source.pipeline))


def network_template_of(message: pb.NetworkTemplate) -> NetworkTemplate:
    """Return the template in a message."""
    return NetworkTemplate(
        inputs=tuple(_input_of(item) for item in message.inputs),
        populations=tuple(_population_of(item) for item in message.populations),
        outputs=tuple(_output_of(item) for item in message.outputs),
        options=_options_of(message.options),
        kind=_chosen(_NETWORK_KINDS, message.kind, NetworkKind.GROWING),
        connections=tuple(_connection_of(item) for item in message.connections),
        organisation=_organisation_of(message) if message.HasField("organisation") else None,
        pipeline=pipeline_of(message.pipeline) if message.HasField("pipeline") else None,
    )


def _open_input_message(item: TemplateInput) -> pb.InputPopulation:
    message = pb.InputPopulation(
        name=item.name, position=_position_message(item.position), delays=item.delays
    )
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
        delays=item.delays,
    )


def _population_message(item: Population, kind: NetworkKind) -> pb.Population:
    message = pb.Population(
        name=item.name, neurons=item.neurons, position=_position_message(item.position)
    )
    message.reach.inputs.extend(item.inputs)
    if item.reach.window is not None:
        message.reach.window.CopyFrom(_position_message(item.reach.window))
    if item.reach.radius is not None:
        message.reach.radius = item.reach.radius
    if item.reach.falloff is not None:
        message.reach.falloff = item.reach.falloff
    if item.spiking is not None:
        message.spiking.CopyFrom(pb.Spiking(**asdict(item.spiking)))
    if kind is NetworkKind.STATIC:
        message.activation = _ACTIVATIONS[item.activation]
    return message


def _output_message(item: OutputPopulation) -> pb.OutputPopulation:
    message = pb.OutputPopulation(name=item.name, kind=_KIND_NUMBERS[item.kind])
    if item.size:
        message.size = item.size
    return message


def _options_message(options: EngineOptions, kind: NetworkKind) -> pb.NetworkOptions:
    message = pb.NetworkOptions(
        seed=options.seed,
        memory_limit_bytes=options.memory_limit_bytes,
        max_labels=options.max_outputs,
        rehearsal_rows=options.rehearsal_rows,
        rehearsal_steps=options.rehearsal_steps,
        experts=options.experts,
        learning_rate=options.learning_rate,
    )
    if kind is NetworkKind.STATIC:
        message.optimizer = _OPTIMIZERS[options.optimizer]
        message.device = _DEVICES[options.device]
    return message


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
        delays=tuple(message.delays),
    )


def _population_of(message: pb.Population) -> Population:
    return Population(
        name=message.name,
        neurons=message.neurons,
        position=_position_of(message.position),
        inputs=tuple(message.reach.inputs),
        reach=_reach_of(message.reach),
        spiking=_spiking_of(message.spiking) if message.HasField("spiking") else None,
        activation=_chosen(_ACTIVATIONS, message.activation, Activation.RECTIFIED),
    )


def _reach_of(message: pb.Reach) -> Reach:
    shape = message.WhichOneof("shape")
    falloff = message.falloff if message.HasField("falloff") else None
    if shape == "window":
        return Reach(ReachKind.WINDOW, window=_position_of(message.window), falloff=falloff)
    if shape == "radius":
        return Reach(ReachKind.RADIUS, radius=message.radius, falloff=falloff)
    return Reach(falloff=falloff)


def _spiking_of(message: pb.Spiking) -> Spiking:
    return replace(Spiking(), **_given(message, "leak", "cooldown", "refractory"))


def _connection_of(message: pb.Connection) -> Connection:
    connection = Connection(source=message.source, target=message.target)
    return replace(connection, **_given(message, "chance"))


def _organisation_of(message: pb.NetworkTemplate) -> Organisation:
    given = _given(message.organisation, "populations", "neurons", "channels", "at_row")
    return replace(Organisation(), **given)


def _given(message: Message, *names: str) -> dict[str, Any]:
    """Return the fields that were set; the others keep the engine's defaults."""
    return {name: getattr(message, name) for name in names if message.HasField(name)}


def _chosen(numbers: Mapping[T, int], number: int, default: T) -> T:
    """Return the choice that an enumeration's number means; 0 means the default."""
    return next((item for item, known in numbers.items() if known == number), default)


def _output_of(message: pb.OutputPopulation) -> OutputPopulation:
    kind = _KINDS.get(message.kind, TaskKind.CLASSES)
    default = 1 if kind is TaskKind.NUMBERS else 0
    return OutputPopulation(
        name=message.name,
        kind=kind,
        size=message.size if message.HasField("size") else default,
    )


def _options_of(message: pb.NetworkOptions) -> EngineOptions:
    given = _given(
        message,
        "seed",
        "memory_limit_bytes",
        "rehearsal_rows",
        "rehearsal_steps",
        "experts",
        "learning_rate",
    )
    if message.HasField("max_labels"):
        given["max_outputs"] = message.max_labels
    return EngineOptions(
        optimizer=_chosen(_OPTIMIZERS, message.optimizer, Optimizer.SGD),
        device=_chosen(_DEVICES, message.device, Device.CPU),
        **given,
    )
