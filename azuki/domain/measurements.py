"""The words of measuring: metrics, readings, series. Plain values, no rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """What is measured; the names equal those of `hanami.azuki.v1.Metric`."""

    CPU_LOAD = "CPU_LOAD"
    MEMORY_USED = "MEMORY_USED"
    PROCESS_CPU_TIME = "PROCESS_CPU_TIME"
    PROCESS_MEMORY = "PROCESS_MEMORY"
    CPU_FREQUENCY = "CPU_FREQUENCY"
    TEMPERATURE = "TEMPERATURE"


MACHINE = "machine"


@dataclass(frozen=True)
class SeriesKey:
    """What a series measures, and on what: `core-0`, a service, a sensor, `machine`."""

    metric: Metric
    subject: str


@dataclass(frozen=True)
class Reading:
    """One value of one series, in the unit of its metric."""

    key: SeriesKey
    value: float


@dataclass(frozen=True)
class Sample:
    """All readings of one moment, in nanoseconds since 1970."""

    time_ns: int
    readings: Sequence[Reading]


@dataclass(frozen=True)
class Series:
    """A stretch of one series: moments in nanoseconds since 1970, and values."""

    key: SeriesKey
    times_ns: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True)
class MachineFacts:
    """What a machine is. `physical_cores` is 0 when the machine does not say."""

    host: str
    processor: str
    logical_cores: int
    physical_cores: int
    memory_bytes: int


@dataclass(frozen=True)
class Availability:
    """Whether a metric is measured here; the reason is empty when it is."""

    metric: Metric
    reason: str = ""

    @property
    def is_available(self) -> bool:
        """Whether the metric is measured."""
        return not self.reason


@dataclass(frozen=True)
class Machine:
    """A machine and how it is measured."""

    facts: MachineFacts
    metrics: Sequence[Availability]
    interval_seconds: float
    retention_seconds: float
