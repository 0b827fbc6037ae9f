"""How every service of the mesh is at one moment."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mesh.errors import Unavailable
from torii.ports import HealthProbe


class Health(StrEnum):
    """How a service is; the names equal those of `hanami.torii.v1.Health`."""

    SERVING = "SERVING"
    NOT_SERVING = "NOT_SERVING"
    UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True)
class ServiceStatus:
    """One service; the latency, in seconds, is None when no answer came."""

    service: str
    health: Health
    latency_seconds: float | None


class MeshWatch:
    """Asks all services at once.

    Args:
        probes: The services by name.
        clock: A clock that never goes back, in seconds.
    """

    def __init__(self, probes: Mapping[str, HealthProbe], *, clock: Callable[[], float]) -> None:
        self._probes = dict(sorted(probes.items()))
        self._clock = clock

    async def look(self) -> Sequence[ServiceStatus]:
        """Return how every service is, ordered by name; takes as long as the slowest."""
        return await asyncio.gather(*(self._ask(name) for name in self._probes))

    async def _ask(self, service: str) -> ServiceStatus:
        started = self._clock()
        try:
            serves = await self._probes[service].is_serving()
        except Unavailable:
            return ServiceStatus(service, Health.UNREACHABLE, None)
        health = Health.SERVING if serves else Health.NOT_SERVING
        return ServiceStatus(service, health, self._clock() - started)
