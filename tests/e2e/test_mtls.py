"""A whole mesh whose parts prove to each other who they are: `hanami up --tls --mtls`."""

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from websockets.sync.client import connect

from hanami_sdk import Client
from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.errors import SpeaksOtherwise
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.key_rotation import rotate_encryption_key
from hanami_sdk.local.peer_files import peer_files
from hanami_sdk.local.state import Health, MeshState
from mesh.encryption.keys import KeyRing
from tests.e2e.conftest import free_port

SERVICES = ["misaki", "shiori", "kyouko", "azuki", "torii"]
CELLS = 300
SECRET_WORD = "chrysanthemum"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshHome]:
    """Return the home of a mesh that runs with certificates; stop it at the end."""
    home = MeshHome(tmp_path_factory.mktemp("mtls"))
    try:
        local_mesh.start(home, on_event=lambda event: None, port=free_port(), tls=True, mtls=True)
        yield home
    finally:
        local_mesh.stop(home, lambda event: None)


@pytest.fixture
def state(home: MeshHome) -> MeshState:
    """Return what was started."""
    state = local_mesh.running_state(home)
    assert state is not None
    return state


@pytest.fixture
def client(home: MeshHome, state: MeshState) -> Iterator[Client]:
    """Return the admin's client, through the gateway."""
    with Client(
        state.gateway_url.replace("127.0.0.1", "localhost"),
        ca_file=str(state.ca_certificate),
        project="p1",
        user=state.admin_user_id,
        password=home.admin_password_file.read_text(encoding="utf-8").strip(),
    ) as client:
        yield client


def rows_csv(folder: Path) -> Path:
    """Write rows of two numbers and the words that they mean."""
    numbers = np.random.default_rng(1).normal(size=(CELLS, 2))
    lines = [f"{a:.3f},{b:.3f},{SECRET_WORD if a > b else 'other'}" for a, b in numbers]
    path = folder / "rows.csv"
    path.write_text("\n".join(["a,b,kind", *lines]) + "\n", encoding="utf-8")
    return path


def address_of(state: MeshState, service: str) -> str:
    """Return where a service listens."""
    return next(c.address for c in state.components if c.name == service)


def health_through(channel: grpc.Channel) -> int:
    """Ask a service how it is."""
    with channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=10
        )
    return int(answer.status)


def page_of(connection: http.client.HTTPSConnection) -> int:
    """Fetch the start page; returns the status."""
    connection.request("GET", "/")
    return connection.getresponse().status


def test_everything_works_as_ever(client: Client, home: MeshHome, tmp_path: Path) -> None:
    """Upload, task, stream and measurements pass through every connection of the mesh."""
    client.projects.create("p1")
    client.datasets.upload_csv("rows", rows_csv(tmp_path), target_column="kind")
    client.networks.create("n1", template="flat", channels=2)
    task = client.tasks.wait(client.tasks.create("n1", "LEARN", "rows", epochs=2).name)
    with client.learn("n1") as stream:
        result = stream.send(np.array([[1.0, 0.0]]), labels=[SECRET_WORD])
    read = [rows.columns["kind"] for rows in client.datasets.read("rows", columns=["kind"])]

    assert 2 * CELLS == task.progress.done_rows
    assert 2 * CELLS + 1 == result.learned_rows
    assert CELLS == sum(map(len, read))
    assert {Health.SERVING} == {c.health for c in local_mesh.status(home)}


def test_nothing_of_it_lies_on_the_disk_in_plain(client: Client, home: MeshHome) -> None:
    """Of the data set and the snapshots no file holds a label."""
    client.networks.get("n1")

    folders = [home.data("shiori") / "blobs", home.data("kyouko") / "snapshots"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    assert len(files) >= 4
    assert not [path for path in files if SECRET_WORD.encode() in path.read_bytes()]
    assert all(path.read_bytes().startswith(b"HANAMIE\0") for path in files)


@pytest.mark.parametrize("service", SERVICES)
def test_plain_client_is_refused_at_every_port(state: MeshState, service: str) -> None:
    """Beside the gateway there is no way in, not even to the health."""
    with pytest.raises(grpc.RpcError) as caught:
        health_through(grpc.insecure_channel(address_of(state, service)))

    assert grpc.StatusCode.UNAVAILABLE == caught.value.code()


@pytest.mark.parametrize("service", SERVICES)
def test_client_without_a_certificate_is_refused_at_every_port(
    state: MeshState, home: MeshHome, service: str
) -> None:
    """Who speaks TLS and knows the authority is still a stranger; the command is none."""
    files = peer_files(home.peer_certificates, "hanami")
    authority = files.authority.read_bytes()
    known = (authority, files.private_key.read_bytes(), files.certificate.read_bytes())
    options = [("grpc.ssl_target_name_override", service)]
    address = address_of(state, service)

    with pytest.raises(grpc.RpcError) as caught:
        health_through(
            grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), options)
        )
    served = health_through(
        grpc.secure_channel(address, grpc.ssl_channel_credentials(*known), options)
    )

    assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
    assert health_pb2.HealthCheckResponse.SERVING == served


