"""Start, stop and look at the mesh of one home.

This is the interface of the package: `hanami up`, `down`, `status` and the demo
call it. It prints nothing; what happens is told through `on_event`.
"""

from collections.abc import Callable
from pathlib import Path

from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.state import ComponentStatus, MeshState, StartEvent

__all__ = ["OnEvent", "log_paths", "restart", "start", "status", "stop", "running_state"]

OnEvent = Callable[[StartEvent], None]


def start(
    home: MeshHome,
    *,
    on_event: OnEvent,
    port: int = 1337,
    host: str = "127.0.0.1",
    tls: bool = False,
    otlp_endpoint: str | None = None,
    debug: bool = False,
) -> MeshState:
    """Start what does not run yet, and wait until all of it is healthy.

    Raises:
        AlreadyStarting: another command works on this home.
        PortOccupied: the gateway's port belongs to another program.
        ServiceFailed: a component ended or did not become healthy.
    """
    raise NotImplementedError


def stop(home: MeshHome, on_event: OnEvent) -> tuple[str, ...]:
    """Stop everything that runs; returns the names of what was stopped (empty: nothing ran)."""
    raise NotImplementedError


def restart(home: MeshHome, component: str, on_event: OnEvent) -> MeshState:
    """Stop one component when it runs, start it again and wait until it is healthy."""
    raise NotImplementedError


def status(home: MeshHome) -> list[ComponentStatus]:
    """Return how every component is, in start order, Envoy ("envoy") last; [] when never started."""
    raise NotImplementedError


def running_state(home: MeshHome) -> MeshState | None:
    """Return what was started, None when no component of this home runs."""
    raise NotImplementedError


def log_paths(home: MeshHome) -> dict[str, Path]:
    """Return the log file of every component by name, whether it exists yet or not."""
    raise NotImplementedError
