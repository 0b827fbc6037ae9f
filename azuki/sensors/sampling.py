"""Takes a sample at every tick, whatever happens to a single reading."""

import asyncio
import time

import structlog

from azuki.domain.measurements import Sample
from azuki.domain.monitor import Monitor
from azuki.ports import Sensors

_log = structlog.get_logger(__name__)


class Sampling:
    """The loop that feeds a monitor; its health is whether samples still come.

    Readings are taken in a thread: they may block for milliseconds.
    """

    def __init__(self, sensors: Sensors, monitor: Monitor, *, interval_seconds: float) -> None:
        self._sensors = sensors
        self._monitor = monitor
        self._interval = interval_seconds
        self._sampled_at = time.monotonic()

    async def run(self) -> None:
        """Sample until cancelled, without drift; a missed tick is left out."""
        start = time.monotonic()
        tick = 0
        while True:
            await self._sample()
            tick = max(tick + 1, int((time.monotonic() - start) / self._interval) + 1)
            await asyncio.sleep(start + tick * self._interval - time.monotonic())

    async def check(self) -> None:
        """Raise an error when no sample has come for a while."""
        age = time.monotonic() - self._sampled_at
        if age > 3 * self._interval + 5:
            raise TimeoutError(f"the last measurement was {age:.0f} seconds ago")

    async def _sample(self) -> None:
        try:
            readings = await asyncio.to_thread(self._sensors.read)
        except Exception:
            # The next tick may fare better; `check` tells when none does.
            _log.exception("reading the sensors failed")
            return
        self._monitor.add(Sample(time.time_ns(), readings))
        self._sampled_at = time.monotonic()