def test_pages_and_websockets_come_through_the_gateway_only(
    state: MeshState, home: MeshHome
) -> None:
    """The HTTP port of torii asks for a certificate, too."""
    context = ssl.create_default_context(cafile=str(state.ca_certificate))
    page = http.client.HTTPSConnection("localhost", state.port, timeout=10, context=context)
    status = page_of(page)
    page.close()
    files = peer_files(home.peer_certificates, "torii")
    stranger = ssl.create_default_context(cafile=str(files.authority))
    host, port = state.torii_http_address.split(":")
    direct = http.client.HTTPSConnection(host, int(port), timeout=10, context=stranger)

    with connect(f"wss://localhost:{state.port}/v1/learn", ssl=context) as websocket:
        opened = websocket.response is not None
    with pytest.raises((ssl.SSLError, http.client.RemoteDisconnected, ConnectionError)):
        page_of(direct)

    direct.close()
    assert (200, True) == (status, opened)


def test_no_secret_is_logged_or_on_a_command_line(home: MeshHome, state: MeshState) -> None:
    """Neither logs nor notes nor process lists hold a password, a key or a secret."""
    secrets = [path.read_text(encoding="utf-8").strip() for path in home.secrets.iterdir()]
    secrets += [path.read_text(encoding="ascii") for path in home.tls.rglob("*.key")]
    places = [*home.logs.iterdir(), home.state_file, home.envoy_configuration]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in places]
    texts += [" ".join(psutil.Process(c.pid).cmdline()) for c in state.components]

    shown = [secret[:8] for secret in secrets for text in texts if secret in text]

    assert len(secrets) >= 10
    assert [] == shown


def test_other_way_of_speaking_needs_a_new_start(state: MeshState, home: MeshHome) -> None:
    """What runs with certificates cannot be joined by what does not; that is said."""
    with pytest.raises(SpeaksOtherwise) as caught:
        local_mesh.start(home, on_event=lambda event: None, mtls=False)

    assert "with certificates" in caught.value.sentence
    assert "hanami down" in caught.value.hint


def test_restarted_service_is_trusted(home: MeshHome, client: Client) -> None:
    """One part that starts anew takes its place again."""
    local_mesh.restart(home, "shiori", lambda event: None)

    assert CELLS == client.datasets.get("rows").row_count
    assert {Health.SERVING} == {c.health for c in local_mesh.status(home)}


def test_key_is_replaced_while_the_mesh_runs(home: MeshHome, client: Client) -> None:
    """Everything is under the new key, the old one is forgotten, and nothing is lost."""
    before = home.encryption_key_file.read_text()
    old_id = KeyRing.parse(before).active.id
    learned = client.networks.get("n1").statistics.learned_rows

    rotation = rotate_encryption_key(home, local_mesh.running_state(home), lambda event: None)

    key = home.encryption_key_file.read_text()
    key_id = KeyRing.parse(key).active.id
    stored = [
        path.read_bytes()
        for folder in (home.data("shiori") / "blobs", home.data("kyouko") / "snapshots")
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert 1 == len(key.split())
    assert before != key
    assert 2 == len(rotation.reports)
    assert all(key_id in (content[24:32], content[92:100]) for content in stored)
    assert not any(old_id in content[:160] for content in stored)
    assert learned == client.networks.get("n1").statistics.learned_rows
    assert CELLS == sum(len(rows.columns["kind"]) for rows in client.datasets.read("rows"))
    local_mesh.restart(home, "kyouko", lambda event: None)
    with client.learn("n1") as stream:
        assert learned + 1 == stream.send(np.zeros((1, 2)), labels=["other"]).learned_rows
