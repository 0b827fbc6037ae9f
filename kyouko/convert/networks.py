"""Networks to messages, and the names of networks."""

from dataclasses import asdict

from google.protobuf.timestamp_pb2 import Timestamp
from hanami.kyouko.v1 import network_service_pb2 as pb

from kyouko.convert.pipelines import pipeline_statistics_message
from kyouko.convert.templates import structure_message
from kyouko.domain.engine import GrowthEvent, GrowthKind
from kyouko.domain.networks.keeping import TakenSnapshot
from kyouko.domain.networks.network import Network, NetworkStatistics
from mesh import names
from mesh.visibility_messages import visibility_number

_GROWTH_KINDS = {kind: pb.GrowthKind.Value(f"GROWTH_KIND_{kind.name}") for kind in GrowthKind}


def network_ids(name: str, *, field: str = "name") -> tuple[str, str]:
    """Return the ids of project and network in a name."""
    project_id, network_id = names.parse("projects/*/networks/*", name, field=field)
    return project_id, network_id


def network_message(network: Network) -> pb.Network:
    """Return a network as a message."""
    create_time = Timestamp()
    create_time.FromDatetime(network.create_time)
    return pb.Network(
        name=network.name,
        structure=structure_message(network.structure),
        statistics=statistics_message(network.statistics),
        labels=network.labels,
        kept_rows=network.kept_rows,
        problem=network.problem,
        create_time=create_time,
        creator=network.creator,
        etag=network.uid,
        owner=network.owner,
        visibility=visibility_number(network.visibility),
    )


def statistics_message(statistics: NetworkStatistics) -> pb.NetworkStatistics:
    """Return statistics as a message."""
    message = pb.NetworkStatistics(
        learned_rows=statistics.learned_rows,
        neurons=statistics.neurons,
        sections=statistics.sections,
        input_connections=statistics.input_connections,
        output_connections=statistics.output_connections,
        connections=statistics.connections,
        outputs=statistics.outputs,
        memory_bytes=statistics.memory_bytes,
        growth_stopped=statistics.growth_stopped,
        running_loss=statistics.running_loss,
        running_error=statistics.running_error,
        pruned_connections=statistics.pruned_connections,
        drift_alarms=statistics.drift_alarms,
        non_finite_values=statistics.non_finite_values,
        experts=[pb.ExpertShare(**asdict(item)) for item in statistics.experts],
    )
    if statistics.pipeline is not None:
        message.pipeline.CopyFrom(pipeline_statistics_message(statistics.pipeline))
    return message


def snapshot_message(taken: TakenSnapshot) -> pb.NetworkSnapshot:
    """Return a snapshot as a message."""
    create_time = Timestamp()
    create_time.FromDatetime(taken.create_time)
    return pb.NetworkSnapshot(
        learned_rows=taken.learned_rows,
        journal_position=taken.journal_position,
        create_time=create_time,
        size_bytes=taken.size_bytes,
    )


def event_message(event: GrowthEvent) -> pb.GrowthEvent:
    """Return a growth event as a message."""
    return pb.GrowthEvent(
        number=event.number,
        row=event.row,
        kind=_GROWTH_KINDS[event.kind],
        subject=event.subject if event.subject >= 0 else None,
        connections=event.connections,
    )
