"""What azuki's unit tests build again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from azuki.domain.measurements import MachineFacts, Metric, Reading, Sample, SeriesKey

SECOND = 10**9
FACTS = MachineFacts("host", "processor", logical_cores=2, physical_cores=1, memory_bytes=2**30)


@dataclass(frozen=True)
class FixedSensors:
    """The port `Sensors` with readings that the test chooses."""

    readings: Sequence[Reading] = ()
    absent: Mapping[Metric, str] = field(default_factory=dict)

    def facts(self) -> MachineFacts:
        """Return a small machine."""
        return FACTS

    def missing(self) -> Mapping[Metric, str]:
        """Return what the test says is missing."""
        return self.absent

    def read(self) -> Sequence[Reading]:
        """Return the readings of the test."""
        return self.readings


def reading(value: float, *, metric: Metric = Metric.CPU_LOAD, subject: str = "core-0") -> Reading:
    """Return a reading, of the first core's load unless told otherwise."""
    return Reading(SeriesKey(metric, subject), value)


def sample(second: int, *readings: Reading) -> Sample:
    """Return a sample taken at a second."""
    return Sample(second * SECOND, readings or (reading(float(second)),))
