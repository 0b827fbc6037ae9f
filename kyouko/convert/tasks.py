"""Tasks to and from messages."""

from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2
from hanami.kyouko.v1 import task_service_pb2 as pb

from kyouko.convert.networks import network_ids, statistics_message
from kyouko.domain.tasks.task import Failure, Task, TaskProgress, TaskState, TaskWork
from kyouko.domain.tasks.tasks import NewTask
from mesh import errors, names
from mesh.status import internal_status, status_of

_WORKS = {pb.TASK_KIND_LEARN: TaskWork.LEARN, pb.TASK_KIND_PREDICT: TaskWork.PREDICT}
_KINDS = {work: kind for kind, work in _WORKS.items()}
_STATES = {
    TaskState.PENDING: pb.TASK_STATE_PENDING,
    TaskState.RUNNING: pb.TASK_STATE_RUNNING,
    TaskState.SUCCEEDED: pb.TASK_STATE_SUCCEEDED,
    TaskState.FAILED: pb.TASK_STATE_FAILED,
    TaskState.CANCELLED: pb.TASK_STATE_CANCELLED,
}


def task_ids(name: str) -> tuple[str, str, str]:
    """Return the ids of project, network and task in a name."""
    project_id, network_id, task_id = names.parse("projects/*/networks/*/tasks/*", name)
    return project_id, network_id, task_id


def new_task_of(request: pb.CreateTaskRequest) -> NewTask:
    """Return what a validated request asks for."""
    project_id, network_id = network_ids(request.parent, field="parent")
    return NewTask(
        project_id=project_id,
        network_id=network_id,
        work=_WORKS[request.kind],
        dataset=request.dataset,
        task_id=request.task_id,
        epochs=request.epochs or 1,
        input_columns=tuple(request.input_columns),
        target_column=request.target_column,
        time_column=request.time_column,
        result_dataset_id=request.result_dataset_id,
    )


def task_message(task: Task) -> pb.Task:
    """Return a task as a message."""
    result = f"projects/{task.project_id}/datasets/{task.result_dataset_id}"
    message = pb.Task(
        name=task.name,
        kind=_KINDS[task.work],
        dataset=task.dataset,
        epochs=task.epochs,
        input_columns=task.input_columns,
        target_column=task.target_column,
        time_column=task.time_column,
        result_dataset=result if task.result_dataset_id else "",
        state=_STATES[task.state],
        progress=_progress_message(task.progress, is_classes=task.is_classes),
        create_time=_timestamp(task.create_time),
        creator=task.creator,
    )
    if task.failure is not None:
        message.error.CopyFrom(failure_status(task.failure))
    if task.start_time is not None:
        message.start_time.CopyFrom(_timestamp(task.start_time))
    if task.end_time is not None:
        message.end_time.CopyFrom(_timestamp(task.end_time))
    return message


def failure_status(failure: Failure) -> status_pb2.Status:
    """Return the status of a failed task, as a call that failed so would have had it."""
    if failure.kind == "Internal":
        return internal_status(failure.metadata["incident"])
    if failure.kind == "NotFound":
        return status_of(errors.NotFound(failure.metadata.get("resource", "")))
    if failure.kind == "AlreadyExists":
        return status_of(errors.AlreadyExists(failure.metadata.get("resource", "")))
    kind: type[errors.DomainError] = getattr(errors, failure.kind)
    return status_of(kind(failure.message, reason=failure.reason, metadata=failure.metadata))


def _progress_message(progress: TaskProgress, *, is_classes: bool) -> pb.TaskProgress:
    totals = progress.totals
    message = pb.TaskProgress(
        done_rows=totals.done_rows,
        total_rows=progress.total_rows,
        rows_per_second=progress.rows_per_second,
        engine_time=_duration(totals.engine_seconds),
    )
    if totals.scored_rows:
        message.loss = totals.loss / totals.scored_rows
        if is_classes:
            message.accuracy = totals.correct_rows / totals.scored_rows
        else:
            message.mean_absolute_error = totals.absolute_error / totals.scored_rows
    if progress.remaining_seconds is not None:
        message.remaining.CopyFrom(_duration(progress.remaining_seconds))
    if progress.statistics is not None:
        message.statistics.CopyFrom(statistics_message(progress.statistics))
    return message


def _timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def _duration(seconds: float) -> Duration:
    message = Duration()
    message.FromTimedelta(timedelta(seconds=min(seconds, 1e9)))
    return message
