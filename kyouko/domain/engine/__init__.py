"""The engine: networks that learn one row at a time, behind one interface."""

from kyouko.domain.engine.delayed.engine import DelayedEngine
from kyouko.domain.engine.errors import (
    EngineInputError,
    EngineMemoryError,
    EngineStateError,
    EngineStructureError,
)
from kyouko.domain.engine.experts.mixture import MixtureEngine
from kyouko.domain.engine.growing.engine import GrowingEngine
from kyouko.domain.engine.interface import (
    CHANNEL_EVENTS,
    Engine,
    EngineState,
    EngineStatistics,
    ExpertShare,
    GrowthEvent,
    GrowthKind,
    Scored,
)
from kyouko.domain.engine.organising.engine import OrganisingEngine
from kyouko.domain.engine.static.engine import StaticEngine
from kyouko.domain.engine.structure import (
    Activation,
    Arrival,
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

__all__ = [
    "CHANNEL_EVENTS",
    "Activation",
    "Arrival",
    "Connection",
    "DelayedEngine",
    "Device",
    "Engine",
    "EngineInputError",
    "EngineMemoryError",
    "EngineOptions",
    "EngineState",
    "EngineStateError",
    "EngineStatistics",
    "EngineStructureError",
    "ExpertShare",
    "GrowingEngine",
    "GrowthEvent",
    "GrowthKind",
    "InputPopulation",
    "MixtureEngine",
    "NetworkKind",
    "NetworkStructure",
    "Optimizer",
    "Organisation",
    "OutputPopulation",
    "Population",
    "Reach",
    "ReachKind",
    "Scored",
    "Spiking",
    "StaticEngine",
    "TaskKind",
    "create_engine",
    "restore_engine",
]


def create_engine(structure: NetworkStructure) -> Engine:
    """Make an empty network.

    Raises:
        EngineStructureError: if the structure cannot be built within its memory limit.
    """
    if any(item.delays for item in structure.inputs):
        return DelayedEngine(structure, _create_present)
    return _create_present(structure)


def _create_present(structure: NetworkStructure) -> Engine:
    """Make an empty network of channels without delays."""
    if structure.kind is NetworkKind.STATIC:
        return StaticEngine(structure)
    if structure.options.experts is False:
        return _create_grown(structure)
    return MixtureEngine(structure, _create_grown)


def _create_grown(structure: NetworkStructure) -> Engine:
    """Make an empty network that grows, without experts beside it."""
    if structure.organisation is not None:
        return OrganisingEngine(structure)
    return GrowingEngine(structure)


def restore_engine(structure: NetworkStructure, state: EngineState) -> Engine:
    """Make a network that continues exactly as the exported one would have.

    Raises:
        EngineStateError: if the state does not belong to this structure or version.
    """
    engine = create_engine(structure)
    engine.import_state(state)
    return engine
