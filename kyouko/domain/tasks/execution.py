"""Takes a task from its turn to its end: network, archive, run, result, snapshot."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Final

import structlog

from kyouko.domain.engine import NetworkStructure
from kyouko.domain.networks.ledger import RELOADING
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveNetwork
from kyouko.domain.networks.network import network_name
from kyouko.domain.networks.session_keys import user_of_task
from kyouko.domain.quotas import Quotas
from kyouko.domain.rates import Pace
from kyouko.domain.tasks.board import TaskBoard
from kyouko.domain.tasks.patience import Patience
from kyouko.domain.tasks.predictions import prediction_header
from kyouko.domain.tasks.reading import ReadingPlan, RowReader
from kyouko.domain.tasks.rights import TaskRights
from kyouko.domain.tasks.run import StopReason, TaskRun
from kyouko.domain.tasks.storing import ResultStore
from kyouko.domain.tasks.task import Failure, Task, TaskProgress, TaskState, TaskWork
from kyouko.ports import (
    Clock,
    Datasets,
    DatasetSource,
    NetworkRepository,
    PredictionFile,
    PredictionFiles,
    Tracing,
)
from mesh import errors
from mesh.errors import DomainError, NotFound, Unavailable

_log = structlog.get_logger(__name__)
# A task that kills the process each time must not do so for ever.
_MOST_DEATHS: Final = 5
# The same of a task that breaks its network.
_MOST_BREAKS: Final = 5


@dataclass(frozen=True)
class TaskTerms:
    """How tasks are run.

    Attributes:
        frame_rows: rows handed to a network at a time.
        patience_seconds: how long the archive may be away, or the journal.
    """

    frame_rows: int = 512
    patience_seconds: float = 30.0


class TaskExecution:
    """Runs one task."""

    def __init__(self, task: Task, tools: "ExecutionTools") -> None:
        self.task = task
        self._tools = tools
        self._run: TaskRun | None = None
        self._stop: StopReason | None = None
        self._storing: asyncio.Task[None] | None = None
        self._is_complete = False
        self._refusal: DomainError | None = None
        self._checking: asyncio.Task[None] | None = None
        self._has_to_check = False

    def stop(self, reason: StopReason) -> None:
        """Stop within a batch of rows; a task that is cancelled stores no predictions either."""
        self._stop = self._stop or reason
        if self._run is not None:
            self._run.stop(reason)
        if self._storing is not None and reason is StopReason.CANCELLED:
            self._storing.cancel()

    def check_rights_soon(self) -> None:
        """Let the task fail if whoever made it may not do what it does any more."""
        self._has_to_check = True
        if self._checking is None:
            self._checking = asyncio.create_task(self._check_while_asked())

    async def _check_while_asked(self) -> None:
        # Once for any number of changes that come meanwhile.
        while self._has_to_check:
            self._has_to_check = False
            await self._check_rights()
        self._checking = None

    async def _check_rights(self) -> None:
        patience = Patience(self._tools.terms.patience_seconds)
        while self._stop is None:
            try:
                await self._tools.rights.check(self.task)
            except Unavailable as error:
                try:
                    await patience.pause(error)
                except Unavailable as away:
                    self._refuse(away)
            except DomainError as error:
                self._refuse(error)
            else:
                return

    def _refuse(self, error: DomainError) -> None:
        if self._stop is None:
            self._refusal = error
            self.stop(StopReason.CANCELLED)

    async def run(self) -> Task:
        """Run the task; returns it at its end, or waiting again if the service stops."""
        tools = self._tools
        self.task = self.task.started(tools.clock())
        await tools.board.changed(self.task)
        failure: Failure | None = None
        attributes = {"hanami.task": self.task.name, "hanami.dataset": self.task.dataset}
        with tools.tracing.task_span("hanami.kyouko.task", self.task.trace, attributes):
            try:
                await self._work_through_breaks()
            except DomainError as error:
                failure = _failure_of(error)
            except Exception as error:
                incident = uuid.uuid4().hex
                _log.exception(
                    "task failed", task=self.task.name, incident=incident, error=repr(error)
                )
                failure = _incident(incident)
            if self._refusal is not None and not self._is_complete:
                failure = _failure_of(self._refusal)
            if self._checking is not None:
                self._checking.cancel()
            self.task = self._ended(failure)
            _log.info("task over", task=self.task.name, state=self.task.state)
        await tools.board.changed(self.task)
        return self.task

    def _ended(self, failure: Failure | None) -> Task:
        now = self._tools.clock()
        if failure is not None:
            return self.task.ended(TaskState.FAILED, now, failure)
        if self._is_complete:
            return self.task.ended(TaskState.SUCCEEDED, now)
        if self._stop is StopReason.SHUTTING_DOWN:
            return self.task.waiting_again()
        return self.task.ended(TaskState.CANCELLED, now)

    async def _work_through_breaks(self) -> None:
        """Work; where a change of the network breaks off, go on with the network loaded again."""
        breaks = 0
        while True:
            done_rows = self.task.progress.totals.done_rows
            try:
                return await self._work()
            except Unavailable as error:
                is_further = self.task.progress.totals.done_rows > done_rows
                breaks = 1 if is_further and self.task.work is TaskWork.LEARN else breaks + 1
                if error.reason != RELOADING or self._stop is not None or breaks >= _MOST_BREAKS:
                    raise
            self._run = None
            self.task = self.task.begun_again()
            await self._tools.board.changed(self.task)

    async def _work(self) -> None:
        if self.task.progress.is_storing:
            if await self._results().has_it():
                # Only its end was not written down.
                self._is_complete = True
                return
            self.task = self.task.begun_again()
        task, tools = self.task, self._tools
        source = await self._source()
        if source is None:
            return
        async with tools.live.using(task.project_id, task.network_id) as live:
            if live.network.uid != task.network_uid:
                raise NotFound(network_name(task.project_id, task.network_id))
            task = await self._resume(live)
            structure = live.network.structure
            if task.work is TaskWork.LEARN:
                tools.quotas.holdings.check_room_to_grow(live.network)
            async with (
                self._paced() as pace,
                self._room_for_copy(live),
                self._reading(source) as reader,
                self._predictions(structure) as predictions,
            ):
                run = TaskRun(
                    task,
                    live,
                    reader,
                    self._publish,
                    pace,
                    patience_seconds=tools.terms.patience_seconds,
                    predictions=predictions,
                )
                self._run = run
                if self._stop is not None:
                    run.stop(self._stop)
                try:
                    await run.run()
                    await self._publish(run.progress())
                    done_rows = self.task.progress.totals.done_rows
                    if run.stopped is None or done_rows >= task.progress.total_rows:
                        self._is_complete = await self._store(predictions)
                finally:
                    await self._publish(run.progress())
                    if task.work is TaskWork.LEARN:
                        await self._keep(live)

    async def _source(self) -> DatasetSource | None:
        """Return what to read, for whoever made the task as they are now; None once stopped.

        Raises:
            DomainError: They may not any more, or it is another data set by now.
        """
        task, tools = self.task, self._tools
        patience = Patience(tools.terms.patience_seconds)
        while self._stop is None:
            try:
                maker = await tools.rights.check(task)
                etag = task.dataset_etag or await self._etag_of_then()
            except Unavailable as error:
                await patience.pause(error)
            else:
                return DatasetSource(task.dataset, etag, maker)
        return None

    async def _etag_of_then(self) -> str:
        """Return the etag of the data set, which was not noted, if it is as old as the task."""
        found = await self._tools.datasets.describe(self.task.dataset)
        if found.create_time > self.task.create_time:
            raise NotFound(self.task.dataset)
        return found.etag

    async def _resume(self, live: LiveNetwork) -> Task:
        """Find out how far the network has come with the task, whatever became of us since."""
        task = self.task
        totals = task.progress.totals
        if task.work is TaskWork.LEARN:
            mark = await live.owner.run(
                lambda ledger: ledger.begin_task(task.key, user_of_task(task.task_id))
            )
            totals = replace(totals, done_rows=mark.done_rows, **asdict(mark.tally))
        self.task = task.resumed(totals)
        if self.task != task:
            await self._tools.board.changed(self.task)
        if self.task.progress.deaths >= _MOST_DEATHS:
            raise _dies_of_it(self.task.progress.deaths)
        return self.task

    @asynccontextmanager
    async def _room_for_copy(self, live: LiveNetwork) -> AsyncIterator[None]:
        """Hold room for the copy by which a network with a past predicts rows in order."""
        if self.task.work is TaskWork.LEARN or not live.network.structure.has_past:
            yield
            return
        async with self._tools.live.beside(live):
            yield

    @asynccontextmanager
    async def _paced(self) -> AsyncIterator[Pace]:
        with self._tools.quotas.pacing(self.task.project_id, self.task.creator) as pace:
            yield pace

    async def _keep(self, live: LiveNetwork) -> None:
        try:
            await self._tools.live.keep(live)
        except NotFound:
            # A network that is being deleted has its tasks cancelled, and nothing to keep.
            if self._stop is None:
                raise

    async def _store(self, predictions: PredictionFile | None) -> bool:
        """Store the predictions, if any; returns whether nothing came between."""
        if predictions is None:
            return True
        # Should the process die now, the next one knows that the result may be there.
        self.task = self.task.storing()
        await self._tools.board.changed(self.task)
        self._storing = asyncio.create_task(self._results().put(predictions.path))
        if self._stop is StopReason.CANCELLED:
            self._storing.cancel()
        await asyncio.wait({self._storing})
        if self._storing.cancelled():
            return False
        self._storing.result()
        return True

    def _results(self) -> ResultStore:
        return ResultStore(
            self._tools.datasets,
            self._tools.networks,
            self.task,
            patience_seconds=self._tools.terms.patience_seconds,
        )

    async def _publish(self, progress: TaskProgress) -> None:
        is_storing = self.task.progress.is_storing
        self.task = replace(self.task, progress=replace(progress, is_storing=is_storing))
        await self._tools.board.progressed(self.task)

    @asynccontextmanager
    async def _reading(self, source: DatasetSource) -> AsyncIterator[RowReader]:
        task, terms = self.task, self._tools.terms
        others = [name for name in (task.time_column, task.target_column) if name]
        reader = RowReader(
            self._tools.datasets,
            ReadingPlan(
                dataset=source.name,
                etag=source.etag,
                reader=source.reader,
                columns=[*task.input_columns, *others],
                together=len(task.input_columns),
                row_count=task.progress.total_rows // task.epochs,
                epochs=task.epochs,
                done_rows=task.progress.totals.done_rows,
                frame_rows=terms.frame_rows,
                patience_seconds=terms.patience_seconds,
            ),
        )
        try:
            yield reader
        finally:
            await reader.close()

    @asynccontextmanager
    async def _predictions(
        self, structure: NetworkStructure
    ) -> AsyncIterator[PredictionFile | None]:
        task = self.task
        if not task.result_dataset_id:
            yield None
            return
        header = prediction_header(structure, has_target=bool(task.target_column))
        file = await self._tools.predictions.create(header)
        try:
            yield file
        finally:
            await file.discard()


@dataclass(frozen=True)
class ExecutionTools:
    """What running tasks takes."""

    live: LiveNetworks
    networks: NetworkRepository
    datasets: Datasets
    predictions: PredictionFiles
    board: TaskBoard
    tracing: Tracing
    clock: Clock
    terms: TaskTerms
    quotas: Quotas
    rights: TaskRights


def _failure_of(error: DomainError) -> Failure:
    # Subclasses differ in words and details only; the kind has to be found again by its name.
    kind = next(k.__name__ for k in type(error).__mro__ if k.__module__ == errors.__name__)
    return Failure(kind, error.message, error.reason, error.metadata)


def _incident(incident: str) -> Failure:
    return Failure("Internal", "", "INTERNAL", {"incident": incident})


def _dies_of_it(deaths: int) -> Unavailable:
    return Unavailable(
        f"kyouko died {deaths} times in a row while the task was at work, without a row more; "
        "what was learned before is kept",
        reason="SHUTTING_DOWN",
        metadata={"service": "kyouko"},
    )
