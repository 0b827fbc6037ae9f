"""The shape of a network as its user declares it; no weights, no learning."""

import enum
import math
from dataclasses import dataclass, field
from typing import Final

from kyouko.domain.engine.errors import EngineStructureError

__all__ = [
    "Arrival",
    "EngineOptions",
    "InputPopulation",
    "NetworkStructure",
    "OutputPopulation",
    "Population",
    "Reach",
    "ReachKind",
    "TaskKind",
]

Vector = tuple[float, float, float]

_MOST_CHANNELS: Final = 1 << 24
_MOST_NEURONS: Final = 1 << 20


class TaskKind(enum.Enum):
    """What the outputs mean."""

    CLASSES = "classes"
    NUMBERS = "numbers"


class Arrival(enum.Enum):
    """How rows arrive; selects the preset of the learning rule."""

    STORED = "stored"
    STREAMED = "streamed"


class ReachKind(enum.Enum):
    """Which channels a population may grow connections to."""

    ALL = "all"
    WINDOW = "window"
    RADIUS = "radius"


@dataclass(frozen=True)
class Reach:
    """The part of space from which a population takes its inputs.

    Attributes:
        kind: all channels, a box, or a ball.
        window: full edge lengths of the box, centred on the population's position.
        radius: radius of the ball around the population's position.
    """

    kind: ReachKind = ReachKind.ALL
    window: Vector | None = None
    radius: float | None = None


@dataclass(frozen=True)
class Population:
    """Hidden neurons at one position.

    Attributes:
        name: unique among the populations.
        position: in the units of the inputs' positions.
        neurons: how many.
        inputs: names of the input populations it may connect to; empty means all.
        reach: which of their channels.
    """

    name: str
    position: Vector
    neurons: int
    inputs: tuple[str, ...] = ()
    reach: Reach = field(default_factory=Reach)


@dataclass(frozen=True)
class InputPopulation:
    """Channels on a regular grid in space; channel c is at x = c % nx, y = c // nx % ny, z.

    Attributes:
        name: unique among the input populations.
        channels: how many; the product of `shape`.
        shape: (nx, ny, nz).
        position: of the first channel.
        spacing: distance between neighbours.
    """

    name: str
    channels: int
    shape: tuple[int, int, int]
    position: Vector
    spacing: float = 1.0


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
    """

    seed: int = 1
    memory_limit_bytes: int = 256 * 1024 * 1024
    max_outputs: int = 256
    rehearsal_rows: int | None = None
    rehearsal_steps: float | None = None


@dataclass(frozen=True)
class NetworkStructure:
    """Everything that is fixed before the first row.

    Attributes:
        inputs: their channels, one after the other, form a row.
        populations: hidden populations.
        output: the one output population.
        options: settings of the engine.
    """

    inputs: tuple[InputPopulation, ...]
    populations: tuple[Population, ...]
    output: OutputPopulation
    options: EngineOptions = field(default_factory=EngineOptions)

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
