"""The mesh runner with small processes in place of the services, and the real Envoy."""

import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from hanami_sdk.local import mesh, starting
from hanami_sdk.local.errors import (
    AlreadyStarting,
    GatewayElsewhere,
    HomeUnusable,
    NotRunning,
    PortOccupied,
    ServiceFailed,
    UnknownComponent,
)
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.lock import exclusive
from hanami_sdk.local.state import EventKind, Health, StartEvent

COMPONENTS = ["misaki", "shiori", "kyouko", "azuki", "torii", "envoy"]
STAND_IN = Path(__file__).with_name("stand_in.py")


def command(service: str, *, debug: bool) -> list[str]:
    """Return the command of a stand-in."""
    return [sys.executable, "-P", str(STAND_IN), service]


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start stand-ins instead of services, and look for kernels nowhere else."""
    monkeypatch.setattr(starting, "service_command", command)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[MeshHome]:
    """Return a home whose mesh is stopped at the end."""
    home = MeshHome(tmp_path / "home")
    yield home
    mesh.stop(home, ignore)


def ignore(event: StartEvent) -> None:
    """Take an event and do nothing."""


def healths(home: MeshHome) -> dict[str, Health]:
    """Return the health of every component."""
    return {component.name: component.health for component in mesh.status(home)}


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something becomes true."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_start_brings_everything_up_and_stop_takes_it_down(home: MeshHome, free_port: int) -> None:
    """After a start all serve, the gateway answers; after a stop nothing is left."""
    events: list[StartEvent] = []

    state = mesh.start(home, on_event=events.append, port=free_port)

    assert dict.fromkeys(COMPONENTS, Health.SERVING) == healths(home)
    assert "ok\n" == httpx.get(f"{state.gateway_url}/healthz").text
    assert COMPONENTS == [e.component for e in events if e.kind is EventKind.STARTING]
    assert set(COMPONENTS) == {e.component for e in events if e.kind is EventKind.READY}
    assert ["kyouko"] == [e.component for e in events if e.kind is EventKind.COMPILING]

    pids = [component.pid for component in mesh.status(home)]
    stopped = mesh.stop(home, ignore)

    assert set(COMPONENTS) == set(stopped)
    assert {Health.STOPPED} == set(healths(home).values())
    assert all(pid is not None and not Path(f"/proc/{pid}").exists() for pid in pids)
    assert mesh.running_state(home) is None


def test_status_tells_memory_age_and_log(home: MeshHome, free_port: int) -> None:
    """What runs has a process, memory, an age and a log; pid files hold the processes."""
    mesh.start(home, on_event=ignore, port=free_port)

    for component in mesh.status(home):
        assert component.pid == int(home.pid_file(component.name).read_text())
        assert component.memory_bytes is not None
        assert component.memory_bytes > 2**20
        assert component.uptime_seconds is not None
        assert 0 <= component.uptime_seconds < 600
        assert mesh.log_paths(home)[component.name] == component.log_path
        assert 0o600 == stat.S_IMODE(component.log_path.stat().st_mode)
    assert "kyouko serves" in home.log("kyouko").read_text()


@pytest.mark.parametrize("victim", ["kyouko", "envoy"])
def test_killed_component_alone_is_started_again(
    home: MeshHome, free_port: int, victim: str
) -> None:
    """After kill -9 the others serve on; a second start brings back only what is missing."""
    mesh.start(home, on_event=ignore, port=free_port)
    before = {component.name: component for component in mesh.status(home)}
    pid = before[victim].pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: healths(home)[victim] is Health.STOPPED)

    others = {name: health for name, health in healths(home).items() if name != victim}
    assert {Health.SERVING} == set(others.values())
    events: list[StartEvent] = []
    mesh.start(home, on_event=events.append, port=free_port)
    assert [victim] == [e.component for e in events if e.kind is EventKind.STARTING]
    after = {component.name: component for component in mesh.status(home)}
    assert [victim] == [name for name in COMPONENTS if before[name].pid != after[name].pid]
    assert before[victim].address == after[victim].address
    assert {Health.SERVING} == set(healths(home).values())


def test_restart_replaces_one_process(home: MeshHome, free_port: int) -> None:
    """A restarted component is a new process at the same address; the others stay."""
    mesh.start(home, on_event=ignore, port=free_port)
    before = {component.name: component.pid for component in mesh.status(home)}

    mesh.restart(home, "azuki", ignore)

    after = {component.name: component.pid for component in mesh.status(home)}
    assert ["azuki"] == [name for name in COMPONENTS if before[name] != after[name]]


def test_running_gateway_keeps_its_address(home: MeshHome, free_port: int) -> None:
    """A start that names no port leaves the gateway where it is; one that names another fails."""
    first = mesh.start(home, on_event=ignore, port=free_port)

    second = mesh.start(home, on_event=ignore)

    assert first == second
    with pytest.raises(GatewayElsewhere, match=first.gateway_url):
        mesh.start(home, on_event=ignore, port=1)
    assert {Health.SERVING} == set(healths(home).values())


def test_tls_gateway_is_verified_with_the_local_authority(home: MeshHome, free_port: int) -> None:
    """Clients verify the TLS gateway with the certificate that the state names."""
    import ssl

    state = mesh.start(home, on_event=ignore, port=free_port, tls=True)

    context = ssl.create_default_context(cafile=str(state.ca_certificate))
    assert f"https://127.0.0.1:{free_port}" == state.gateway_url
    with httpx.Client(verify=context) as client:
        assert "ok\n" == client.get(f"{state.gateway_url}/healthz").text


def test_occupied_port_is_named_before_anything_starts(home: MeshHome) -> None:
    """The port and its holder are named; no process is started."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        with pytest.raises(PortOccupied) as caught:
            mesh.start(home, on_event=ignore, port=port)

    assert str(port) in caught.value.sentence
    assert str(os.getpid()) in caught.value.sentence
    assert "--port" in caught.value.hint
    assert mesh.running_state(home) is None


