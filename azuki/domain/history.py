"""Keeps the measurements of the recent past, and no more than that."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from azuki.domain.measurements import Metric, Sample, Series, SeriesKey

_NANOSECONDS = 10**9
# Times of requests may lie anywhere; what is kept lies within these.
_EARLIEST, _LATEST = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class TimeRange:
    """From `start_ns` (included) to `end_ns` (not included), since 1970; None is open."""

    start_ns: int | None = None
    end_ns: int | None = None


class Ring:
    """The last values of one series; a new one takes the place of the oldest."""

    def __init__(self, capacity: int) -> None:
        self._times: npt.NDArray[np.int64] = np.zeros(capacity, np.int64)
        self._values: npt.NDArray[np.float64] = np.zeros(capacity, np.float64)
        self._count = 0
        self._next = 0

    def append(self, time_ns: int, value: float) -> None:
        """Add a value."""
        self._times[self._next] = time_ns
        self._values[self._next] = value
        self._next = (self._next + 1) % len(self._times)
        self._count = min(self._count + 1, len(self._times))

    def select(self, span: TimeRange) -> tuple[list[int], list[float]]:
        """Return the moments and values within a span, in the order they were taken.

        The order holds also when the machine's clock was set back in between,
        so this searches all values and does not bisect.
        """
        order = (np.arange(self._count) + self._next - self._count) % len(self._times)
        times = self._times[order]
        start = _EARLIEST if span.start_ns is None else max(span.start_ns, _EARLIEST)
        wanted = times >= min(start, _LATEST)
        if span.end_ns is not None:
            wanted &= times < min(max(span.end_ns, _EARLIEST), _LATEST)
        return times[wanted].tolist(), self._values[order][wanted].tolist()

    def count(self, span: TimeRange) -> int:
        """Return how many values lie within a span."""
        return len(self.select(span)[0])

    @property
    def newest_ns(self) -> int:
        """The moment of the last value."""
        return int(self._times[self._next - 1])


class History:
    """The series of a machine, each kept for the retention time.

    Args:
        interval_seconds: The time between two samples; with the retention it
            bounds how many values a series holds.
        retention_seconds: How long values are kept.
    """

    def __init__(self, *, interval_seconds: float, retention_seconds: float) -> None:
        self._capacity = math.ceil(retention_seconds / interval_seconds)
        self._retention_ns = int(retention_seconds * _NANOSECONDS)
        self._rings: dict[SeriesKey, Ring] = {}
        self._now_ns = 0

    def add(self, sample: Sample) -> None:
        """Add a sample, and forget the series that have ended for good."""
        self._now_ns = sample.time_ns
        for reading in sample.readings:
            ring = self._rings.get(reading.key)
            if ring is None:
                ring = self._rings[reading.key] = Ring(self._capacity)
            ring.append(sample.time_ns, reading.value)
        oldest = sample.time_ns - self._retention_ns
        for key in [key for key, ring in self._rings.items() if ring.newest_ns < oldest]:
            del self._rings[key]

    def select(self, metrics: Sequence[Metric], span: TimeRange) -> list[Series]:
        """Return what is kept of some metrics within a span, ordered by metric and subject."""
        found: list[Series] = []
        for key in self._keys(metrics):
            times, values = self._rings[key].select(self._kept(span))
            if times:
                found.append(Series(key, times, values))
        return found

    def count(self, metrics: Sequence[Metric], span: TimeRange) -> int:
        """Return how many values `select` would return."""
        kept = self._kept(span)
        return sum(self._rings[key].count(kept) for key in self._keys(metrics))

    def _keys(self, metrics: Sequence[Metric]) -> list[SeriesKey]:
        def place(key: SeriesKey) -> tuple[int, int, str]:
            return metrics.index(key.metric), len(key.subject), key.subject

        return sorted((key for key in self._rings if key.metric in metrics), key=place)

    def _kept(self, span: TimeRange) -> TimeRange:
        oldest = self._now_ns - self._retention_ns
        start = oldest if span.start_ns is None else max(oldest, span.start_ns)
        return TimeRange(start, span.end_ns)
