"""Puts torii together. The only place that knows all its concrete classes."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version

import grpc
from hanami.torii.v1 import mesh_service_pb2_grpc

from mesh.access_feed import feed_of
from mesh.audit import remote_trail
from mesh.clients import RemoteKeys, channel_to
from mesh.server import Application, Servicer
from mesh.tokens import TokenVerifier
from torii.clients.health import HealthMirror, OwnHealth, RemoteHealth
from torii.clients.learning import LearningClient
from torii.contracts import MESH_SERVICE, grpc_services
from torii.domain.mesh_status import MeshWatch
from torii.servicers.mesh import MeshServicer
from torii.settings import ToriiSettings
from torii.web.server import WebServer


@dataclass(frozen=True)
class Torii:
    """Both halves of torii: gRPC, and the web server that already listens."""

    application: Application
    web: WebServer


@asynccontextmanager
async def build(settings: ToriiSettings) -> AsyncIterator[Application]:
    """Build torii; HTTP is served as long as it lives."""
    async with build_torii(settings) as torii:
        yield torii.application


@asynccontextmanager
async def build_torii(settings: ToriiSettings) -> AsyncIterator[Torii]:
    """Build torii, and tell its web server too."""
    async with AsyncExitStack() as stack:
        channels = {
            service: await stack.enter_async_context(
                channel_to(
                    address,
                    service=service,
                    tls=settings.tls,
                    max_message_bytes=settings.max_message_bytes,
                )
            )
            for service, address in settings.other_services.items()
        }
        verifier = TokenVerifier(
            RemoteKeys(channels["misaki"]),
            issuer=settings.token_issuer,
            audience=settings.token_audience,
        )
        trail = await stack.enter_async_context(remote_trail(settings, channels["misaki"]))
        web = WebServer(settings, verifier, LearningClient(channels["kyouko"]))
        await stack.enter_async_context(web.serving())
        application = _application(settings, verifier, channels, web)
        yield Torii(replace(application, audit=trail), web)


def _application(
    settings: ToriiSettings,
    verifier: TokenVerifier,
    channels: Mapping[str, grpc.aio.Channel],
    web: WebServer,
) -> Application:
    own = OwnHealth()
    probes = {
        service: RemoteHealth(service, channel, timeout_seconds=settings.health_timeout_seconds)
        for service, channel in channels.items()
    }
    mirror = HealthMirror(
        probes, grpc_services(), own, interval_seconds=settings.health_interval_seconds
    )
    watch = MeshWatch({"torii": own, **probes}, clock=time.monotonic)
    return Application(
        servicers=[
            Servicer(
                MESH_SERVICE,
                mesh_service_pb2_grpc.add_MeshServiceServicer_to_server,
                MeshServicer(watch, version=version("hanami")),
            )
        ],
        verifier=verifier,
        feed=feed_of(settings, channels["misaki"], verifier),
        drain=web.drain,
        reflected_services=[
            name
            for service, names in grpc_services().items()
            if service != settings.service_name
            for name in names
        ],
        watch_health=mirror.run,
    )
