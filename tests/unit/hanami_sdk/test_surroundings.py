"""What a client takes from its surroundings when it is told nothing."""

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hanami_sdk import Client, Tokens
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.state import ComponentState, write_state
from hanami_sdk.logins import LoginFile
from hanami_sdk.surroundings import DEFAULT_URL, authority_of, kept_logins, mesh_url
from tests.unit.hanami_sdk.local.test_state import state

ALICE = Tokens("access", 4e9, "refresh", 4e9, "users/alice")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MeshHome:
    """Give every test an empty home and no variables."""
    monkeypatch.setenv("HANAMI_HOME", str(tmp_path))
    for name in ("HANAMI_URL", "HANAMI_USER", "HANAMI_PASSWORD", "HANAMI_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    return MeshHome(tmp_path)


def run_a_mesh(home: MeshHome) -> None:
    """Let this process stand for a mesh that runs in the home."""
    own = psutil.Process()
    component = ComponentState("torii", os.getpid(), own.create_time(), "127.0.0.1:1", home.root)
    running = replace(state(home.root), gateway_url="https://mesh:8000", components=(component,))
    write_state(home.state_file, running)


def test_the_variable_comes_first_then_the_local_mesh(
    home: MeshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HANAMI_URL, else the gateway that `hanami up` started, else its usual address."""
    nothing = mesh_url()
    run_a_mesh(home)
    local = mesh_url()
    monkeypatch.setenv("HANAMI_URL", "elsewhere:1337")

    assert (DEFAULT_URL, "https://mesh:8000") == (nothing, local)
    assert "http://elsewhere:1337" == mesh_url()


def test_the_local_authority_counts_for_the_local_mesh_only(home: MeshHome) -> None:
    """Other meshes are verified with the authorities of the system."""
    run_a_mesh(home)

    assert home.root / "ca.pem" == authority_of("https://mesh:8000/")
    assert authority_of("https://elsewhere") is None


def test_a_client_works_as_who_is_logged_in() -> None:
    """The login that the command keeps is used, for its mesh alone."""
    kept_logins().save(DEFAULT_URL, ALICE)

    with Client() as client, Client("http://elsewhere") as stranger:
        assert (DEFAULT_URL, ALICE) == (client.url, client.tokens)
        assert stranger.tokens is None


def test_what_the_application_says_counts_more() -> None:
    """A user or tokens of the application replace the kept login."""
    kept_logins().save(DEFAULT_URL, ALICE)
    bob = replace(ALICE, user="users/bob")

    with Client(tokens=bob) as by_tokens, Client(user="bob", password="secret") as by_name:
        assert bob == by_tokens.tokens
        assert by_name.tokens is None


def test_a_login_of_the_application_is_not_kept_for_the_command(home: MeshHome) -> None:
    """Only fresh tokens of the kept user are written back."""
    kept_logins().save(DEFAULT_URL, ALICE)
    fresh = replace(ALICE, access="fresh")
    seen: list[Tokens] = []

    with Client(on_tokens=seen.append) as client:
        client._core._connection.session._keep(replace(ALICE, user="users/bob"))
        other = LoginFile(home.credentials_file).load(DEFAULT_URL)
        client._core._connection.session._keep(fresh)

    assert ALICE == other
    assert fresh == LoginFile(home.credentials_file).load(DEFAULT_URL)
    assert ["users/bob", "users/alice"] == [tokens.user for tokens in seen]
