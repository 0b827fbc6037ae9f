"""Asks services for their health, and tells it on as if it were torii's own."""

import asyncio
from collections.abc import Mapping, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from mesh.clients import unavailable
from mesh.errors import Unavailable

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class RemoteHealth:
    """The health of a service at an address; implements the port `HealthProbe`."""

    def __init__(self, service: str, channel: grpc.aio.Channel, *, timeout_seconds: float) -> None:
        self._service = service
        self._stub = health_pb2_grpc.HealthStub(channel)
        self._timeout = timeout_seconds

    async def is_serving(self) -> bool:
        """Ask the service as a whole.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        request = health_pb2.HealthCheckRequest()
        try:
            answer = await self._stub.Check(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise unavailable(self._service) from error
        return bool(answer.status == _SERVING)


class OwnHealth:
    """The health of torii itself, known once its server has started."""

    def __init__(self) -> None:
        self._servicer: health_aio.HealthServicer | None = None

    def follow(self, servicer: health_aio.HealthServicer) -> None:
        """Tell what this health servicer tells."""
        self._servicer = servicer

    async def is_serving(self) -> bool:
        """Ask the own health servicer.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: the server has not started yet.
        """
        if self._servicer is None:
            raise unavailable("torii")
        answer = await self._servicer.Check(health_pb2.HealthCheckRequest(), None)
        return bool(answer.status == _SERVING)


class HealthMirror:
    """Publishes the health of the other services under their names.

    Clients behind the gateway reach one health service only, torii's. Every
    service sets all of its names alike, so its name as a whole, "", stands for
    the short name and all its full gRPC service names.
    """

    def __init__(
        self,
        probes: Mapping[str, RemoteHealth],
        grpc_services: Mapping[str, Sequence[str]],
        own: OwnHealth,
        *,
        interval_seconds: float,
    ) -> None:
        self._probes = probes
        self._names = {service: (service, *grpc_services[service]) for service in probes}
        self._own = own
        self._interval = interval_seconds

    async def run(self, servicer: health_aio.HealthServicer) -> None:
        """Look and publish until cancelled."""
        self._own.follow(servicer)
        for names in (*self._names.values(), ["torii"]):
            # Until the first look: known, and not yet known to serve.
            await self._publish(servicer, names, False)
        while True:
            await asyncio.gather(*(self._mirror(service, servicer) for service in self._probes))
            await self._publish(servicer, ["torii"], await self._own.is_serving())
            await asyncio.sleep(self._interval)

    async def _mirror(self, service: str, servicer: health_aio.HealthServicer) -> None:
        try:
            serves = await self._probes[service].is_serving()
        except Unavailable:
            serves = False
        await self._publish(servicer, self._names[service], serves)

    async def _publish(
        self, servicer: health_aio.HealthServicer, names: Sequence[str], serves: bool
    ) -> None:
        for name in names:
            await servicer.set(name, _SERVING if serves else _NOT_SERVING)
