"""Brings a mesh up: decides addresses, starts what is missing, waits for health."""

import datetime
import os
import ssl
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from hanami_sdk.local import processes
from hanami_sdk.local.components import (
    COMMAND,
    COMPONENTS,
    ENVOY,
    Addresses,
    envoy_command,
    gateway_environment,
    kernels_are_cold,
    service_command,
    service_environment,
)
from hanami_sdk.local.envoy_config import (
    SERVICES,
    Address,
    EnvoyParameters,
    PeerTls,
    TlsFiles,
    render,
)
from hanami_sdk.local.errors import GatewayElsewhere, ServiceFailed, SpeaksOtherwise
from hanami_sdk.local.health import gateway_health, gateway_is_ready, service_healths
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.interrupts import held_back
from hanami_sdk.local.peer_files import PeerFiles, peer_files
from hanami_sdk.local.ports import free_ports, require_free
from hanami_sdk.local.state import ComponentState, EventKind, Health, MeshState, write_state
from hanami_sdk.local.stopping import stop_components
from hanami_sdk.local.story import Story

__all__ = ["DEFAULT_PORT", "Options", "bring_up", "choose", "command_certificates"]

DEFAULT_PORT = 1337
_POLL_SECONDS = 0.06
_PATIENCE_SECONDS = 90.0
# Compiling all kernels takes about half a minute on two cores, more when they are busy.
_COMPILING_PATIENCE_SECONDS = 300.0
_SHOWN_LOG_LINES = 12
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Options:
    """What a person may choose for a local mesh."""

    host: str
    port: int
    tls: bool
    mtls: bool
    otlp_endpoint: str | None
    debug: bool

    @classmethod
    def of(cls, state: MeshState) -> "Options":
        """Return the options that a mesh was started with."""
        mtls = state.peer_certificates is not None
        return cls(state.host, state.port, state.tls, mtls, state.otlp_endpoint, state.debug)

    @property
    def reachable_address(self) -> str:
        """Where this machine reaches the gateway, host:port."""
        return str(Address(_ANY_ADDRESS.get(self.host, self.host), self.port))

    @property
    def url(self) -> str:
        """Where clients of this machine reach the gateway."""
        return f"{'https' if self.tls else 'http'}://{self.reachable_address}"


def choose(
    previous: MeshState | None,
    *,
    host: str | None,
    port: int | None,
    tls: bool | None,
    mtls: bool | None,
    otlp_endpoint: str | None,
    debug: bool,
) -> Options:
    """Return the options that hold: what was asked for, else what a running mesh has.

    Raises:
        GatewayElsewhere: the gateway runs, and at another address than asked for.
        SpeaksOtherwise: something runs with certificates, or without, as it was not asked for.
    """
    running = _running(previous)
    if previous is None or not running:
        return Options(
            host or "127.0.0.1", port or DEFAULT_PORT, bool(tls), bool(mtls), otlp_endpoint, debug
        )
    kept = Options.of(previous)
    if mtls is not None and mtls != kept.mtls:
        how = "with" if kept.mtls else "without"
        raise SpeaksOtherwise(f"The services of this mesh run {how} certificates already.")
    wanted = replace(
        kept,
        host=host or kept.host,
        port=port or kept.port,
        tls=kept.tls if tls is None else tls,
    )
    if ENVOY in running and wanted != kept:
        raise GatewayElsewhere(kept.url)
    return wanted


def bring_up(
    home: MeshHome,
    options: Options,
    previous: MeshState | None,
    names: Collection[str],
    story: Story,
) -> MeshState:
    """Start those of the named components that do not run; wait until they are healthy.

    Args:
        home: must exist and be locked.
        options: hold for what is started.
        previous: what was started before, in this home.
        names: the components that are wanted.
        story: is told what happens.

    Raises:
        PortOccupied, ServiceFailed, LocalMeshError: as with `mesh.start`.
    """
    running = _running(previous)
    if ENVOY in names and ENVOY not in running:
        require_free(options.host, options.port)
    if options.mtls:
        _prepare_certificates(home, may_renew_authority=not running)
    addresses = _addresses(previous if running else None)
    state = _new_state(home, options, addresses, previous, running)
    for component in running.values():
        if component.name in names:
            story.tell(EventKind.ALREADY_RUNS, component.name, f"{component.name} already runs")
    started: list[ComponentState] = []
    try:
        for name in names:
            if name not in running:
                plan = _plan(name, home, options, addresses, state)
                # No process without a note of it: Ctrl-C comes before both, or after.
                with held_back():
                    started.append(_launch(plan, home))
                    state = _with(state, started[-1])
                    write_state(home.state_file, state)
                    home.pid_file(name).write_text(f"{started[-1].pid}\n", encoding="ascii")
                _tell_start(name, story)
        _wait(state, names, {c.name for c in started}, story)
    except BaseException:
        # Also when a person has had enough: what this start began is taken back.
        stop_components(home, started, story)
        raise
    return state


