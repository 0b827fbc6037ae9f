"""The shape of a network as its user declares it; no weights, no learning."""

import enum
from dataclasses import dataclass, field

from kyouko.domain.pipeline.options import PipelineOptions

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
        rehearsal_steps: extra learning steps for each learned row, 0 to 16; None for 1 or 3 in
            streams, and in stored tasks for 3 if `rehearsal_rows` is set, else none.
        experts: whether small experts answer together with a growing network; None if it has
            fewer than 100 channels.
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
        pipeline: None, or what happens to rows before they reach the engine, which is then made
            from the structure that `kyouko.domain.pipeline.lags.engine_structure` gives; no
            engine looks at it.
    """

    inputs: tuple[InputPopulation, ...]
    populations: tuple[Population, ...]
    output: OutputPopulation
    options: EngineOptions = field(default_factory=EngineOptions)
    kind: NetworkKind = NetworkKind.GROWING
    connections: tuple[Connection, ...] = ()
    organisation: Organisation | None = None
    pipeline: PipelineOptions | None = None

    @property
    def channels(self) -> int:
        """Width of a row."""
        return sum(population.channels for population in self.inputs)

    @property
    def least_channels(self) -> int:
        """Width of the narrowest row that may be taken."""
        is_narrow = self.pipeline is not None and self.pipeline.narrow_rows
        return 1 if is_narrow else self.channels

    @property
    def most_channels(self) -> int:
        """Width of the widest row that may be taken."""
        if self.pipeline is None or not self.pipeline.grow_channels:
            return self.channels
        return self.pipeline.most_channels or 2 * self.channels

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
        return any(
            item.reach.kind is not ReachKind.ALL or item.reach.falloff is not None
            for item in self.populations
        )

    @property
    def is_spiking(self) -> bool:
        """Whether some population has neurons with a memory of their own."""
        return any(item.spiking is not None for item in self.populations)

    @property
    def has_past(self) -> bool:
        """Whether rows leave a mark also if they are not learned: a pipeline counts them all."""
        return self.pipeline is not None or self.has_engine_past

    @property
    def has_engine_past(self) -> bool:
        """Whether the engine remembers rows, so that each has to be learned when it comes."""
        return self.is_spiking or any(item.delays for item in self.inputs)

    @property
    def teaches_itself(self) -> bool:
        """Whether the network learns from rows alone, without anybody's targets."""
        return self.pipeline is not None and self.pipeline.goal is not None

    def check(self) -> None:
        """Raise EngineStructureError at the first thing that cannot be built."""
        # The checks need the types above, so they can only be imported once these exist.
        from kyouko.domain.engine.checks import check_structure

        check_structure(self)
