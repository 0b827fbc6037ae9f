"""One whole mesh behind a real Envoy for all tests of the client and the command."""

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hanami_sdk import Client, Tokens
from hanami_sdk.cli.app import app
from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.home import MeshHome
from hanami_sdk.logins import LoginFile
from tests.e2e.conftest import free_port

Command = Callable[..., Result]


# The first start of a mesh compiles the kernels, which can take two minutes.
_PATIENCE_SECONDS = 400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder time for the first start of a mesh."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_PATIENCE_SECONDS))


@dataclass(frozen=True)
class RunningMesh:
    """A mesh that runs.

    Attributes:
        url: of its gateway.
        home: its folder.
        password: of its administrator, `admin`.
        tokens: of the administrator; one login serves all tests.
    """

    url: str
    home: MeshHome
    password: str
    tokens: Tokens

    def client(self, project: str = "") -> Client:
        """Return a client that is logged in as the administrator."""
        return Client(self.url, project=project, tokens=self.tokens)


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMesh]:
    """Start a mesh once; stop it at the end."""
    home = MeshHome(tmp_path_factory.mktemp("sdk-mesh"))
    state = local_mesh.start(home, on_event=lambda event: None, port=free_port())
    try:
        password = home.admin_password_file.read_text(encoding="utf-8").strip()
        with Client(state.gateway_url) as client:
            tokens = client.login("admin", password)
        yield RunningMesh(state.gateway_url, home, password, tokens)
    finally:
        local_mesh.stop(home, lambda event: None)


@pytest.fixture
def project(mesh: RunningMesh) -> str:
    """Return the id of a fresh project."""
    project_id = f"p-{uuid.uuid4().hex[:12]}"
    with mesh.client() as client:
        client.projects.create(project_id)
    return project_id


@pytest.fixture
def client(mesh: RunningMesh, project: str) -> Iterator[Client]:
    """Return a client at work in the fresh project."""
    with mesh.client(project) as opened:
        yield opened


@pytest.fixture
def hanami(mesh: RunningMesh, project: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return the command, logged in, at work in the fresh project."""
    monkeypatch.setenv("HANAMI_HOME", str(mesh.home.root))
    monkeypatch.setenv("HANAMI_PROJECT", project)
    for name in list(os.environ):
        if name.startswith("HANAMI_") and name not in ("HANAMI_HOME", "HANAMI_PROJECT"):
            monkeypatch.delenv(name)

    def run(*words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, list(words), input=stdin, env={"COLUMNS": "200"})

    LoginFile(mesh.home.credentials_file).save(mesh.url, mesh.tokens)
    return run


@pytest.fixture
def rows_csv(tmp_path: Path) -> Path:
    """Return a CSV of 400 rows: the label says which of two columns is larger."""
    lines = ["left,right,larger"]
    for n in range(400):
        left, right = (n * 37) % 101, (n * 53) % 97
        lines.append(f"{left},{right},{'left' if left > right else 'right'}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
