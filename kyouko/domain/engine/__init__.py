"""The engine: networks that learn one row at a time, behind one interface."""

from kyouko.domain.engine.errors import EngineInputError, EngineStateError, EngineStructureError
from kyouko.domain.engine.growing import Engine, EngineStatistics, GrowingEngine, Scored
from kyouko.domain.engine.snapshot import EngineState, import_arrays
from kyouko.domain.engine.structure import (
    Arrival,
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    TaskKind,
)

__all__ = [
    "Arrival",
    "Engine",
    "EngineInputError",
    "EngineOptions",
    "EngineState",
    "EngineStateError",
    "EngineStatistics",
    "EngineStructureError",
    "GrowingEngine",
    "InputPopulation",
    "NetworkStructure",
    "OutputPopulation",
    "Population",
    "Reach",
    "ReachKind",
    "Scored",
    "TaskKind",
    "create_engine",
    "restore_engine",
]


def create_engine(structure: NetworkStructure) -> Engine:
    """Make an empty network.

    Raises:
        EngineStructureError: if the structure cannot be built within its memory limit.
    """
    return GrowingEngine(structure)


def restore_engine(structure: NetworkStructure, state: EngineState) -> Engine:
    """Make a network that continues exactly as the exported one would have.

    Raises:
        EngineStateError: if the state does not belong to this structure or version.
    """
    engine = GrowingEngine(structure)
    import_arrays(structure, engine.state, state)
    return engine
