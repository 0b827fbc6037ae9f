"""What is known about a local mesh: the types that `mesh` gives and `state.json` keeps."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hanami_sdk.local.processes import ProcessIdentity

__all__ = [
    "ComponentState",
    "ComponentStatus",
    "EventKind",
    "Health",
    "MeshState",
    "StartEvent",
    "read_state",
    "write_state",
]


class EventKind(StrEnum):
    """What a `StartEvent` tells."""

    ALREADY_RUNS = "already-runs"
    STARTING = "starting"
    COMPILING = "compiling"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class StartEvent:
    """One thing that happened while a mesh starts or stops.

    `component` is empty when the event concerns the whole mesh; `seconds` counts
    from the start of the command; `text` is a sentence for a person.
    """

    kind: EventKind
    component: str
    text: str
    seconds: float


class Health(StrEnum):
    """How a component is."""

    SERVING = "serving"
    NOT_SERVING = "not-serving"
    UNREACHABLE = "unreachable"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ComponentState:
    """A component that was started.

    `address` is host:port of its gRPC port (of the gateway for Envoy). A process
    is this component only when both `pid` and `create_time` (seconds since the
    epoch, as the system says it) match.
    """

    name: str
    pid: int
    create_time: float
    address: str
    log_path: Path

    @property
    def identity(self) -> ProcessIdentity:
        """Its process."""
        return ProcessIdentity(self.pid, self.create_time)


@dataclass(frozen=True)
class ComponentStatus:
    """How a component is at one moment.

    `pid`, `memory_bytes` (resident) and `uptime_seconds` are None when it does not
    run.
    """

    name: str
    health: Health
    address: str
    log_path: Path
    pid: int | None
    memory_bytes: int | None
    uptime_seconds: float | None


@dataclass(frozen=True)
class MeshState:
    """A mesh that was started in one home.

    `ca_certificate` is the file that clients verify the gateway with; None on a
    plain gateway. `admin_password_file` is None when the environment gave the
    password. `peer_certificates` is the folder of the certificates with which its parts
    prove to each other who they are; None when they speak plainly.
    """

    home: Path
    gateway_url: str
    host: str
    port: int
    tls: bool
    ca_certificate: Path | None
    otlp_endpoint: str | None
    debug: bool
    admin_user_id: str
    admin_password_file: Path | None
    envoy_admin_address: str
    torii_http_address: str
    components: tuple[ComponentState, ...]
    peer_certificates: Path | None = None

    def component(self, name: str) -> ComponentState | None:
        """Return the component of this name, None when it was never started."""
        return next((c for c in self.components if c.name == name), None)


def write_state(path: Path, state: MeshState) -> None:
    """Replace the state file in one step, readable by its owner only."""
    text = json.dumps(asdict(state), default=str, indent=2)
    temporary = path.with_suffix(".new")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.chmod(0o600)
    temporary.replace(path)


def read_state(path: Path) -> MeshState | None:
    """Read the state file; None when there is none.

    Raises:
        ValueError: the file is not a state file of this version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return _state_from(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a state file of this version") from error


def _state_from(raw: dict[str, Any]) -> MeshState:
    components = tuple(
        ComponentState(**{**item, "log_path": Path(item["log_path"])}) for item in raw["components"]
    )
    paths = {
        name: Path(raw[name]) if raw.get(name) is not None else None
        for name in ("ca_certificate", "admin_password_file", "peer_certificates")
    }
    return MeshState(**{**raw, **paths, "home": Path(raw["home"]), "components": components})
