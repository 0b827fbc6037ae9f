"""Native gRPC clients through Envoy: health, reflection, learning, tasks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hanami.kyouko.v1 import (
    learning_service_pb2_grpc,
    network_service_pb2,
    network_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
)
from hanami.shiori.v1 import dataset_service_pb2_grpc

from tests.e2e import rows
from tests.e2e.conftest import Login, RunningMesh

SERVICES = [
    "hanami.azuki.v1.MonitoringService",
    "hanami.kyouko.v1.LearningService",
    "hanami.kyouko.v1.NetworkService",
    "hanami.kyouko.v1.TaskService",
    "hanami.kyouko.v1.TemplateService",
    "hanami.misaki.v1.ProjectService",
    "hanami.misaki.v1.TokenService",
    "hanami.misaki.v1.UserService",
    "hanami.shiori.v1.DatasetService",
    "hanami.torii.v1.MeshService",
    "inference.GRPCInferenceService",
]


@pytest.mark.parametrize("service", SERVICES)
def test_health_of_every_service_is_told_through_the_gateway(
    mesh: RunningMesh, service: str
) -> None:
    """`grpc.health.v1` answers SERVING for every service of the mesh."""
    answer = health_pb2_grpc.HealthStub(mesh.channel).Check(
        health_pb2.HealthCheckRequest(service=service)
    )

    assert health_pb2.HealthCheckResponse.SERVING == answer.status


def test_reflection_lists_every_service(mesh: RunningMesh) -> None:
    """Reflection through the gateway names all contracts."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")

    answers = reflection_pb2_grpc.ServerReflectionStub(mesh.channel).ServerReflectionInfo(
        iter([request])
    )

    listed = {service.name for service in next(answers).list_services_response.service}
    assert set(SERVICES) <= listed


def test_a_reflecting_client_calls_without_any_proto_file(mesh: RunningMesh) -> None:
    """`buf curl` finds the contract by reflection and calls a method through the gateway."""
    buf = Path(sys.executable).parent / "buf"
    method = "hanami.misaki.v1.TokenService/GetJsonWebKeySet"

    done = subprocess.run(
        [str(buf), "curl", "--protocol", "grpc", "--http2-prior-knowledge", f"{mesh.url}/{method}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert ["OKP"] == [key["kty"] for key in json.loads(done.stdout)["keys"]]


def test_a_stream_learns_and_is_kept(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """A stream through the gateway predicts, learns, and ends with a snapshot of all rows."""
    stub = learning_service_pb2_grpc.LearningServiceStub(mesh.channel)

    answers = list(stub.Learn(rows.conversation(network.name), metadata=member.metadata))

    results = [answer.result for answer in answers if answer.HasField("result")]
    assert 0 == network.statistics.connections
    assert list(range(1, 21)) == [result.sequence for result in results]
    assert 320 == answers[-1].closed.network.kept_rows
    assert answers[-1].closed.network.statistics.connections > 0
    assert sum(result.correct_rows for result in results[-5:]) > 0.9 * 80


def test_a_task_learns_a_stored_data_set(
    mesh: RunningMesh, project: str, network: network_service_pb2.Network, member: Login
) -> None:
    """Upload, queue, watch to the end: the network has learned every row."""
    dataset = dataset_service_pb2_grpc.DatasetServiceStub(mesh.channel).UploadDataset(
        rows.upload(project, "clouds", rows.csv_of(3000), target="kind"), metadata=member.metadata
    )
    tasks = task_service_pb2_grpc.TaskServiceStub(mesh.channel)
    task = tasks.CreateTask(
        task_service_pb2.CreateTaskRequest(
            parent=network.name, kind=task_service_pb2.TASK_KIND_LEARN, dataset=dataset.name
        ),
        metadata=member.metadata,
    )

    states = list(
        tasks.WatchTask(task_service_pb2.WatchTaskRequest(name=task.name), metadata=member.metadata)
    )

    after = network_service_pb2_grpc.NetworkServiceStub(mesh.channel).GetNetwork(
        network_service_pb2.GetNetworkRequest(name=network.name), metadata=member.metadata
    )
    assert task_service_pb2.TASK_STATE_SUCCEEDED == states[-1].state
    assert (3000, 3000) == (after.statistics.learned_rows, after.kept_rows)
    assert ["loud", "quiet"] == sorted(after.labels)
    assert states[-1].progress.accuracy > 0.9
