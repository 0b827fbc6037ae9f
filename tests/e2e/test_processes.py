"""The mesh as processes: kills, restarts, two starts at once, an occupied port."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hanami.kyouko.v1 import (
    learning_service_pb2_grpc,
    network_service_pb2,
    network_service_pb2_grpc,
)
from hanami.misaki.v1 import project_service_pb2, project_service_pb2_grpc
from hanami.torii.v1 import mesh_service_pb2, mesh_service_pb2_grpc

from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.errors import AlreadyStarting, PortOccupied
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.state import Health
from tests.e2e import rows
from tests.e2e.conftest import Login, RunningMesh, free_port, log_in

SERVICES = ["misaki", "shiori", "kyouko", "azuki", "torii"]


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> bool:
    """Wait for a condition; returns whether it came true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def health_of(home: MeshHome, component: str) -> Health:
    """Return the health of one component."""
    return next(c.health for c in local_mesh.status(home) if c.name == component)


def told_health(mesh: RunningMesh, service: str) -> int:
    """Return the health of a service as torii tells it through the gateway."""
    status = mesh_service_pb2_grpc.MeshServiceStub(mesh.channel).GetMeshStatus(
        mesh_service_pb2.GetMeshStatusRequest(), metadata=mesh.admin.metadata, timeout=20
    )
    return next(s.health for s in status.services if s.service == service)


@pytest.mark.parametrize("victim", SERVICES)
def test_kill_9_of_one_service_leaves_the_others_up(mesh: RunningMesh, victim: str) -> None:
    """The killed service is reported, the others serve, and a start brings it back."""
    killed = next(c for c in local_mesh.status(mesh.home) if c.name == victim)
    assert killed.pid is not None

    os.kill(killed.pid, signal.SIGKILL)

    assert wait_until(lambda: health_of(mesh.home, victim) is Health.STOPPED)
    others = {c.name: c.health for c in local_mesh.status(mesh.home) if c.name != victim}
    assert {Health.SERVING} == set(others.values()), others
    if victim != "torii":
        assert mesh_service_pb2.HEALTH_UNREACHABLE == told_health(mesh, victim)
    local_mesh.start(mesh.home, on_event=lambda event: None, port=mesh.state.port)
    assert wait_until(lambda: told_health(mesh, victim) == mesh_service_pb2.HEALTH_SERVING)


def test_a_network_survives_kill_9_of_kyouko(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """After kill -9 and a start the network is what its snapshot holds."""
    stub = learning_service_pb2_grpc.LearningServiceStub(mesh.channel)
    before = list(stub.Learn(rows.conversation(network.name), metadata=member.metadata))[-1]
    kyouko = next(c for c in local_mesh.status(mesh.home) if c.name == "kyouko")
    assert kyouko.pid is not None

    os.kill(kyouko.pid, signal.SIGKILL)
    wait_until(lambda: health_of(mesh.home, "kyouko") is Health.STOPPED)
    local_mesh.start(mesh.home, on_event=lambda event: None, port=mesh.state.port)

    assert wait_until(lambda: told_health(mesh, "kyouko") == mesh_service_pb2.HEALTH_SERVING)
    after = network_service_pb2_grpc.NetworkServiceStub(mesh.channel).GetNetwork(
        network_service_pb2.GetNetworkRequest(name=network.name),
        metadata=member.metadata,
        wait_for_ready=True,
        timeout=30,
    )
    assert before.closed.network.statistics == after.statistics
    assert 320 == after.kept_rows


def test_an_occupied_port_is_named(tmp_path: Path) -> None:
    """Starting on a port of another program fails with the port in the sentence."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        with pytest.raises(PortOccupied, match=str(port)):
            local_mesh.start(MeshHome(tmp_path), on_event=lambda event: None, port=port)

    assert [] == [c.name for c in local_mesh.status(MeshHome(tmp_path)) if c.pid is not None]


@pytest.fixture
def own_home(tmp_path: Path) -> Iterator[MeshHome]:
    """Return a home whose mesh is stopped at the end."""
    home = MeshHome(tmp_path)
    yield home
    local_mesh.stop(home, lambda event: None)


def test_two_starts_at_once_do_not_disturb_each_other(own_home: MeshHome) -> None:
    """One of them starts the mesh, the other says that somebody else is at it."""
    port = free_port()
    refused: list[AlreadyStarting] = []

    def start() -> None:
        try:
            local_mesh.start(own_home, on_event=lambda event: None, port=port)
        except AlreadyStarting as error:
            refused.append(error)

    starts = [threading.Thread(target=start) for _ in range(2)]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join()

    assert 1 == len(refused)
    assert {Health.SERVING} == {c.health for c in local_mesh.status(own_home)}


def test_tls_serves_with_a_local_certificate(own_home: MeshHome) -> None:
    """`up --tls` serves clients that trust its local authority."""
    import grpc

    state = local_mesh.start(own_home, on_event=lambda event: None, port=free_port(), tls=True)
    assert state.ca_certificate is not None
    credentials = grpc.ssl_channel_credentials(state.ca_certificate.read_bytes())
    password = own_home.admin_password_file.read_text(encoding="utf-8").strip()

    with grpc.secure_channel(f"localhost:{state.port}", credentials) as channel:
        admin = log_in(channel, state.admin_user_id, password)
        listed = project_service_pb2_grpc.ProjectServiceStub(channel).ListProjects(
            project_service_pb2.ListProjectsRequest(), metadata=admin.metadata
        )

    assert state.gateway_url.startswith("https://")
    assert [] == list(listed.projects)


def test_misaki_refuses_to_start_without_an_admin(tmp_path: Path) -> None:
    """Without an admin in its database and in its environment misaki ends with a sentence."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HANAMI_")
    }

    done = subprocess.run(
        [sys.executable, "-m", "misaki"],
        env={**environment, "HANAMI_DATA_DIRECTORY": str(tmp_path), "HANAMI_LISTEN": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 != done.returncode
    assert "HANAMI_ADMIN_USER_ID" in done.stderr
    assert "Traceback" not in done.stderr