def test_service_that_ends_is_shown_with_its_last_words(
    home: MeshHome, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that ends at once is named with code and log, and all others are stopped."""
    last_words = "import sys; print('no space left'); sys.exit(3)"

    def broken(service: str, *, debug: bool) -> list[str]:
        if service == "shiori":
            return [sys.executable, "-c", last_words]
        return command(service, debug=debug)

    monkeypatch.setattr(starting, "service_command", broken)

    with pytest.raises(ServiceFailed) as caught:
        mesh.start(home, on_event=ignore, port=free_port)

    assert ("shiori", 3) == (caught.value.component, caught.value.exit_code)
    assert ("no space left",) == caught.value.log_tail
    assert mesh.running_state(home) is None


def test_service_that_never_serves_ends_the_start(
    home: MeshHome, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that lives but does not answer is given up on after a while."""

    def silent(service: str, *, debug: bool) -> list[str]:
        if service == "azuki":
            return [sys.executable, "-c", "import time; time.sleep(60)"]
        return command(service, debug=debug)

    monkeypatch.setattr(starting, "service_command", silent)
    monkeypatch.setattr(starting, "_PATIENCE_SECONDS", 4.0)

    with pytest.raises(ServiceFailed, match="azuki did not become healthy within 4 s"):
        mesh.start(home, on_event=ignore, port=free_port)

    assert mesh.running_state(home) is None


def test_two_starts_at_once_do_not_mix(home: MeshHome, free_port: int) -> None:
    """Of two starts at once one works, the other is told so."""
    refused: list[AlreadyStarting] = []

    def start() -> None:
        try:
            mesh.start(home, on_event=ignore, port=free_port)
        except AlreadyStarting as error:
            refused.append(error)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(refused)
    assert str(os.getpid()) in refused[0].sentence
    assert {Health.SERVING} == set(healths(home).values())


def test_stop_waits_for_nobody_who_starts(home: MeshHome, free_port: int) -> None:
    """A stop during a start is refused, as a start would be."""
    mesh.start(home, on_event=ignore, port=free_port)

    with exclusive(home), pytest.raises(AlreadyStarting):
        mesh.stop(home, ignore)


def test_where_nothing_was_started_there_is_nothing(home: MeshHome) -> None:
    """Status and stop of an unused home do nothing; a restart says that nothing runs."""
    assert [] == mesh.status(home)
    assert () == mesh.stop(home, ignore)
    assert mesh.running_state(home) is None
    with pytest.raises(NotRunning):
        mesh.restart(home, "kyouko", ignore)


def test_restart_of_an_unknown_component_names_the_known(home: MeshHome) -> None:
    """A wrong name gets the right ones."""
    with pytest.raises(UnknownComponent) as caught:
        mesh.restart(home, "kyoko", ignore)

    assert "kyouko" in caught.value.hint


def test_damaged_state_is_reported_in_words(home: MeshHome) -> None:
    """A damaged state file is an error for people, not a stack trace."""
    home.create()
    home.state_file.write_text("{")

    with pytest.raises(HomeUnusable, match=r"state\.json"):
        mesh.status(home)
    home.state_file.unlink()
