"""How torii sees the mesh."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clients import unavailable
from torii.domain.mesh_status import Health, MeshWatch, ServiceStatus


@dataclass(frozen=True)
class FixedProbe:
    """A service whose answer the test chooses; None is no answer."""

    serves: bool | None

    async def is_serving(self) -> bool:
        """Answer, or do not."""
        if self.serves is None:
            raise unavailable("it")
        return self.serves


def ticking() -> Callable[[], float]:
    """Return a clock that goes on by a second at each look."""
    ticks = iter(range(1000))
    return lambda: float(next(ticks))


async def test_every_service_is_listed_by_name() -> None:
    """The order is that of the names, whatever the order of the settings."""
    watch = MeshWatch({"b": FixedProbe(True), "a": FixedProbe(True)}, clock=ticking())

    assert ["a", "b"] == [status.service for status in await watch.look()]


async def test_the_three_ways_a_service_can_be() -> None:
    """A service that does not answer is part of the answer, without a latency."""
    probes = {"a": FixedProbe(True), "b": FixedProbe(False), "c": FixedProbe(None)}

    statuses = await MeshWatch(probes, clock=lambda: 1.0).look()

    assert [
        ServiceStatus("a", Health.SERVING, 0.0),
        ServiceStatus("b", Health.NOT_SERVING, 0.0),
        ServiceStatus("c", Health.UNREACHABLE, None),
    ] == list(statuses)


async def test_the_latency_is_the_time_of_the_answer() -> None:
    """Latency is measured around each question."""
    (status,) = await MeshWatch({"a": FixedProbe(True)}, clock=ticking()).look()

    assert status.latency_seconds == 1.0
