"""Lets a service's counter go on when its process is replaced by another."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessIdentity:
    """One process for good: a pid alone may come back as another process."""

    pid: int
    create_time: float


@dataclass
class _Count:
    process: ProcessIdentity
    last: float
    before: float


class ContinuedCounter:
    """Adds up a counter over the processes that a service has had, one after the other."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def total(self, service: str, process: ProcessIdentity, value: float) -> float:
        """Return what a service has counted in all its processes seen so far.

        Args:
            service: The service.
            process: The process it has now.
            value: What that process has counted itself.
        """
        count = self._counts.get(service)
        if count is None:
            count = self._counts[service] = _Count(process, value, 0.0)
        elif count.process != process:
            count.before += count.last
            count.process = process
        count.last = value
        return count.before + value
