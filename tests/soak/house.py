"""A mesh of its own, with the processes that can be killed."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.state import MeshState

_PATIENCE_SECONDS = 120.0


class House:
    """A running mesh."""

    def __init__(self, home: MeshHome, state: MeshState) -> None:
        self.home = home
        self.state = state

    @property
    def password(self) -> str:
        """The admin's."""
        return self.home.admin_password_file.read_text(encoding="utf-8").strip()

    def pid(self, component: str) -> int:
        """Return the process of a component."""
        found = next(each for each in local_mesh.status(self.home) if each.name == component)
        if found.pid is None:
            raise RuntimeError(f"{component} does not run")
        return found.pid

    def kill(self, component: str) -> None:
        """End a component without a word."""
        process = psutil.Process(self.pid(component))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(_PATIENCE_SECONDS)

    def start_again(self) -> float:
        """Start what is missing; returns how long that took, in seconds."""
        started = time.perf_counter()
        local_mesh.start(self.home, on_event=lambda event: None, port=self.state.port)
        return time.perf_counter() - started

    def memory_bytes(self, component: str) -> int:
        """Return the resident memory of a component."""
        return int(psutil.Process(self.pid(component)).memory_info().rss)


def _quiet_port() -> int:
    """Return a free port that no outgoing connection gets while its listener is dead."""
    for port in range(20_000, 30_000, 7):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port below 30,000 is free")


@contextmanager
def running_house(folder: Path, **environment: str) -> Iterator[House]:
    """Run a mesh with settings of its own, and stop it in good order."""
    home = MeshHome(folder)
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        state = local_mesh.start(home, on_event=lambda event: None, port=_quiet_port())
        yield House(home, state)
    finally:
        local_mesh.stop(home, lambda event: None)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
