"""The shape of a network as its user declares it; no weights, no learning."""

import enum
import math
from dataclasses import dataclass, field
from typing import Final

from kyouko.domain.engine.errors import EngineStructureError

__all__ = [
    "Activation",
    "Arrival",
    "Connection",
    "Device",
    "EngineOptions",
    "InputPopulation",
    "NetworkKind",
    "NetworkStructure",
    "Optimizer",
    "Organisation",
    "OutputPopulation",
    "Population",
    "Reach",
    "ReachKind",
    "Spiking",
    "TaskKind",
]

Vector = tuple[float, float, float]

_MOST_CHANNELS: Final = 1 << 24
_MOST_NEURONS: Final = 1 << 20


class TaskKind(enum.Enum):
    """What the outputs mean."""

    CLASSES = "classes"
    NUMBERS = "numbers"


class NetworkKind(enum.Enum):
    """How a network comes to its connections."""

    GROWING = "growing"
    STATIC = "static"


class Activation(enum.Enum):
    """What a hidden neuron of a static network makes of its sum."""

    RECTIFIED = "relu"
    TANH = "tanh"
    SIGMOID = "sigmoid"


class Optimizer(enum.Enum):
    """The rule by which a static network changes its weights."""

    SGD = "sgd"
    ADAM = "adam"


class Device(enum.Enum):
    """Where a static network computes."""

    CPU = "cpu"
    GPU = "gpu"


class Arrival(enum.Enum):
    """How rows arrive; selects the preset of the learning rule."""

    STORED = "stored"
    STREAMED = "streamed"


class ReachKind(enum.Enum):
    """Which channels a population may grow connections to."""

    ALL = "all"
    WINDOW = "window"
    RADIUS = "radius"
    CHANNELS = "channels"


@dataclass(frozen=True)
class Reach:
    """The part of space from which a population takes its inputs.

    Attributes:
        kind: everything, a box, a ball, or a list of channels.
        window: full edge lengths of the box, centred on the population's position.
        radius: radius of the ball around the population's position.
        channels: ascending places in the row, for a reach that was learned.
        falloff: None, or the distance at which the chance of a connection inside the reach has
            fallen to 1/e; it falls as exp(-(distance / falloff)^2).
    """

    kind: ReachKind = ReachKind.ALL
    window: Vector | None = None
    radius: float | None = None
    channels: tuple[int, ...] = ()
    falloff: float | None = None


@dataclass(frozen=True)
class Spiking:
    """How neurons hold and lose potential over rows; see docs/engine.md.

    Attributes:
        leak: share of the potential that is kept from row to row, 0 to below 1.
        cooldown: share of the raised threshold that is kept from row to row after a spike.
        refractory: rows for which a neuron that has spiked stays silent.
    """

    leak: float = 0.5
    cooldown: float = 0.0
    refractory: int = 0


@dataclass(frozen=True)
class Population:
    """Hidden neurons at one position; in a static network, one layer.

    Attributes:
        name: unique among all populations.
        position: in the units of the inputs' positions.
        neurons: how many.
        inputs: names of the populations it may connect to, input populations or hidden ones
            declared before it; empty means all input populations.
        reach: which part of them.
        spiking: None for neurons without memory.
        activation: of a static network's neurons.
    """

    name: str
    position: Vector
    neurons: int
    inputs: tuple[str, ...] = ()
    reach: Reach = field(default_factory=Reach)
    spiking: Spiking | None = None
    activation: Activation = Activation.RECTIFIED


@dataclass(frozen=True)
class Connection:
    """A long connection: a population reaches another one wherever the two lie.

    Attributes:
        source: name of an input population, or of a hidden one declared before the target.
        target: name of a hidden population.
        chance: of each possible connection, above 0 to 1.
    """

    source: str
    target: str
    chance: float = 1.0


@dataclass(frozen=True)
class Organisation:
    """Local populations that the network adds by itself once it has seen some rows.

    Attributes:
        populations: how many.
        neurons: of each.
        channels: how many of the nearest channels each of them reaches.
        at_row: learned rows after which the topology is found.
    """

    populations: int = 16
    neurons: int = 32
    channels: int = 140
    at_row: int = 500


@dataclass(frozen=True)
class InputPopulation:
    """Channels on a regular grid in space; channel c is at x = c % nx, y = c // nx % ny, z.

    Attributes:
        name: unique among the input populations.
        channels: how many; the product of `shape`.
        shape: (nx, ny, nz).
        position: of the first channel.
        spacing: distance between neighbours.
        delays: ascending numbers of rows; the value of each channel that many rows ago is an
            input too. The present value always is.
    """

    name: str
    channels: int
    shape: tuple[int, int, int]
    position: Vector
    spacing: float = 1.0
    delays: tuple[int, ...] = ()


@dataclass(frozen=True)
class OutputPopulation:
    """The outputs.

    Attributes:
        name: for people.
        kind: class probabilities or numbers.
        size: numbers: how many, at least 1. classes: 0 opens a class when its label is first
            seen, another value fixes the number of classes.
    """

    name: str
    kind: TaskKind
    size: int = 0


