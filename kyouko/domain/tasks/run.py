"""One task at work: rows out of the archive, into the network, scores into the progress."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Learner, RowResults
from kyouko.domain.networks.ledger import Ledger
from kyouko.domain.networks.live_network import LiveNetwork
from kyouko.domain.rates import Pace
from kyouko.domain.tasks.columns import TaskRows, missing_target, target_invalid, task_rows
from kyouko.domain.tasks.meter import ProgressMeter
from kyouko.domain.tasks.patience import Patience
from kyouko.domain.tasks.predictions import prediction_columns
from kyouko.domain.tasks.reading import RowReader
from kyouko.domain.tasks.task import Task, TaskProgress, TaskWork
from kyouko.ports import PredictionFile
from mesh.errors import DomainError, Unavailable

_PUBLISH_SECONDS: Final = 0.1
# A task that waits for its turn in rows per second stops within this.
_STEP_SECONDS: Final = 0.25

Publish = Callable[[TaskProgress], Awaitable[None]]


class StopReason(StrEnum):
    """Why a task is to stop before its end."""

    CANCELLED = "CANCELLED"
    SHUTTING_DOWN = "SHUTTING_DOWN"


@dataclass(frozen=True)
class _Done:
    """What came of some rows; no results when they were left out behind a failure."""

    rows: TaskRows
    results: RowResults | None
    scored: RowResults | None
    scored_rows: int
    engine_seconds: float


class TaskRun:
    """Runs a task until its end, or until it is stopped."""

    def __init__(
        self,
        task: Task,
        live: LiveNetwork,
        reader: RowReader,
        publish: Publish,
        pace: Pace,
        *,
        patience_seconds: float,
        predictions: PredictionFile | None = None,
    ) -> None:
        self.stopped: StopReason | None = None
        self._task = task
        self._live = live
        self._reader = reader
        self._publish = publish
        self._pace = pace
        self._predictions = predictions
        self._patience = Patience(patience_seconds)
        self._meter = ProgressMeter(task.progress, time.monotonic())
        self._published_at = 0.0
        # Set in the owner's thread: what was queued behind a failed piece must not be learned.
        self._has_failed = False
        # Stored rows follow one another, also when they are only predicted. Set there, too.
        self._aside: Learner | None = None

    def stop(self, reason: StopReason) -> None:
        """Stop after what is at work."""
        self.stopped = self.stopped or reason
        self._reader.stop()

    def progress(self) -> TaskProgress:
        """Return how far the task is."""
        statistics = self._live.owner.learner.statistics()
        return self._meter.progress(time.monotonic(), statistics)

    async def run(self) -> None:
        """Do all rows; the next ones are handed over before the last ones are accounted for.

        Raises:
            DomainError: The task cannot go on.
        """
        at_work: asyncio.Future[_Done] | None = None
        try:
            while True:
                submitted = await self._submit_next()
                if at_work is not None:
                    pending, at_work = at_work, submitted
                    await self._account(await pending)
                at_work = submitted
                if submitted is None:
                    return
        finally:
            if at_work is not None:
                await self._account(await at_work)

    async def _submit_next(self) -> "asyncio.Future[_Done] | None":
        batch = await self._reader.next()
        if batch is None or not await self._is_time():
            return None
        rows = task_rows(
            batch,
            has_target=bool(self._task.target_column),
            is_classes=self._task.is_classes,
            has_times=bool(self._task.time_column),
        )
        self._pace.take(len(rows))
        if self._task.work is TaskWork.LEARN:
            if self._live.excess is not None:
                raise self._live.excess
            if rows.rows.target is None and self._task.target_column:
                raise missing_target(rows)
            if not await self._has_room():
                return None
            return await self._live.owner.submit(
                lambda ledger: self._learn(ledger, rows), is_batch=True
            )
        return await self._live.owner.submit(
            lambda ledger: self._predict(ledger.learner, rows), is_batch=True
        )

    async def _is_time(self) -> bool:
        """Wait until rows per second let more in; False once stopped."""
        while not self.stopped:
            seconds = self._pace.seconds_ahead()
            if seconds <= 0:
                return True
            await asyncio.sleep(min(seconds, _STEP_SECONDS))
        return False

    async def _has_room(self) -> bool:
        """Wait until the journal takes more, for a while also if it is away; False once stopped."""
        while not self.stopped:
            try:
                await self._live.journal.room()
            except Unavailable as error:
                await self._patience.pause(error)
            else:
                self._patience.restore()
                return True
        return False

    def _learn(self, ledger: Ledger, rows: TaskRows) -> _Done:
        started = time.perf_counter()
        if self._has_failed:
            return _Done(rows, None, None, 0, 0.0)
        # Until it has gone well: whatever comes between, the rows behind must not be learned.
        self._has_failed = True
        try:
            results = ledger.learn(rows.rows, Arrival.STORED, task=self._task.key)
        except DomainError as error:
            raise _with_row(error, rows.start_row) from error
        self._has_failed = False
        return _Done(rows, results, results, results.scored_rows, time.perf_counter() - started)

    def _predict(self, learner: Learner, rows: TaskRows) -> _Done:
        started = time.perf_counter()
        if self._aside is None:
            self._aside = learner.aside()
        results = self._aside.follow(rows.rows)
        scored, count = (results, results.scored_rows) if results.loss is not None else (None, 0)
        if rows.scored is not None and rows.known is not None:
            scored = self._aside.score(results.of(rows.known), rows.scored)
            count = len(rows.known)
        return _Done(rows, results, scored, count, time.perf_counter() - started)

    async def _account(self, done: _Done) -> None:
        if done.results is None:
            return
        now = time.monotonic()
        self._meter.add(
            len(done.rows),
            done.scored,
            scored_rows=done.scored_rows,
            engine_seconds=done.engine_seconds,
            now=now,
        )
        if self._predictions is not None:
            labels = self._live.owner.learner.labels.labels
            await self._predictions.append(prediction_columns(done.rows, done.results, labels))
        if now - self._published_at >= _PUBLISH_SECONDS:
            self._published_at = now
            await self._publish(self.progress())


def _with_row(error: DomainError, start_row: int) -> DomainError:
    row = error.metadata.get("row")
    if row is None:
        return error
    number = start_row + int(row)
    if error.reason == "TARGET_INVALID":
        return target_invalid(number, error.message)
    error.metadata["row"] = str(number)
    error.message = f"row {number}: {error.message}"
    return error
