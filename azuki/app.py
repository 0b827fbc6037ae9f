"""Puts azuki together. The only place that knows all its concrete classes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hanami.azuki.v1 import monitoring_service_pb2, monitoring_service_pb2_grpc

from azuki.domain.monitor import Monitor
from azuki.sensors.machine import MachineSensors
from azuki.sensors.processes import CommandLines, PidFiles, ProcessFinder
from azuki.sensors.sampling import Sampling
from azuki.servicers.monitoring import MonitoringServicer
from azuki.settings import AzukiSettings
from mesh.access_feed import feed_of
from mesh.audit import remote_trail
from mesh.clients import RemoteKeys, channel_to
from mesh.health import Dependency
from mesh.server import Application, Servicer
from mesh.tokens import TokenVerifier

_SERVICE = monitoring_service_pb2.DESCRIPTOR.services_by_name["MonitoringService"]


@asynccontextmanager
async def build(settings: AzukiSettings) -> AsyncIterator[Application]:
    """Build azuki, and sample as long as it lives."""
    sensors = MachineSensors(_processes(settings))
    monitor = Monitor(
        sensors,
        interval_seconds=settings.interval_seconds,
        retention_seconds=settings.retention_seconds,
        max_points=settings.max_points,
        max_watches_each=settings.max_watches_each,
    )
    sampling = Sampling(sensors, monitor, interval_seconds=settings.interval_seconds)

    async def drain() -> None:
        monitor.close()

    async with (
        channel_to(settings.misaki_address, service="misaki", tls=settings.tls) as misaki,
        remote_trail(settings, misaki) as trail,
    ):
        running = asyncio.create_task(sampling.run())
        verifier = TokenVerifier(
            RemoteKeys(misaki), issuer=settings.token_issuer, audience=settings.token_audience
        )
        try:
            yield Application(
                servicers=[
                    Servicer(
                        _SERVICE.full_name,
                        monitoring_service_pb2_grpc.add_MonitoringServiceServicer_to_server,
                        MonitoringServicer(monitor),
                    )
                ],
                verifier=verifier,
                feed=feed_of(settings, misaki, verifier),
                dependencies=[Dependency("sampling", sampling.check)],
                drain=drain,
                audit=trail,
            )
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def _processes(settings: AzukiSettings) -> ProcessFinder:
    folder = settings.process_directory
    finder = PidFiles(folder) if folder is not None else CommandLines()
    return ProcessFinder(settings.measured_services, finder)
