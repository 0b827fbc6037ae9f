"""Progress arithmetic: sums, the speed of late, and the time that is left."""

from collections import deque
from dataclasses import replace
from typing import Final

from kyouko.domain.networks.learner import RowResults
from kyouko.domain.networks.network import NetworkStatistics
from kyouko.domain.tasks.task import TaskProgress, Totals

# The span over which "lately" is measured, and the least one that says anything.
_SPAN_SECONDS: Final = 3.0
_LEAST_SECONDS: Final = 0.05


class ProgressMeter:
    """Follows one task at work; all times are seconds on one monotonic clock."""

    def __init__(self, progress: TaskProgress, now: float) -> None:
        self.totals = progress.totals
        self._total_rows = progress.total_rows
        self._seconds_before = progress.totals.seconds
        self._started = now
        self._marks: deque[tuple[float, int]] = deque([(now, progress.totals.done_rows)])

    def add(
        self,
        rows: int,
        results: RowResults | None,
        *,
        scored_rows: int,
        engine_seconds: float,
        now: float,
    ) -> None:
        """Take in rows that were done.

        Args:
            rows: how many.
            results: the scores of those with a known target; None when there is none.
            scored_rows: how many these are.
            engine_seconds: spent in the network on all of them.
            now: the moment they were done.
        """
        totals = self.totals
        self.totals = Totals(
            done_rows=totals.done_rows + rows,
            scored_rows=totals.scored_rows + scored_rows,
            loss=totals.loss + (results.loss_sum if results else 0.0),
            correct_rows=totals.correct_rows + (results.correct_rows if results else 0),
            absolute_error=totals.absolute_error + (results.absolute_error if results else 0.0),
            engine_seconds=totals.engine_seconds + engine_seconds,
            seconds=self._seconds_before + now - self._started,
        )
        self._marks.append((now, self.totals.done_rows))
        while len(self._marks) > 2 and now - self._marks[1][0] >= _SPAN_SECONDS:
            self._marks.popleft()

    def progress(self, now: float, statistics: NetworkStatistics | None) -> TaskProgress:
        """Return the progress at a moment."""
        speed = self._speed(now)
        left = self._total_rows - self.totals.done_rows
        return TaskProgress(
            total_rows=self._total_rows,
            totals=replace(self.totals, seconds=self._seconds_before + now - self._started),
            rows_per_second=speed,
            remaining_seconds=left / speed if speed > 0 else None,
            statistics=statistics,
        )

    def _speed(self, now: float) -> float:
        since, done = self._marks[0]
        seconds = now - since
        return (self.totals.done_rows - done) / seconds if seconds >= _LEAST_SECONDS else 0.0
