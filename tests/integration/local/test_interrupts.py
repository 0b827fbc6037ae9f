"""Ctrl-C while small processes in place of the services are started and stopped."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hanami_sdk.local import mesh, processes, starting
from hanami_sdk.local.errors import HalfStopped
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.processes import ProcessIdentity
from hanami_sdk.local.state import EventKind, StartEvent
from tests.integration.local.test_mesh import STAND_IN


@pytest.fixture(autouse=True)
def _hear_interrupts() -> Iterator[None]:
    """Let Ctrl-C interrupt, also where the tests run in the background."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MeshHome]:
    """Return the home of stand-ins, which are stopped at the end."""

    def command(service: str, *, debug: bool) -> list[str]:
        return [sys.executable, "-P", str(STAND_IN), service]

    monkeypatch.setattr(starting, "service_command", command)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    home = MeshHome(tmp_path / "home")
    yield home
    mesh.stop(home, lambda event: None)


@pytest.mark.parametrize("last", ["misaki", "envoy"])
def test_a_start_that_is_interrupted_leaves_no_process(
    home: MeshHome, free_port: int, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """Ctrl-C right after a process was made stops that process, too."""
    spawned: list[ProcessIdentity] = []
    spawn = processes.spawn

    def interrupted(command: list[str], **options: Any) -> ProcessIdentity:
        spawned.append(spawn(command, **options))
        if options["log_path"] == home.log(last):
            signal.raise_signal(signal.SIGINT)
        return spawned[-1]

    monkeypatch.setattr(processes, "spawn", interrupted)

    with pytest.raises(KeyboardInterrupt):
        mesh.start(home, on_event=lambda event: None, port=free_port)

    assert (1 if last == "misaki" else 6) == len(spawned)
    assert [] == [identity for identity in spawned if processes.find(identity) is not None]


def test_one_ctrl_c_lets_a_stop_come_to_its_end(home: MeshHome, free_port: int) -> None:
    """All of it has stopped afterwards, and the person was told how to break it off."""
    mesh.start(home, on_event=lambda event: None, port=free_port)
    told: list[str] = []

    def impatient(event: StartEvent) -> None:
        told.append(event.text)
        if event.text == "kyouko stops":
            signal.raise_signal(signal.SIGINT)

    stopped = mesh.stop(home, impatient)

    assert 6 == len(stopped)
    assert any("Ctrl-C again" in text for text in told)
    assert mesh.running_state(home) is None


def test_two_ctrl_c_break_a_stop_off(home: MeshHome, free_port: int) -> None:
    """What has not stopped yet is known, and stops the next time."""
    mesh.start(home, on_event=lambda event: None, port=free_port)

    def furious(event: StartEvent) -> None:
        if event.kind is EventKind.STOPPING and event.component:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(HalfStopped, match="half stopped"):
        mesh.stop(home, furious)

    assert mesh.running_state(home) is not None
    assert "envoy" in mesh.stop(home, lambda event: None)
    assert mesh.running_state(home) is None


def test_only_what_is_named_is_stopped(home: MeshHome, free_port: int) -> None:
    """The rest of the mesh goes on."""
    mesh.start(home, on_event=lambda event: None, port=free_port)

    stopped = mesh.stop(home, lambda event: None, names=["azuki", "envoy"])

    assert {"azuki", "envoy"} == set(stopped)
    state = mesh.running_state(home)
    assert state is not None
    found = {c.name for c in state.components if processes.find(c.identity) is not None}
    assert {"misaki", "shiori", "kyouko", "torii"} == found
