"""Health that follows what a service really depends on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

_log = structlog.get_logger(__name__)
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# Serves as long as the process is alive and its loop turns, whatever it lacks and also
# while it drains: a restart brings no dependency back and ends no call in good order.
LIVENESS = "liveness"


@dataclass(frozen=True)
class Dependency:
    """Something a service needs. `check` raises an error when it is not there.

    Without a required one the service as a whole does not serve; an optional
    one is reported under its own name, `dependencies.{name}`.
    """

    name: str
    check: Callable[[], Awaitable[None]]
    required: bool = True


class HealthServicer(health_aio.HealthServicer):  # type: ignore[misc]  # comes without types
    """The standard health service, but watchers do not hold up the end of a server.

    It also knows `liveness`, which always serves.
    """

    def __init__(self) -> None:
        super().__init__()
        self._watchers: set[_Messages] = set()
        self._draining = False

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        """Tell the health of a service now."""
        if request.service == LIVENESS:
            return health_pb2.HealthCheckResponse(status=_SERVING)
        return await super().Check(request, context)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        """Tell of every change, and end with NOT_SERVING when the server drains."""
        # The standard one writes into a queue: a write to the wire must not be cut off.
        messages = _Messages()
        watching = asyncio.create_task(super().Watch(request, messages))
        self._watchers.add(messages)
        if self._draining:
            messages.end()
        try:
            while (message := await messages.get()) is not None:
                await context.write(message)
        finally:
            self._watchers.discard(messages)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def enter_graceful_shutdown(self) -> None:
        """Say NOT_SERVING for good, and end the streams of all watchers."""
        self._draining = True
        await super().enter_graceful_shutdown()
        for messages in self._watchers:
            messages.end()


class _Messages(asyncio.Queue[health_pb2.HealthCheckResponse | None]):
    """What one watcher is to be told; None is the end."""

    async def write(self, message: health_pb2.HealthCheckResponse) -> None:
        """Take a message, as the context of a call would."""
        self.put_nowait(message)

    def end(self) -> None:
        """Let NOT_SERVING be the last word."""
        self.put_nowait(health_pb2.HealthCheckResponse(status=_NOT_SERVING))
        self.put_nowait(None)


class HealthMonitor:
    """Checks the dependencies again and again and tells the health service."""

    def __init__(
        self,
        servicer: health_aio.HealthServicer,
        *,
        services: Sequence[str],
        dependencies: Sequence[Dependency],
        interval_seconds: float = 1.0,
        timeout_seconds: float = 2.0,
    ) -> None:
        self._servicer = servicer
        self._services = ("", *services)
        self._dependencies = dependencies
        self._interval = interval_seconds
        self._timeout = timeout_seconds
        self._healthy: dict[str, bool] = {}

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await self.check_once()
            await asyncio.sleep(self._interval)

    async def check_once(self) -> None:
        """Check every dependency and publish the outcome."""
        results = await asyncio.gather(*(self._is_healthy(d) for d in self._dependencies))
        for dependency, healthy in zip(self._dependencies, results, strict=True):
            await self._publish(f"dependencies.{dependency.name}", healthy)
        serving = all(
            healthy or not dependency.required
            for dependency, healthy in zip(self._dependencies, results, strict=True)
        )
        for service in self._services:
            await self._publish(service, serving)
        await self._publish(LIVENESS, healthy=True)

    async def drain(self) -> None:
        """Say NOT_SERVING from now on, whatever the checks find."""
        await self._servicer.enter_graceful_shutdown()

    async def _is_healthy(self, dependency: Dependency) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                await dependency.check()
        except Exception as error:
            if self._healthy.get(dependency.name, True):
                _log.warning("dependency lost", dependency=dependency.name, error=repr(error))
            self._healthy[dependency.name] = False
            return False
        if not self._healthy.get(dependency.name, True):
            _log.info("dependency is back", dependency=dependency.name)
        self._healthy[dependency.name] = True
        return True

    async def _publish(self, name: str, healthy: bool) -> None:
        await self._servicer.set(name, _SERVING if healthy else _NOT_SERVING)
