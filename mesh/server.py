"""Starts, serves and stops a service: the one server bootstrap of the mesh."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import structlog
import uvloop
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from mesh.access_feed import AccessFeed
from mesh.audit import AuditTrail
from mesh.audit.reports import reporting_errors
from mesh.audit.rules import AuditRules
from mesh.health import Dependency, HealthMonitor, HealthServicer
from mesh.idempotency import IdempotencyStore
from mesh.interceptors import (
    LayeredInterceptor,
    audit,
    authentication,
    call_telemetry,
    deadline,
    errors,
    quota_warnings,
    validation,
)
from mesh.interceptors.completion import Completion
from mesh.interceptors.idempotency import Idempotency
from mesh.logs import set_up_logs
from mesh.origins import Origins
from mesh.policy import contract_rules
from mesh.settings import MeshSettings
from mesh.telemetry import set_up_telemetry
from mesh.tls import MeshTls
from mesh.tokens import TokenVerifier

_log = structlog.get_logger(__name__)
_HEALTH = "grpc.health.v1.Health"
_REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
_CHANNELZ = "grpc.channelz.v1.Channelz"
# A token with as many roles as misaki allows takes about half of it.
_METADATA_BYTES = 64 * 1024
# What services write (keys, databases, snapshots) is for their own user only.
_UMASK = 0o077


@dataclass(frozen=True)
class Servicer:
    """One gRPC service: its full name, the generated function that adds it, and the object."""

    name: str
    add: Callable[[Any, grpc.aio.Server], None]
    servicer: object


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Application:
    """What a service's composition root builds.

    Attributes:
        servicers: The gRPC services.
        verifier: Verifies the tokens of callers.
        dependencies: What health follows.
        idempotency: Where answers of calls with a `request_id` are kept.
        fingerprint_key: Keys the fingerprints kept beside them; needed where requests
            hold secrets.
        drain: Called when the service is to stop, before running calls are waited
            for: ends long streams in good order.
        reflected_services: Names that reflection tells of, though others serve them.
        audit: Where calls and errors are written down; None for nowhere.
        watch_health: Runs beside the server and may tell of more than its own health.
        background: What else runs beside the server.
        feed: Keeps the verifier's access state; its first one is waited for, not long,
            before calls are taken. None where the state is kept otherwise, or not at all.
    """

    servicers: Sequence[Servicer]
    verifier: TokenVerifier
    dependencies: Sequence[Dependency] = ()
    idempotency: IdempotencyStore | None = None
    fingerprint_key: bytes = field(default=b"", repr=False)
    drain: Callable[[], Awaitable[None]] = _nothing
    reflected_services: Sequence[str] = field(default=())
    audit: AuditTrail | None = None
    watch_health: Callable[[health_aio.HealthServicer], Coroutine[Any, Any, None]] | None = None
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    feed: AccessFeed | None = None


@dataclass(frozen=True)
class RunningServer:
    """A server that listens, with the port it got."""

    server: grpc.aio.Server
    port: int
    health: health_aio.HealthServicer


SettingsType = TypeVar("SettingsType", bound=MeshSettings)
Build = Callable[[SettingsType], AbstractAsyncContextManager[Application]]


def run(settings: SettingsType, build: Build[SettingsType]) -> None:
    """Run a service until SIGTERM or SIGINT.

    Args:
        settings: The service's settings.
        build: The composition root: opens stores, builds servicers, closes stores.
    """
    os.umask(_UMASK)
    set_up_logs(settings.service_name, settings.log_level)
    provider = set_up_telemetry(settings.service_name)
    try:
        uvloop.run(_serve_until_signal(settings, build))
    finally:
        provider.shutdown()


async def _serve_until_signal(settings: SettingsType, build: Build[SettingsType]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with (
        build(settings) as application,
        reporting_errors(application.audit),
        serving(settings, application) as running,
    ):
        _log.info("serving", port=running.port)
        # What is there by now stays. The collector would stop every stream for some hundred
        # milliseconds to look it all through.
        gc.collect()
        gc.freeze()
        await stop.wait()
        _log.info("stopping")


@asynccontextmanager
async def serving(settings: MeshSettings, application: Application) -> AsyncIterator[RunningServer]:
    """Serve an application; at the end drain it and stop.

    Raises:
        SystemExit: The address cannot be listened on.
    """
    completion = _completion(application)
    server = grpc.aio.server(
        interceptors=[_interceptor(settings, application, completion)],
        options=_server_options(settings),
    )
    for servicer in application.servicers:
        servicer.add(servicer.servicer, server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    channelz.add_channelz_servicer(server)
    names = [servicer.name for servicer in application.servicers]
    reflection.enable_server_reflection(
        [*names, *application.reflected_services, _HEALTH, _REFLECTION, _CHANNELZ], server
    )
    port = _listen(server, settings.listen, settings.tls)
    monitor = HealthMonitor(health, services=names, dependencies=_dependencies(application))
    background = [asyncio.create_task(run()) for run in application.background]
    if application.feed is not None:
        background.append(asyncio.create_task(application.feed.run()))
        await application.feed.first()
    await server.start()
    await monitor.check_once()
    watching = [
        *background,
        asyncio.create_task(monitor.run()),
        asyncio.create_task(application.verifier.fetch_early()),
    ]
    if application.watch_health is not None:
        watching.append(asyncio.create_task(application.watch_health(health)))
    for task in watching:
        task.add_done_callback(_log_death)
    try:
        async with _telling_health(settings, health):
            yield RunningServer(server, port, health)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await monitor.drain()
        stopping = asyncio.create_task(server.stop(settings.drain_seconds))
        await asyncio.sleep(0)
        await application.drain()
        await stopping
        await completion.ended(settings.drain_seconds)


def _dependencies(application: Application) -> Sequence[Dependency]:
    if application.feed is None:
        return application.dependencies
    return [*application.dependencies, application.feed.dependency]


@asynccontextmanager
async def _telling_health(settings: MeshSettings, health: HealthServicer) -> AsyncIterator[None]:
    """Tell the health, and nothing else, at a plain port of its own if there is to be one."""
    if not settings.health_listen:
        yield
        return
    server = grpc.aio.server(options=_server_options(settings))
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    _log.info("telling health", port=_listen(server, settings.health_listen, None))
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


def _log_death(watcher: asyncio.Task[None]) -> None:
    error = None if watcher.cancelled() else watcher.exception()
    if error is not None:
        _log.error("a watcher has died", error=repr(error), exc_info=error)


def _completion(application: Application) -> Completion:
    if application.idempotency is None:
        return Completion(None)
    key = application.fingerprint_key
    return Completion(Idempotency(application.idempotency, fingerprint_key=key))


def _interceptor(
    settings: MeshSettings, application: Application, completion: Completion
) -> LayeredInterceptor:
    names = [servicer.name for servicer in application.servicers]
    application.verifier.access.policy.add(contract_rules(names))
    audited = []
    if application.audit is not None:
        origins = Origins(settings.trusted_proxies, settings.trusted_proxy_names)
        audited.append(audit(application.audit, AuditRules(names), origins))
    return LayeredInterceptor(
        [
            call_telemetry,
            *audited,
            errors,
            quota_warnings,
            authentication(application.verifier),
            validation,
            deadline(settings.default_timeout_seconds),
        ],
        unary=completion,
    )


def _server_options(settings: MeshSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Both: between them gRPC refuses some calls at random.
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
        # Without this two services could share a port and answer in turn.
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ]


def _listen(server: grpc.aio.Server, address: str, tls: MeshTls | None) -> int:
    try:
        if tls is None:
            port = int(server.add_insecure_port(address))
        else:
            port = int(server.add_secure_port(address, tls.server_credentials()))
    except RuntimeError as error:
        raise SystemExit(f"cannot listen on {address}: {error}") from error
    if port == 0:
        raise SystemExit(f"cannot listen on {address}: the port is occupied")
    return port
