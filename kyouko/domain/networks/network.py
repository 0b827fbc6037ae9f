"""A network as its users know it, and what a snapshot holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kyouko.domain.engine import EngineState, EngineStatistics, ExpertShare, NetworkStructure
from kyouko.domain.networks.scoring import GREATEST_LOSS
from kyouko.domain.networks.sessions import SessionsState
from kyouko.domain.pipeline.state import PipelineState
from kyouko.domain.pipeline.statistics import PipelineStatistics
from mesh.visibility import Belonging, Visibility


@dataclass(frozen=True)
class NetworkStatistics:
    """How far a network has grown; see `hanami.kyouko.v1.NetworkStatistics`."""

    learned_rows: int = 0
    neurons: int = 0
    sections: int = 0
    input_connections: int = 0
    output_connections: int = 0
    outputs: int = 0
    memory_bytes: int = 0
    growth_stopped: str = ""
    running_loss: float = 0.0
    running_error: float = 0.0
    pruned_connections: int = 0
    drift_alarms: int = 0
    non_finite_values: int = 0
    experts: tuple[ExpertShare, ...] = ()
    pipeline: PipelineStatistics | None = None

    @property
    def connections(self) -> int:
        """All weights."""
        return self.input_connections + self.output_connections


def statistics_of(engine: EngineStatistics) -> NetworkStatistics:
    """Return what users see of an engine's statistics."""
    return NetworkStatistics(
        learned_rows=engine.learned_rows,
        neurons=engine.neurons,
        sections=engine.sections,
        input_connections=engine.input_connections,
        output_connections=engine.output_connections,
        outputs=engine.outputs,
        memory_bytes=engine.memory_bytes,
        growth_stopped=engine.growth_stop_reason,
        # In this order NaN is as bad as infinity.
        running_loss=min(GREATEST_LOSS, engine.running_loss),
        running_error=min(1.0, engine.running_error),
        pruned_connections=engine.pruned_connections,
        drift_alarms=engine.drift_alarms,
        non_finite_values=engine.non_finite_values,
        experts=engine.experts,
    )


@dataclass(frozen=True)
class NetworkEntry:
    """The little that tells who may know of a network; the uid tells it from later ones."""

    uid: str
    belonging: Belonging


@dataclass(frozen=True)
class Network:
    """A network. Its uid differs from that of every other, also of the same name.

    Attributes:
        kept_rows: learned rows that no crash can take.
        snapshot: the name of the snapshot; empty before the first one.
        snapshot_before: the one before it, kept in case the newest cannot be read.
        journal_position: the last change that the snapshot holds.
        problem: what was lost by damage, if anything; empty while nothing was.
        owner: whose it is; `owner_since` tells this owner from a later one of the same name.
    """

    uid: str
    project_id: str
    network_id: str
    structure: NetworkStructure
    create_time: datetime
    creator: str
    statistics: NetworkStatistics = field(default_factory=NetworkStatistics)
    labels: tuple[str, ...] = ()
    kept_rows: int = 0
    snapshot: str = ""
    snapshot_before: str = ""
    journal_position: int = 0
    problem: str = ""
    owner: str = ""
    owner_since: int = 0
    visibility: Visibility = Visibility.SHARED

    @property
    def name(self) -> str:
        """The resource name."""
        return network_name(self.project_id, self.network_id)

    @property
    def belonging(self) -> Belonging:
        """Whose it is, and who may know of it."""
        return Belonging(
            self.project_id, self.create_time, self.owner, self.owner_since, self.visibility
        )


def network_name(project_id: str, network_id: str) -> str:
    """Return the resource name of a network."""
    return f"projects/{project_id}/networks/{network_id}"


@dataclass(frozen=True)
class SnapshotContent:
    """All that a network needs to go on exactly where it was.

    Attributes:
        engine: the engine's arrays and header.
        labels: in the order of the outputs.
        target_scale: of `TargetScale.export`; empty for classes.
        sessions: how far each has come.
        journal_position: the last change in it.
        pipeline: None without one, or before it has seen a row.
    """

    engine: EngineState
    labels: tuple[str, ...]
    target_scale: Mapping[str, Any]
    sessions: SessionsState = field(default_factory=SessionsState)
    journal_position: int = 0
    pipeline: PipelineState | None = None


@dataclass(frozen=True)
class SnapshotRecord:
    """What a network's row says of its newest snapshot."""

    name: str
    kept_rows: int
    labels: tuple[str, ...]
    statistics: NetworkStatistics
    journal_position: int = 0
