"""Starts one whole mesh for all end-to-end tests, and makes users and projects in it."""

import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from hanami.kyouko.v1 import network_service_pb2, network_service_pb2_grpc
from hanami.misaki.v1 import (
    api_key_service_pb2,
    api_key_service_pb2_grpc,
    project_service_pb2,
    project_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from hanami.type.v1 import access_pb2

from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.state import MeshState
from tests.e2e.collector import TraceCollector

Metadata = tuple[tuple[str, str], ...]
PASSWORD = "correct-horse-battery"
# The first start on a machine compiles the kernels.
PATIENCE_SECONDS = 400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder time for a first start."""
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(PATIENCE_SECONDS))


@dataclass(frozen=True)
class Login:
    """Somebody who is logged in."""

    user_id: str
    token: str = field(repr=False)

    @property
    def metadata(self) -> Metadata:
        """The call metadata that proves it."""
        return (("authorization", f"Bearer {self.token}"),)

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers that prove it."""
        return dict(self.metadata)


@dataclass(frozen=True)
class RunningMesh:
    """A mesh that runs, with its admin logged in."""

    state: MeshState
    home: MeshHome
    channel: grpc.Channel
    admin: Login

    @property
    def url(self) -> str:
        """The gateway's URL."""
        return self.state.gateway_url

    @property
    def address(self) -> str:
        """The gateway's host:port."""
        return f"{self.state.host}:{self.state.port}"


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def log_in(channel: grpc.Channel, user_id: str, password: str) -> Login:
    """Log a user in through the gateway."""
    answer = token_service_pb2_grpc.TokenServiceStub(channel).Login(
        token_service_pb2.LoginRequest(user_id=user_id, password=password), timeout=20
    )
    return Login(user_id, answer.access_token)


@pytest.fixture(scope="session")
def collector() -> Iterator[TraceCollector]:
    """Receive the traces of the mesh."""
    collector = TraceCollector()
    yield collector
    collector.close()


@pytest.fixture(scope="session")
def mesh(
    tmp_path_factory: pytest.TempPathFactory, collector: TraceCollector
) -> Iterator[RunningMesh]:
    """Start the whole mesh once; stop it at the end."""
    home = MeshHome(tmp_path_factory.mktemp("mesh"))
    state = local_mesh.start(
        home,
        on_event=lambda event: None,
        port=free_port(),
        otlp_endpoint=collector.endpoint,
    )
    try:
        with grpc.insecure_channel(
            f"{state.host}:{state.port}", options=[("grpc.max_send_message_length", -1)]
        ) as channel:
            password = home.admin_password_file.read_text(encoding="utf-8").strip()
            yield RunningMesh(state, home, channel, log_in(channel, state.admin_user_id, password))
    finally:
        local_mesh.stop(home, lambda event: None)


def make_project(mesh: RunningMesh, project_id: str = "") -> str:
    """Make a project; return its name."""
    created = project_service_pb2_grpc.ProjectServiceStub(mesh.channel).CreateProject(
        project_service_pb2.CreateProjectRequest(
            project_id=project_id or f"p-{uuid.uuid4().hex[:12]}"
        ),
        metadata=mesh.admin.metadata,
    )
    return str(created.name)


def make_user(mesh: RunningMesh, user_id: str = "") -> Login:
    """Make a user without any role, and log them in."""
    user_id = user_id or f"u-{uuid.uuid4().hex[:12]}"
    user_service_pb2_grpc.UserServiceStub(mesh.channel).CreateUser(
        user_service_pb2.CreateUserRequest(user_id=user_id, password=PASSWORD),
        metadata=mesh.admin.metadata,
    )
    return log_in(mesh.channel, user_id, PASSWORD)


def make_member(mesh: RunningMesh, project: str, role: str, user_id: str = "") -> Login:
    """Make a user with a role in a project, and log them in."""
    user_id = make_user(mesh, user_id).user_id
    project_service_pb2_grpc.ProjectServiceStub(mesh.channel).CreateMember(
        project_service_pb2.CreateMemberRequest(
            parent=project,
            user=f"users/{user_id}",
            role=access_pb2.Role.Value(f"ROLE_{role}"),
        ),
        metadata=mesh.admin.metadata,
    )
    return log_in(mesh.channel, user_id, PASSWORD)


def make_device(
    mesh: RunningMesh, project: str, network_id: str, actions: Sequence[str], key_id: str = ""
) -> Login:
    """Make an API key in a project; return a device that has exchanged it for a token."""
    key_id = key_id or f"k-{uuid.uuid4().hex[:12]}"
    key = api_key_service_pb2.ApiKey(
        network=f"{project}/networks/{network_id}" if network_id else "",
        actions=[api_key_service_pb2.KeyAction.Value(f"KEY_ACTION_{name}") for name in actions],
    )
    made = api_key_service_pb2_grpc.ApiKeyServiceStub(mesh.channel).CreateApiKey(
        api_key_service_pb2.CreateApiKeyRequest(parent=project, api_key_id=key_id, api_key=key),
        metadata=mesh.admin.metadata,
    )
    answer = token_service_pb2_grpc.TokenServiceStub(mesh.channel).ExchangeApiKey(
        token_service_pb2.ExchangeApiKeyRequest(secret=made.secret), timeout=20
    )
    return Login(key_id, answer.access_token)


@pytest.fixture
def project(mesh: RunningMesh) -> str:
    """Return the name of a fresh project."""
    return make_project(mesh)


@pytest.fixture
def join(mesh: RunningMesh) -> Callable[[str, str], Login]:
    """Return a function that makes a user with a role in a project and logs them in."""

    def make(project: str, role: str) -> Login:
        return make_member(mesh, project, role)

    return make


@pytest.fixture
def member(project: str, join: Callable[[str, str], Login]) -> Login:
    """Return somebody who works in the fresh project."""
    return join(project, "MEMBER")


@pytest.fixture
def network(mesh: RunningMesh, project: str, member: Login) -> network_service_pb2.Network:
    """Return a fresh network of four channels in the fresh project."""
    return network_service_pb2_grpc.NetworkServiceStub(mesh.channel).CreateNetwork(
        network_service_pb2.CreateNetworkRequest(
            parent=project, network_id="fresh", template="templates/flat", channels=4
        ),
        metadata=member.metadata,
    )


def write(path: Path, text: str) -> Path:
    """Write a text file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path
