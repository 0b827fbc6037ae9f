"""What commands print about themselves."""

import sys
from pathlib import Path

import pytest

from hanami_sdk.cli.output import command


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the script of this command in an environment that is not active."""
    script = tmp_path / ".venv" / "bin" / "hanami"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [".venv/bin/hanami", "up"])
    return script


def test_a_command_off_the_path_is_told_by_its_own(
    script: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Relative below the current folder, else in full."""
    here = command()
    monkeypatch.setattr(sys, "argv", [str(script)])
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")

    assert (".venv/bin/hanami", str(script)) == (here, command())


def test_a_command_on_the_path_is_told_by_its_name(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an active environment."""
    monkeypatch.setenv("PATH", str(script.parent))

    assert "hanami" == command()
