"""Queues, shows, cancels and watches tasks; each network's run one after the other."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from kyouko.domain.engine import NetworkStructure, TaskKind
from kyouko.domain.networks.network import Network
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.tasks.columns import choose_columns
from kyouko.domain.tasks.execution import ExecutionTools, TaskExecution
from kyouko.domain.tasks.run import StopReason
from kyouko.domain.tasks.sights import TaskSights
from kyouko.domain.tasks.task import Task, TaskProgress, TaskState, TaskWork
from kyouko.ports import NetworkRepository, NewId, TaskRepository
from mesh.access import Caller
from mesh.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from mesh.quotas import Quota, subjects_of
from mesh.visibility import authorize_listing

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class NewTask:
    """What a task is to do; empty fields leave the choice to us."""

    project_id: str
    network_id: str
    work: TaskWork
    dataset: str
    task_id: str = ""
    epochs: int = 1
    input_columns: tuple[str, ...] = ()
    target_column: str = ""
    time_column: str = ""
    result_dataset_id: str = ""


@dataclass
class _Queue:
    """The tasks of one network: one at work, the others behind it."""

    waiting: deque[Task] = field(default_factory=deque)
    at_work: TaskExecution | None = None
    worker: "asyncio.Task[None] | None" = None


class Tasks:
    """The tasks of all networks."""

    def __init__(
        self,
        repository: TaskRepository,
        networks: NetworkRepository,
        tools: ExecutionTools,
        *,
        new_id: NewId,
        waiting_limit: int = 1000,
    ) -> None:
        self._repository = repository
        self._seen = SeenNetworks(networks)
        self._sights = TaskSights(tools.datasets, self._seen)
        self._tools = tools
        self._board = tools.board
        self._counts = tools.quotas.counts
        self._new_id = new_id
        self._waiting_limit = waiting_limit
        self._queues: dict[str, _Queue] = {}
        # Names of results, of tasks on their way into a queue.
        self._claims: set[str] = set()
        self._is_draining = False

    async def start(self) -> None:
        """Queue again what an earlier process left waiting, or had at work when it died."""
        for task in await self._repository.unfinished():
            if task.state is TaskState.RUNNING:
                _log.warning("task was interrupted", task=task.name)
                task = task.interrupted()
                await self._repository.update(task)
            self._enqueue(task)

    async def create(self, caller: Caller, new: NewTask, *, token: str) -> Task:
        """Queue a task; the data set is looked up with the caller's own token.

        Raises:
            DomainError: RESOURCE_NOT_FOUND, RESOURCE_EXISTS, WIDTH_MISMATCH, FIELD_INVALID,
                LIMIT_REACHED, QUOTA_EXCEEDED, DEPENDENCY_UNAVAILABLE, SHUTTING_DOWN.
        """
        network = await self._seen.find(caller, new.project_id, new.network_id)
        if new.work is TaskWork.PREDICT:
            _check_prediction(new)
        elif new.result_dataset_id:
            raise InvalidArgument.for_field(
                "result_dataset_id", "only predict tasks keep their predictions"
            )
        dataset = await self._tools.datasets.describe(new.dataset, token=token)
        columns = choose_columns(
            dataset,
            network.structure,
            new.work,
            input_columns=new.input_columns,
            target_column=new.target_column,
            time_column=new.time_column,
        )
        _check_epochs(new, network.structure)
        task = Task(
            task_id=new.task_id or f"task-{self._new_id()[:16]}",
            project_id=new.project_id,
            network_id=new.network_id,
            network_uid=network.uid,
            work=new.work,
            dataset=new.dataset,
            epochs=new.epochs,
            input_columns=columns.inputs,
            target_column=columns.target,
            time_column=columns.time,
            result_dataset_id=new.result_dataset_id,
            is_classes=network.structure.output.kind is TaskKind.CLASSES,
            create_time=self._tools.clock(),
            creator=caller.principal.name,
            creator_since=caller.principal.since,
            dataset_etag=dataset.etag,
            progress=TaskProgress(total_rows=dataset.row_count * new.epochs),
            trace=self._tools.tracing.current(),
        )
        # A task that is stored has to be queued as well, also if the caller leaves meanwhile.
        return await asyncio.shield(self._claim_result_and_add(task, network))

    async def get(self, caller: Caller, project_id: str, network_id: str, task_id: str) -> Task:
        """Return a task, of a network that the caller may know of, as it is now.

        Here as everywhere, of its data sets only what `TaskSights` shows.
        """
        return await self._shown(caller, await self._find(caller, project_id, network_id, task_id))

    async def list(
        self, caller: Caller, project_id: str, network_id: str | None, *, after: str, limit: int
    ) -> Sequence[Task]:
        """Return tasks of one network or of all, oldest first, after the number `after`.

        Raises:
            InvalidArgument: PAGE_TOKEN_INVALID: `after` is no number.
        """
        sight = authorize_listing(caller, project_id)
        number = _number_in(after)
        if network_id is not None:
            await self._seen.check(caller, project_id, network_id)
        found = await self._repository.list(
            project_id, network_id, sight=sight, after=number, limit=limit
        )
        return await self._sights.shown(caller, [self._board.newest(task) for task in found])

    async def cancel(self, caller: Caller, project_id: str, network_id: str, task_id: str) -> Task:
        """Stop a task; returns when it has stopped.

        Raises:
            FailedPrecondition: STATE_CONFLICT: it has ended.
        """
        task = await self._find(caller, project_id, network_id, task_id)
        if task.state.has_ended:
            raise _has_ended(task)
        task = await self._stop(task)
        if task.state is not TaskState.CANCELLED:
            # It came to its end by itself meanwhile.
            raise _has_ended(task)
        return await self._shown(caller, task)

    async def watch(
        self, caller: Caller, project_id: str, network_id: str, task_id: str
    ) -> AsyncGenerator[Task, None]:
        """Yield a task's state at once, then every change, until its end."""
        number = (await self._find(caller, project_id, network_id, task_id)).number
        with self._board.watchers.watching(number) as watcher:
            if self._is_draining:
                raise _shutting_down()
            first = await self._find(caller, project_id, network_id, task_id)
            state, sight = first.state, await self._sights.sight(caller, first)
            async for task in watcher.states(first):
                # Meanwhile it may have been changed who may know of the network.
                await self._seen.check(caller, project_id, network_id)
                if task.state is not state:
                    # Names have been told or not; of errors and results it is seen anew.
                    state, sight = task.state, await self._sights.sight(caller, task)
                yield sight.of(task)

    async def _find(self, caller: Caller, project_id: str, network_id: str, task_id: str) -> Task:
        await self._seen.check(caller, project_id, network_id)
        return self._board.newest(await self._repository.get(project_id, network_id, task_id))

    async def _shown(self, caller: Caller, task: Task) -> Task:
        return (await self._sights.sight(caller, task)).of(task)

    async def end_network(self, network: Network) -> None:
        """Cancel the tasks of a network that is being deleted, and wait until they stopped."""
        queue = self._queues.get(network.uid)
        if queue is None:
            return
        while queue.waiting:
            task = queue.waiting.pop()
            self._counts.add(_subjects(task), Quota.QUEUED_TASKS, -1)
            await self._board.changed(task.ended(TaskState.CANCELLED, self._tools.clock()))
        if queue.at_work is not None and queue.worker is not None:
            queue.at_work.stop(StopReason.CANCELLED)
            await asyncio.wait({queue.worker})

    async def check_network(self, network: Network) -> None:
        """End the task at work of somebody who may not know of a network any more."""
        queue = self._queues.get(network.uid)
        if queue is not None and queue.at_work is not None:
            queue.at_work.check_rights_soon()

    def check_makers(self) -> None:
        """End tasks at work of those who may not any more; called after every change.

        Tasks that wait are looked at when their turn comes.
        """
        for queue in self._queues.values():
            if queue.at_work is not None:
                queue.at_work.check_rights_soon()

    async def drain(self) -> None:
        """Stop what is at work, to go on at the next start; end all watching."""
        self._is_draining = True
        workers = {queue.worker for queue in self._queues.values() if queue.worker is not None}
        for queue in self._queues.values():
            if queue.at_work is not None:
                queue.at_work.stop(StopReason.SHUTTING_DOWN)
        if workers:
            await asyncio.wait(workers)
        self._board.end_watching(_shutting_down())

    async def _claim_result_and_add(self, task: Task, network: Network) -> Task:
        """Queue a task whose result will have a name that nothing has, and no task at work."""
        result = task.result
        if not result:
            return await self._add(task, network)
        if result in self._claims or result in self._results_to_come():
            raise AlreadyExists(result)
        self._claims.add(result)
        try:
            await self._check_is_new(result)
            return await self._add(task, network)
        finally:
            self._claims.discard(result)

    def _results_to_come(self) -> Iterator[str]:
        for queue in self._queues.values():
            yield from (task.result for task in queue.waiting)
            if queue.at_work is not None:
                yield queue.at_work.task.result

    async def _check_is_new(self, result: str) -> None:
        try:
            # As a service: ids are taken also by what the caller may not know of.
            await self._tools.datasets.describe(result)
        except NotFound:
            return
        raise AlreadyExists(result)

    async def _add(self, task: Task, network: Network) -> Task:
        queue = self._queues.get(network.uid)
        if queue is not None and len(queue.waiting) >= self._waiting_limit:
            raise ResourceExhausted(
                f"{self._waiting_limit} tasks wait for {network.name}; let some end first",
                reason="LIMIT_REACHED",
                metadata={"limit": str(self._waiting_limit)},
            )
        if self._is_draining:
            raise _shutting_down()
        if self._tools.live.is_deleting(network.uid):
            raise NotFound(network.name)
        with self._counts.held(_subjects(task), Quota.QUEUED_TASKS):
            task = await self._repository.create(task)
            if self._tools.live.is_deleting(network.uid):
                # The deletion took the row along, or is about to.
                raise NotFound(network.name)
            self._enqueue(task)
        return self._board.newest(task)

    def _enqueue(self, task: Task) -> None:
        self._board.add(task)
        queue = self._queues.setdefault(task.network_uid, _Queue())
        # Two calls may store in one order and come back in the other; the stored one counts.
        place = len(queue.waiting)
        while place and queue.waiting[place - 1].number > task.number:
            place -= 1
        queue.waiting.insert(place, task)
        self._counts.add(_subjects(task), Quota.QUEUED_TASKS, 1)
        if queue.worker is None and not self._is_draining:
            queue.worker = asyncio.create_task(self._work(task.network_uid, queue))

    async def _work(self, network_uid: str, queue: _Queue) -> None:
        while queue.waiting and not self._is_draining:
            task = queue.waiting.popleft()
            self._counts.add(_subjects(task), Quota.QUEUED_TASKS, -1)
            queue.at_work = TaskExecution(task, self._tools)
            try:
                task = await queue.at_work.run()
            except Exception as error:
                _log.exception("task lost", task=queue.at_work.task.name, error=repr(error))
            else:
                if task.state is TaskState.PENDING:
                    queue.waiting.appendleft(task)
                    self._counts.add(_subjects(task), Quota.QUEUED_TASKS, 1)
            queue.at_work = None
        queue.worker = None
        if not queue.waiting:
            self._queues.pop(network_uid, None)

    async def _stop(self, task: Task) -> Task:
        queue = self._queues.get(task.network_uid)
        if queue is None:
            return await self._repository.get(task.project_id, task.network_id, task.task_id)
        for waiting in queue.waiting:
            if waiting.number == task.number:
                queue.waiting.remove(waiting)
                self._counts.add(_subjects(waiting), Quota.QUEUED_TASKS, -1)
                ended = waiting.ended(TaskState.CANCELLED, self._tools.clock())
                await asyncio.shield(self._board.changed(ended))
                return ended
        execution = queue.at_work
        if execution is not None and execution.task.number == task.number:
            with self._board.watchers.watching(task.number) as watcher:
                execution.stop(StopReason.CANCELLED)
                async for state in watcher.states(task):
                    task = state
            return task
        return await self._repository.get(task.project_id, task.network_id, task.task_id)


