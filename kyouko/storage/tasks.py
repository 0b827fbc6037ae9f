"""Tasks in SQL; see `kyouko.ports.TaskRepository` for what each method promises."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from kyouko.domain.tasks.task import Task, TaskState, TaskWork
from kyouko.storage.documents import (
    failure_document,
    failure_in,
    progress_document,
    progress_in,
)
from kyouko.storage.models import NetworkRow, TaskRow
from mesh.database import Database
from mesh.errors import AlreadyExists, NotFound
from mesh.owned_rows import in_sight
from mesh.visibility import Sight

_UNFINISHED = [state.value for state in TaskState if not state.has_ended]


class SqlTaskRepository:
    """Keeps tasks in kyouko's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, task: Task) -> Task:
        """Store a new task."""
        row = _new_row(task)
        try:
            async with self._database.session() as session:
                session.add(row)
                await session.flush()
                number = row.number
        except IntegrityError as error:
            async with self._database.session() as session:
                if await session.get(NetworkRow, task.network_uid) is None:
                    raise NotFound(task.name.partition("/tasks/")[0]) from error
            raise AlreadyExists(task.name) from error
        return replace(task, number=number)

    async def get(self, project_id: str, network_id: str, task_id: str) -> Task:
        """Return a task."""
        query = select(TaskRow).where(
            TaskRow.project_id == project_id,
            TaskRow.network_id == network_id,
            TaskRow.task_id == task_id,
        )
        async with self._database.session() as session:
            row = (await session.scalars(query)).one_or_none()
        if row is None:
            raise NotFound(f"projects/{project_id}/networks/{network_id}/tasks/{task_id}")
        return _task(row)

    async def list(
        self, project_id: str, network_id: str | None, *, sight: Sight, after: int, limit: int
    ) -> Sequence[Task]:
        """Return tasks by number."""
        query = (
            select(TaskRow)
            .join(NetworkRow, NetworkRow.uid == TaskRow.network_uid)
            .where(
                TaskRow.project_id == project_id,
                TaskRow.number > after,
                in_sight(NetworkRow, sight),
            )
        )
        if network_id is not None:
            query = query.where(TaskRow.network_id == network_id)
        async with self._database.session() as session:
            rows = await session.scalars(query.order_by(TaskRow.number).limit(limit))
            return [_task(row) for row in rows]

    async def update(self, task: Task) -> None:
        """Store what changes in a task."""
        statement = (
            update(TaskRow)
            .where(TaskRow.number == task.number)
            .values(
                state=task.state.value,
                progress=progress_document(task.progress),
                failure=failure_document(task.failure),
                start_time=task.start_time,
                end_time=task.end_time,
            )
        )
        async with self._database.session() as session:
            await session.execute(statement)

    async def unfinished(self) -> Sequence[Task]:
        """Return all tasks that have not ended."""
        query = select(TaskRow).where(TaskRow.state.in_(_UNFINISHED)).order_by(TaskRow.number)
        async with self._database.session() as session:
            return [_task(row) for row in await session.scalars(query)]


def _new_row(task: Task) -> TaskRow:
    return TaskRow(
        network_uid=task.network_uid,
        project_id=task.project_id,
        network_id=task.network_id,
        task_id=task.task_id,
        work=task.work.value,
        dataset=task.dataset,
        epochs=task.epochs,
        input_columns=list(task.input_columns),
        target_column=task.target_column,
        time_column=task.time_column,
        result_dataset_id=task.result_dataset_id,
        is_classes=task.is_classes,
        state=task.state.value,
        progress=progress_document(task.progress),
        failure=failure_document(task.failure),
        trace=dict(task.trace),
        creator=task.creator,
        creator_since=task.creator_since,
        dataset_etag=task.dataset_etag,
        create_time=task.create_time,
        start_time=task.start_time,
        end_time=task.end_time,
    )


def _task(row: TaskRow) -> Task:
    return Task(
        task_id=row.task_id,
        project_id=row.project_id,
        network_id=row.network_id,
        network_uid=row.network_uid,
        work=TaskWork(row.work),
        dataset=row.dataset,
        epochs=row.epochs,
        input_columns=tuple(row.input_columns),
        target_column=row.target_column,
        time_column=row.time_column,
        result_dataset_id=row.result_dataset_id,
        is_classes=row.is_classes,
        create_time=row.create_time,
        creator=row.creator,
        creator_since=row.creator_since,
        dataset_etag=row.dataset_etag,
        progress=progress_in(row.progress),
        state=TaskState(row.state),
        failure=failure_in(row.failure),
        start_time=row.start_time,
        end_time=row.end_time,
        trace=row.trace,
        number=row.number,
    )
