"""What every kind of network offers: one small interface and what it hands out."""

import enum
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.structure import Arrival, InputPopulation, NetworkStructure

__all__ = [
    "CHANNEL_EVENTS",
    "Engine",
    "EngineState",
    "EngineStatistics",
    "ExpertShare",
    "GrowthEvent",
    "GrowthKind",
    "Scored",
]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


class GrowthKind(enum.IntEnum):
    """What a growth event tells."""

    STARTED = 1
    CHANNEL_GREW = 2
    SECTION_ADDED = 3
    OUTPUT_OPENED = 4
    CHANNEL_PRUNED = 5
    BAND_MOVED = 6
    CHANNELS_ADDED = 7
    POPULATIONS_ADDED = 8
    GROWTH_STOPPED = 9
    DRIFT_ALARM = 10


# The events whose subject is a channel.
CHANNEL_EVENTS: Final = frozenset(
    {
        GrowthKind.CHANNEL_GREW,
        GrowthKind.SECTION_ADDED,
        GrowthKind.CHANNEL_PRUNED,
        GrowthKind.BAND_MOVED,
        GrowthKind.CHANNELS_ADDED,
    }
)


@dataclass(frozen=True)
class GrowthEvent:
    """One change of a network's structure, or an alarm.

    Attributes:
        number: from 1, without gaps; the oldest events are forgotten.
        row: learned rows when it happened, the present one included.
        kind: what happened.
        subject: channel or output it happened to; -1 for the network as a whole, or for several
            channels in one row.
        connections: connections gained, negative when lost.
    """

    number: int
    row: int
    kind: GrowthKind
    subject: int
    connections: int


@dataclass(frozen=True)
class Scored:
    """Predictions made before each row was learned, and how good they were.

    Attributes:
        outputs: float32, shape (rows, outputs): probabilities or numbers; 0 for classes that
            were not known at that row.
        loss: float32, shape (rows,): classes: cross-entropy in nats, at most 13.8 (also for a
            label never seen before); numbers: mean over the outputs of the squared error in units
            of the target's variance so far, and 0 for the very first row, which has no unit yet.
        correct: uint8, shape (rows,): 1 where the most probable class was right; 0 for numbers.
        predicted: int32, shape (rows,): most probable class, -1 where none was known or for
            numbers.
    """

    outputs: Float32
    loss: Float32
    correct: npt.NDArray[np.uint8]
    predicted: npt.NDArray[np.int32]


@dataclass(frozen=True)
class ExpertShare:
    """The share of one expert in a network's answers.

    Attributes:
        name: `network`, or the name of an expert beside it.
        weight: in the answers now, 0 to 1.
        awake: whether it learns now; one that does not pay sleeps.
    """

    name: str
    weight: float
    awake: bool


@dataclass(frozen=True)
class EngineStatistics:
    """What the network has become.

    Attributes:
        learned_rows: rows learned, rehearsal not counted.
        updated_rows: those whose error called for a change of weights.
        neurons: hidden neurons; 0 before the first row.
        sections: intervals of all channels.
        input_connections: weights from sections to neurons.
        pruned_connections: weights from sections to neurons removed so far because they hardly
            mattered.
        output_connections: weights from neurons to outputs.
        connections: both.
        outputs: outputs known.
        memory_bytes: memory in use; stays below the limit.
        memory_limit_bytes: the declared limit.
        growth_stopped: whether the network could not grow when it wanted to.
        growth_stop_reason: why, else empty.
        running_loss: of about the last 1,000 rows, in the unit of `Scored.loss`.
        running_error: share of wrong classes, or mean absolute error in standard deviations
            (at most 1), of about the last 1,000 rows.
        drift_alarms: times the error rose more than chance explains.
        non_finite_values: NaN and infinite inputs met while learning.
        uses_averaged_weights: whether predictions come from the averaged weights now.
        experts: who answers; empty for a network alone.
    """

    learned_rows: int
    updated_rows: int
    neurons: int
    sections: int
    input_connections: int
    pruned_connections: int
    output_connections: int
    connections: int
    outputs: int
    memory_bytes: int
    memory_limit_bytes: int
    growth_stopped: bool
    growth_stop_reason: str
    running_loss: float
    running_error: float
    drift_alarms: int
    non_finite_values: int
    uses_averaged_weights: bool
    experts: tuple[ExpertShare, ...] = ()


@dataclass(frozen=True)
class EngineState:
    """A network as named arrays and a header that JSON can hold.

    Attributes:
        arrays: copies; safe to keep while the network learns on.
        header: format and kernel version, and what the arrays must fit.
    """

    arrays: dict[str, Array]
    header: dict[str, Any]


class Engine(Protocol):
    """A network that learns row by row. One owner at a time; it takes no locks.

    The same seed and rows give the same bits on the same machine, however the rows are divided
    into frames; a restored network continues exactly as the exported one would have.
    """

    structure: NetworkStructure

    @property
    def channels(self) -> int:
        """Width of a row."""

    @property
    def outputs(self) -> int:
        """Outputs known now."""

    def learn(self, inputs: Array, targets: Array, *, arrival: Arrival) -> Scored:
        """Predict, score and learn each row in order."""

    def predict(self, inputs: Array) -> Float32:
        """Predict each row as if it came next; changes nothing."""

    def observe(self, inputs: Array) -> Float32:
        """Predict each row in order, and let it pass without learning from it.

        In a network with delays or potentials these rows become the past of those that follow;
        without memory it is `predict`.
        """

    def statistics(self) -> EngineStatistics:
        """Describe the network."""

    def events(self, since: int = 0) -> tuple[GrowthEvent, ...]:
        """Return the latest growth events whose number is above `since`, oldest first."""

    def export_state(self) -> EngineState:
        """Copy everything that a network needs to continue exactly as this one."""

    def import_state(self, saved: EngineState) -> None:
        """Become the exported network; only for an engine that has learned nothing yet.

        Raises:
            EngineStateError: if the state does not belong to this structure or version.
        """

    def add_channels(self, population: InputPopulation) -> None:
        """Widen the rows by a new input population; what was learned stays as it is."""
