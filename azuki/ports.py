"""What azuki's domain needs from outside."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from azuki.domain.measurements import MachineFacts, Metric, Reading


class Sensors(Protocol):
    """Reads one machine."""

    def facts(self) -> MachineFacts:
        """Return what does not change while the machine runs."""

    def missing(self) -> Mapping[Metric, str]:
        """Return the metrics this machine does not offer, each with the reason."""

    def read(self) -> Sequence[Reading]:
        """Return one reading of everything that can be read now. May block for milliseconds."""