def _subjects(task: Task) -> tuple[str, ...]:
    return subjects_of(task.project_id, task.creator)


def _number_in(after: str) -> int:
    if not after:
        return 0
    if not (after.isascii() and after.isdecimal() and len(after) <= 18):
        raise InvalidArgument.for_field(
            "page_token", "is damaged; use next_page_token as it came", reason="PAGE_TOKEN_INVALID"
        )
    return int(after)


def _check_prediction(new: NewTask) -> None:
    if new.epochs != 1:
        raise InvalidArgument.for_field("epochs", "a predict task goes through its rows once")


def _check_epochs(new: NewTask, structure: NetworkStructure) -> None:
    pipeline = structure.pipeline
    if new.epochs > 1 and pipeline is not None and pipeline.late is not None:
        raise InvalidArgument.for_field(
            "epochs",
            "the network's pipeline lets no row be much older than the newest one (late), so the "
            "data set can be gone through once",
        )


def _has_ended(task: Task) -> FailedPrecondition:
    return FailedPrecondition(
        f"{task.name} has ended: {task.state}",
        reason="STATE_CONFLICT",
        metadata={"resource": task.name, "state": task.state.value},
    )


def _shutting_down() -> Unavailable:
    return Unavailable(
        "kyouko is stopping; tasks go on at its next start",
        reason="SHUTTING_DOWN",
        metadata={"service": "kyouko"},
    )