def _running(previous: MeshState | None) -> dict[str, ComponentState]:
    if previous is None:
        return {}
    return {c.name: c for c in previous.components if processes.find(c.identity) is not None}


def _addresses(previous: MeshState | None) -> Addresses:
    """Return an address for everything; neighbours of a running service keep theirs."""
    ports = free_ports(len(SERVICES) + 3)
    fresh = [f"127.0.0.1:{port}" for port in ports]
    services = dict(zip(SERVICES, fresh, strict=False))
    torii_http, admin, keys = fresh[-3:]
    if previous is not None:
        services |= {c.name: c.address for c in previous.components if c.name in services}
        torii_http, admin = previous.torii_http_address, previous.envoy_admin_address
    return Addresses(services, torii_http, admin, keys)


def _new_state(
    home: MeshHome,
    options: Options,
    addresses: Addresses,
    previous: MeshState | None,
    running: dict[str, ComponentState],
) -> MeshState:
    # The first administrator stays who they are; the environment only names a new one.
    has_users = previous is not None and any(home.data("misaki").glob("*"))
    user_id = os.environ.get("HANAMI_ADMIN_USER_ID", "admin")
    given = {"HANAMI_ADMIN_PASSWORD", "HANAMI_ADMIN_PASSWORD_FILE"} & os.environ.keys()
    if not given:
        home.secret(home.admin_password_file)
    home.secret(home.service_secret_file)
    if not {"HANAMI_ENCRYPTION_KEYS", "HANAMI_ENCRYPTION_KEY_FILE"} & os.environ.keys():
        home.ensure_encryption_key()
    return MeshState(
        home=home.root,
        gateway_url=options.url,
        host=options.host,
        port=options.port,
        tls=options.tls,
        ca_certificate=home.tls / "ca.pem" if options.tls else None,
        otlp_endpoint=options.otlp_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"),
        debug=options.debug,
        admin_user_id=previous.admin_user_id if previous is not None and has_users else user_id,
        admin_password_file=home.admin_password_file if not given else None,
        envoy_admin_address=addresses.envoy_admin,
        torii_http_address=addresses.torii_http,
        components=tuple(previous.components if previous is not None and running else ()),
        peer_certificates=home.peer_certificates if options.mtls else None,
    )


@dataclass(frozen=True)
class _Plan:
    """How one component will be started, and the address it will have."""

    name: str
    command: list[str]
    environment: dict[str, str]
    address: str


def _plan(
    name: str, home: MeshHome, options: Options, addresses: Addresses, state: MeshState
) -> _Plan:
    if name == ENVOY:
        _configure_envoy(home, options, addresses, state)
        command = envoy_command(home, debug=options.debug)
        return _Plan(name, command, gateway_environment(), options.reachable_address)
    home.data(name).mkdir(parents=True, exist_ok=True, mode=0o700)
    command = service_command(name, debug=options.debug)
    environment = service_environment(name, home, addresses, state.otlp_endpoint, mtls=options.mtls)
    return _Plan(name, command, environment, addresses.services[name])


def _launch(plan: _Plan, home: MeshHome) -> ComponentState:
    log = home.log(plan.name)
    identity = processes.spawn(plan.command, environment=plan.environment, log_path=log)
    return ComponentState(plan.name, identity.pid, identity.create_time, plan.address, log)


def _tell_start(name: str, story: Story) -> None:
    story.tell(EventKind.STARTING, name, f"{name} starts")
    if name == "kyouko" and kernels_are_cold():
        story.tell(EventKind.COMPILING, name, "kyouko compiles its kernels (first start)")


