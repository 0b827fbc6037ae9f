"""When and how long to wait before a call is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hanami_sdk.errors import HanamiError, Unavailable


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter for calls that may be repeated.

    Attributes:
        attempts: the most tries, the first included; 1 switches retries off.
        first_delay: the longest wait before the second try, in seconds.
        longest_delay: no wait is longer, in seconds.
    """

    attempts: int = 5
    first_delay: float = 0.1
    longest_delay: float = 2.0

    def delay(self, failures: int, error: HanamiError) -> float | None:
        """Return the seconds to wait, or `None` when the error is final.

        Args:
            failures: how often the call has failed, this time included.
            error: how it failed this time.
        """
        if failures >= self.attempts or not isinstance(error, Unavailable):
            return None
        if error.retry_delay is not None:
            return min(error.retry_delay, self.longest_delay)
        ceiling = min(self.first_delay * 2.0 ** (failures - 1), self.longest_delay)
        return random.uniform(0, ceiling)  # noqa: S311  jitter keeps no secret
