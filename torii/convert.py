"""Between torii's messages and its domain."""

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as learning_pb
from hanami.torii.v1 import mesh_service_pb2 as pb

from torii.domain.mesh_status import ServiceStatus


def mesh_message(version: str, services: Sequence[ServiceStatus]) -> pb.MeshStatus:
    """Return the mesh as a message."""
    return pb.MeshStatus(version=version, services=[_service_message(s) for s in services])


def fault_frame(status: status_pb2.Status) -> bytes:
    """Return the last message of a websocket: why it ends."""
    fault = learning_pb.LearnFault(status=status)
    return learning_pb.LearnResponse(fault=fault).SerializeToString()


def _service_message(service: ServiceStatus) -> pb.ServiceStatus:
    message = pb.ServiceStatus(
        service=service.service, health=pb.Health.Value(f"HEALTH_{service.health}")
    )
    if service.latency_seconds is not None:
        message.latency.CopyFrom(_duration(service.latency_seconds))
    return message


def _duration(seconds: float) -> Duration:
    whole, nanos = divmod(round(seconds * 1e9), 10**9)
    return Duration(seconds=whole, nanos=nanos)