def _prepare_certificates(home: MeshHome, *, may_renew_authority: bool) -> None:
    # Also for what runs: it reads its certificate at its next start.
    from hanami_sdk.local.peer_certificates import ensure_peer_certificates

    now = datetime.datetime.now(datetime.UTC)
    try:
        ensure_peer_certificates(
            home.peer_certificates,
            (*COMPONENTS, COMMAND),
            now,
            may_renew_authority=may_renew_authority,
        )
    except ValueError as error:
        raise SpeaksOtherwise(f"The certificates of this mesh cannot be used: {error}.") from error


def command_certificates(state: MeshState) -> PeerFiles | None:
    """Return what the command shows to services; None when they ask for nothing."""
    if state.peer_certificates is None:
        return None
    return peer_files(state.peer_certificates, COMMAND)


def _configure_envoy(
    home: MeshHome, options: Options, addresses: Addresses, state: MeshState
) -> None:
    tls = None
    if options.tls:
        from hanami_sdk.local.certificates import ensure_certificate

        now = datetime.datetime.now(datetime.UTC)
        files = ensure_certificate(home.tls, options.host, now)
        tls = TlsFiles(str(files.certificate), str(files.private_key))
    own = peer_files(home.peer_certificates, ENVOY)
    peers = PeerTls(str(own.authority), str(own.certificate), str(own.private_key))
    processes.set_aside(home.access_log)
    authorities = ssl.get_default_verify_paths().cafile
    parameters = EnvoyParameters(
        listen=Address(options.host, options.port),
        admin=Address.parse(addresses.envoy_admin),
        keys=Address.parse(addresses.envoy_keys),
        services={name: Address.parse(at) for name, at in addresses.services.items()},
        torii_http=Address.parse(addresses.torii_http),
        tls=tls,
        peer_tls=peers if options.mtls else None,
        otlp_endpoint=state.otlp_endpoint,
        authorities_file=authorities or EnvoyParameters.authorities_file,
        access_log=str(home.access_log),
        token_issuer=os.environ.get("HANAMI_TOKEN_ISSUER", "hanami"),
        token_audience=os.environ.get("HANAMI_TOKEN_AUDIENCE", "hanami"),
    )
    home.envoy_configuration.write_text(render(parameters), encoding="utf-8")
    home.envoy_configuration.chmod(0o600)


def _with(state: MeshState, component: ComponentState) -> MeshState:
    """Return the state with a component in place of its former self, in start order."""
    by_name = {**{c.name: c for c in state.components}, component.name: component}
    ordered = tuple(by_name[name] for name in (*SERVICES, ENVOY) if name in by_name)
    return replace(state, components=ordered)


def _wait(state: MeshState, names: Collection[str], fresh: Collection[str], story: Story) -> None:
    """Wait until the named components are healthy; those that run already are told of before."""
    pending = {c.name: c for c in state.components if c.name in names}
    begun = time.monotonic()
    while pending:
        for component in pending.values():
            waited = time.monotonic() - begun
            # Kernels are compiled anew by every new version; Envoy waits for kyouko.
            slow = component.name in {"kyouko", ENVOY}
            patience = _COMPILING_PATIENCE_SECONDS if slow else _PATIENCE_SECONDS
            if processes.find(component.identity) is None or waited > patience:
                raise _failure(component, waited)
        for name in _ready(state, pending):
            del pending[name]
            if name in fresh:
                story.tell(EventKind.READY, name, f"{name} is ready")
        if pending:
            time.sleep(_POLL_SECONDS)


def _ready(state: MeshState, pending: dict[str, ComponentState]) -> list[str]:
    services = {name: c.address for name, c in pending.items() if name != ENVOY}
    healths = service_healths(services, command_certificates(state))
    ready = [name for name, health in healths.items() if health is Health.SERVING]
    # Envoy is last: it is ready when it sees everybody else.
    if ENVOY in pending and len(pending) - len(ready) == 1 and _gateway_ready(state):
        ready.append(ENVOY)
    return ready


def _gateway_ready(state: MeshState) -> bool:
    gateway = state.component(ENVOY)
    return (
        gateway is not None
        and gateway_health(gateway.address, state.ca_certificate) is Health.SERVING
        and gateway_is_ready(state.envoy_admin_address)
    )


def _failure(component: ComponentState, waited: float) -> ServiceFailed:
    return ServiceFailed(
        component.name,
        has_ended=processes.find(component.identity) is None,
        exit_code=processes.exit_code(component.identity),
        waited_seconds=waited,
        log_path=Path(component.log_path),
        log_tail=processes.last_lines(component.log_path, _SHOWN_LOG_LINES),
    )
