"""Counts of wrong passwords, and how long to wait after how many."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Attempts:
    """Wrong passwords in a row under one key.

    Attributes:
        failures: How many.
        last_failure: When the last one came.
        blocked_until: Until then all are refused; None when they are not.
    """

    failures: int
    last_failure: datetime
    blocked_until: datetime | None = None

    def blocked_for(self, now: datetime) -> timedelta:
        """Return how long all are refused yet; zero when they are not."""
        if self.blocked_until is None:
            return timedelta()
        return max(timedelta(), self.blocked_until - now)


@dataclass(frozen=True)
class Limits:
    """How patient a count is.

    Attributes:
        free: Wrong passwords that cost nothing.
        first_wait: The wait after the next one; it doubles from then on.
        longest_wait: No wait is longer.
    """

    free: int
    first_wait: timedelta = timedelta(seconds=2)
    longest_wait: timedelta = timedelta(minutes=15)

    def after_failure(self, before: Attempts | None, now: datetime) -> Attempts:
        """Return the count after one more wrong password."""
        stale = before is None or now - before.last_failure > FORGOTTEN_AFTER
        failures = 1 if before is None or stale else before.failures + 1
        attempts = Attempts(failures, now)
        if failures <= self.free:
            return attempts
        # The exponent is bounded: an endless attack must not overflow.
        doublings = min(failures - self.free - 1, 30)
        wait = min(self.first_wait * 2**doublings, self.longest_wait)
        return replace(attempts, blocked_until=now + wait)