@dataclass(frozen=True)
class EngineOptions:
    """Settings of the engine; None leaves the choice to the preset of the arrival.

    Attributes:
        seed: of all random numbers.
        memory_limit_bytes: the arrays of the network never exceed it; growth stops instead.
        max_outputs: most classes that may open.
        rehearsal_rows: rows kept to be learned again; None for 500.
        rehearsal_steps: extra learning steps for each stored row, 0 to 16.
        experts: whether small experts answer beside a growing network where they do better; None
            for streams of few channels.
        optimizer: of a static network.
        learning_rate: of a static network; None for 0.01 (SGD) or 0.001 (Adam).
        device: of a static network.
    """

    seed: int = 1
    memory_limit_bytes: int = 256 * 1024 * 1024
    max_outputs: int = 256
    rehearsal_rows: int | None = None
    rehearsal_steps: float | None = None
    experts: bool | None = None
    optimizer: Optimizer = Optimizer.SGD
    learning_rate: float | None = None
    device: Device = Device.CPU


@dataclass(frozen=True)
class NetworkStructure:
    """Everything that is fixed before the first row.

    Attributes:
        inputs: their channels, one after the other, form a row.
        populations: hidden populations; of a static network the layers, in order.
        output: the one output population.
        options: settings of the engine.
        kind: growing, or static with all connections from the start.
        connections: long connections, beside what the populations reach.
        organisation: None, or the local populations that the network finds by itself.
    """

    inputs: tuple[InputPopulation, ...]
    populations: tuple[Population, ...]
    output: OutputPopulation
    options: EngineOptions = field(default_factory=EngineOptions)
    kind: NetworkKind = NetworkKind.GROWING
    connections: tuple[Connection, ...] = ()
    organisation: Organisation | None = None

    @property
    def channels(self) -> int:
        """Width of a row."""
        return sum(population.channels for population in self.inputs)

    @property
    def neurons(self) -> int:
        """Hidden neurons of all populations."""
        return sum(population.neurons for population in self.populations)

    @property
    def most_outputs(self) -> int:
        """Outputs for which room is kept."""
        if self.output.size > 0:
            return self.output.size
        return self.options.max_outputs

    @property
    def is_local(self) -> bool:
        """Whether some population reaches only part of the inputs' space."""
        return any(item.reach.kind is not ReachKind.ALL for item in self.populations)

    def check(self) -> None:
        """Raise EngineStructureError at the first thing that cannot be built."""
        _check_inputs(self.inputs)
        _check_populations(self.populations, {item.name for item in self.inputs})
        _check_output(self.output, self.options)


def _require(condition: bool, where: str, problem: object, allowed: str) -> None:
    if not condition:
        raise EngineStructureError(where, str(problem), allowed)


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
        good = math.isfinite(item.spacing) and item.spacing > 0.0
        _require(good, f"{where}.spacing", item.spacing, "above 0")
    total = sum(item.channels for item in inputs)
    _require(total <= _MOST_CHANNELS, "inputs", f"{total} channels", f"up to {_MOST_CHANNELS}")


def _check_populations(populations: tuple[Population, ...], inputs: set[str]) -> None:
    _check_names([item.name for item in populations], "populations")
    for item in populations:
        where = f"populations.{item.name}"
        _require(item.neurons >= 1, f"{where}.neurons", item.neurons, "at least 1")
        finite = all(math.isfinite(value) for value in item.position)
        _require(finite, f"{where}.position", item.position, "finite numbers")
        unknown = sorted(set(item.inputs) - inputs)
        _require(not unknown, f"{where}.inputs", f"unknown {unknown}", f"of {sorted(inputs)}")
        reach = item.reach
        if reach.kind is ReachKind.WINDOW:
            good = reach.window is not None and all(edge >= 0.0 for edge in reach.window)
            _require(good, f"{where}.reach.window", reach.window, "three lengths of at least 0")
        if reach.kind is ReachKind.RADIUS:
            good = reach.radius is not None and reach.radius >= 0.0
            _require(good, f"{where}.reach.radius", reach.radius, "at least 0")
    total = sum(item.neurons for item in populations)
    _require(total <= _MOST_NEURONS, "populations", f"{total} neurons", f"up to {_MOST_NEURONS}")


def _check_output(output: OutputPopulation, options: EngineOptions) -> None:
    smallest = 1 if output.kind is TaskKind.NUMBERS else 0
    _require(output.size >= smallest, "output.size", output.size, f"at least {smallest}")
    _require(options.max_outputs >= 1, "options.max_outputs", options.max_outputs, "at least 1")
    _require(output.size <= 65536, "output.size", output.size, "up to 65536")
    _require(
        options.max_outputs <= 65536, "options.max_outputs", options.max_outputs, "up to 65536"
    )
    rows = options.rehearsal_rows
    _require(rows is None or rows >= 0, "options.rehearsal_rows", rows, "at least 0")
    steps = options.rehearsal_steps
    good = steps is None or 0.0 <= steps <= 16.0
    _require(good, "options.rehearsal_steps", steps, "0 to 16")
