"""What is kept about a mesh that was started."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from hanami_sdk.local.state import ComponentState, MeshState, read_state, write_state


def state(folder: Path) -> MeshState:
    """Return a state with every field set."""
    kyouko = ComponentState("kyouko", 12, 1.25, "127.0.0.1:7003", folder / "kyouko.log")
    return MeshState(
        home=folder,
        gateway_url="https://127.0.0.1:1337",
        host="127.0.0.1",
        port=1337,
        tls=True,
        ca_certificate=folder / "ca.pem",
        otlp_endpoint=None,
        debug=False,
        admin_user_id="admin",
        admin_password_file=None,
        envoy_admin_address="127.0.0.1:1",
        torii_http_address="127.0.0.1:2",
        components=(kyouko,),
        peer_certificates=folder / "mesh",
    )


def test_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Writing and reading give the same state, in a file of the owner."""
    file = tmp_path / "state.json"

    write_state(file, state(tmp_path))

    assert state(tmp_path) == read_state(file)
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_state_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """A mesh that was started before there were certificates can still be stopped."""
    file = tmp_path / "state.json"
    write_state(file, replace(state(tmp_path), peer_certificates=None))
    written = json.loads(file.read_text())
    del written["peer_certificates"]
    file.write_text(json.dumps(written))

    assert replace(state(tmp_path), peer_certificates=None) == read_state(file)


def test_missing_state_is_none(tmp_path: Path) -> None:
    """Where nothing was started there is no state."""
    assert read_state(tmp_path / "state.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"components": [{}]}'])
def test_damaged_state_is_an_error(tmp_path: Path, text: str) -> None:
    """A file that is no state is reported with its path."""
    file = tmp_path / "state.json"
    file.write_text(text)

    with pytest.raises(ValueError, match=r"state\.json"):
        read_state(file)


def test_component_is_found_by_name(tmp_path: Path) -> None:
    """A component is found by its name, an unknown one is None."""
    found = state(tmp_path).component("kyouko")

    assert found is not None
    assert (12, 1.25) == (found.identity.pid, found.identity.create_time)
    assert state(tmp_path).component("misaki") is None
