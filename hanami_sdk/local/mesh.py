"""Start, stop and look at the mesh of one home.

This is the interface of the package: `hanami up`, `down`, `status` and the demo
call it. It prints nothing; what happens is told through `on_event`.
"""

import time
from collections.abc import Collection
from pathlib import Path

from hanami_sdk.local import processes, starting
from hanami_sdk.local.components import COMPONENTS, ENVOY
from hanami_sdk.local.errors import HomeUnusable, NotRunning, UnknownComponent
from hanami_sdk.local.health import gateway_health, service_healths
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.lock import exclusive
from hanami_sdk.local.starting import Options
from hanami_sdk.local.state import ComponentState, ComponentStatus, Health, MeshState, read_state
from hanami_sdk.local.stopping import stop_components
from hanami_sdk.local.story import OnEvent, Story

__all__ = ["OnEvent", "log_paths", "restart", "running_state", "start", "status", "stop"]


def start(
    home: MeshHome,
    *,
    on_event: OnEvent,
    port: int | None = None,
    host: str | None = None,
    tls: bool | None = None,
    mtls: bool | None = None,
    otlp_endpoint: str | None = None,
    debug: bool = False,
) -> MeshState:
    """Start what does not run yet, and wait until all of it is healthy.

    What is left out is as it was in a mesh that runs, else the gateway speaks plain
    HTTP/2 at 127.0.0.1:1337, and so do the services among themselves. A start that fails
    stops what it started.

    Raises:
        GatewayElsewhere: the gateway runs, and at another address than asked for.
        SpeaksOtherwise: something runs with certificates, or without, as it was not asked for.
        AlreadyStarting: another command works on this home.
        PortOccupied: the gateway's port belongs to another program.
        ServiceFailed: a component ended or did not become healthy.
        LocalMeshError: the home or the address cannot be used.
    """
    home.create()
    with exclusive(home):
        previous = _read(home)
        options = starting.choose(
            previous,
            host=host,
            port=port,
            tls=tls,
            mtls=mtls,
            otlp_endpoint=otlp_endpoint,
            debug=debug,
        )
        return starting.bring_up(home, options, previous, COMPONENTS, Story(on_event))


def stop(
    home: MeshHome, on_event: OnEvent, *, names: Collection[str] = COMPONENTS
) -> tuple[str, ...]:
    """Stop those of the named that run; returns the names of what was stopped.

    Raises:
        AlreadyStarting: another command works on this home.
        HalfStopped: a second Ctrl-C broke it off.
    """
    if not home.state_file.exists():
        return ()
    with exclusive(home):
        state = _read(home)
        components = [c for c in (state.components if state else ()) if c.name in names]
        return stop_components(home, components, Story(on_event))


def restart(home: MeshHome, component: str, on_event: OnEvent) -> MeshState:
    """Stop one component when it runs, start it again and wait until it is healthy.

    Raises:
        UnknownComponent: there is none of this name.
        NotRunning: no mesh runs in this home.
        AlreadyStarting, ServiceFailed: as with `start`.
    """
    if component not in COMPONENTS:
        raise UnknownComponent(component, COMPONENTS)
    running = running_state(home)
    if running is None:
        raise NotRunning(home.root)
    story = Story(on_event)
    with exclusive(home):
        stop_components(home, [c for c in running.components if c.name == component], story)
        return starting.bring_up(home, Options.of(running), running, (component,), story)


def status(home: MeshHome) -> list[ComponentStatus]:
    """Return how every component is, in start order, Envoy last; [] when never started."""
    state = _read(home)
    if state is None:
        return []
    alive = {c.name: c for c in state.components if processes.find(c.identity) is not None}
    services = {n: c.address for n, c in alive.items() if n != ENVOY}
    healths = service_healths(services, starting.command_certificates(state))
    if ENVOY in alive:
        healths[ENVOY] = gateway_health(alive[ENVOY].address, state.ca_certificate)
    return [_status(c, healths.get(c.name, Health.STOPPED)) for c in state.components]


def running_state(home: MeshHome) -> MeshState | None:
    """Return what was started, None when no component of this home runs."""
    state = _read(home)
    if state is None or all(processes.find(c.identity) is None for c in state.components):
        return None
    return state


def log_paths(home: MeshHome) -> dict[str, Path]:
    """Return the log files by component, and as `access` that of all calls; some may not exist."""
    return {**{name: home.log(name) for name in COMPONENTS}, "access": home.access_log}


def _read(home: MeshHome) -> MeshState | None:
    try:
        return read_state(home.state_file)
    except ValueError as error:
        raise HomeUnusable(home.root, "its state.json is damaged or of another version") from error


def _status(component: ComponentState, health: Health) -> ComponentStatus:
    process = processes.find(component.identity)
    return ComponentStatus(
        name=component.name,
        health=health if process is not None else Health.STOPPED,
        address=component.address,
        log_path=component.log_path,
        pid=component.pid if process is not None else None,
        memory_bytes=processes.memory_bytes(process) if process is not None else None,
        uptime_seconds=time.time() - component.create_time if process is not None else None,
    )
