"""How many rows in a second: for each project and user, over all streams, tasks and calls.

A bucket is one number: the moment at which all rows that were let in would have come, had they
come at the rate that is allowed. As long as that moment is past, rows are let in at once, a
second's worth of them in one go; who is ahead of time waits for it. Nothing here waits, locks
or counts down, so that the price of a row is a few additions.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from mesh.quota_counts import QuotaCounts
from mesh.quotas import Quota, QuotaBook, QuotaExceeded

# So much may come at once after a silence.
BURST_SECONDS: Final = 1.0
# One frame may be as large as what is allowed in so long.
MOST_FRAME_SECONDS: Final = 10.0
# Nobody waits longer than this, however many rows have come.
_MOST_WAIT_SECONDS: Final = 60.0
_MEASURED_SECONDS: Final = 1.0
_STEP_SECONDS: Final = 1.0
Now = Callable[[], float]


class _Bucket:
    """What one project or user has let in.

    Attributes:
        due: the moment up to which the rows that came are paid for.
        rows: all that came.
        users: streams and tasks that hold it.
    """

    __slots__ = ("due", "rows", "samples", "subject", "users")

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.due = -math.inf
        self.rows = 0
        self.users = 0
        self.samples: deque[tuple[float, int]] = deque()


class Pace:
    """How fast the rows of one stream, task or call may come."""

    def __init__(self, buckets: Sequence[_Bucket], book: QuotaBook, now: Now) -> None:
        self._buckets = buckets
        self._limits_of = book.limits_of
        self._now = now

    def take(self, rows: int) -> None:
        """Count rows that have come."""
        now = self._now()
        earliest, latest = now - BURST_SECONDS, now + _MOST_WAIT_SECONDS
        for bucket in self._buckets:
            limit = self._limits_of(bucket.subject)[Quota.ROWS_PER_SECOND]
            due = (bucket.due if bucket.due > earliest else earliest) + rows / (limit or 1e-9)
            bucket.due = due if due < latest else latest
            bucket.rows += rows

    def seconds_ahead(self) -> float:
        """Return how long to wait before more may come; nothing or less than that for now."""
        buckets = self._buckets
        due = buckets[0].due
        for bucket in buckets[1:]:
            if bucket.due > due:
                due = bucket.due
        return due - self._now()

    async def caught_up(self) -> None:
        """Wait until more may come."""
        while True:
            seconds = self.seconds_ahead()
            if seconds <= 0:
                return
            # In short steps: who gets a larger quota should not wait for long any more.
            await asyncio.sleep(min(seconds, _STEP_SECONDS))

    def refusal(self) -> QuotaExceeded:
        """Return the error of who cannot be made to wait."""
        late = max(self._buckets, key=lambda bucket: bucket.due)
        limit = self._limits_of(late.subject)[Quota.ROWS_PER_SECOND]
        seconds = max(1, math.ceil(late.due - self._now()))
        return QuotaExceeded(
            late.subject, Quota.ROWS_PER_SECOND, limit=limit, used=limit, retry_seconds=seconds
        )

    def most_frame_rows(self) -> int:
        """Return the most rows that may come at once."""
        least = min(self._limits_of(b.subject)[Quota.ROWS_PER_SECOND] for b in self._buckets)
        return max(1, int(MOST_FRAME_SECONDS * least))

    def check_open(self) -> None:
        """Refuse who may have no rows at all.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED.
        """
        for bucket in self._buckets:
            if self._limits_of(bucket.subject)[Quota.ROWS_PER_SECOND] == 0:
                raise QuotaExceeded(bucket.subject, Quota.ROWS_PER_SECOND, limit=0, used=0)


class RowRates:
    """The buckets of all projects and users."""

    def __init__(self, counts: QuotaCounts, *, now: Now = time.monotonic) -> None:
        self._counts = counts
        self._now = now
        self._buckets: dict[str, _Bucket] = {}

    @contextmanager
    def pacing(self, subjects: Sequence[str]) -> Iterator[Pace]:
        """Return the pace of somebody as long as the context lasts.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED: no rows at all may come.
        """
        buckets = [self._buckets.setdefault(subject, _Bucket(subject)) for subject in subjects]
        pace = Pace(buckets, self._counts.book, self._now)
        pace.check_open()
        for bucket in buckets:
            bucket.users += 1
        try:
            yield pace
        finally:
            for bucket in buckets:
                bucket.users -= 1

    def measure(self) -> None:
        """Tell the counts how many rows came in the last second; called several times in one."""
        now = self._now()
        for subject, bucket in tuple(self._buckets.items()):
            samples = bucket.samples
            samples.append((now, bucket.rows))
            while len(samples) > 1 and now - samples[1][0] >= _MEASURED_SECONDS:
                samples.popleft()
            came = bucket.rows - samples[0][1]
            since = max(now - samples[0][0], _MEASURED_SECONDS)
            self._counts.measured(subject, Quota.ROWS_PER_SECOND, round(came / since))
            if not (bucket.users or came or bucket.due > now - BURST_SECONDS):
                del self._buckets[subject]
