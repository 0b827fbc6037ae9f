"""Tasks: learning and predicting over stored data sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from hanami.kyouko.v1 import task_service_pb2 as pb
from hanami.kyouko.v1 import task_service_pb2_grpc

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.errors import FailedPrecondition, HanamiError, Unauthenticated, error_from_status
from hanami_sdk.names import Namespace

TaskKind = Literal["LEARN", "PREDICT"]

_ENDED = (pb.TASK_STATE_SUCCEEDED, pb.TASK_STATE_FAILED, pb.TASK_STATE_CANCELLED)


def has_ended(task: pb.Task) -> bool:
    """Return whether a task will change no more."""
    return task.state in _ENDED


def raise_unless_succeeded(task: pb.Task) -> pb.Task:
    """Return a task that has done all its rows.

    Raises:
        HanamiError: the task's own error when it failed; FailedPrecondition
            when it was cancelled or has not ended (STATE_CONFLICT).
    """
    if task.state == pb.TASK_STATE_FAILED:
        raise error_from_status(task.error)
    if task.state != pb.TASK_STATE_SUCCEEDED:
        state = pb.TaskState.Name(task.state).removeprefix("TASK_STATE_")
        raise FailedPrecondition(
            f"The task {task.name} is {state.lower()}.",
            reason="STATE_CONFLICT",
            metadata={"resource": task.name, "state": state},
        )
    return task


class Tasks:
    """Queues tasks and follows them."""

    def __init__(self, connection: Connection, namespace: Namespace) -> None:
        self._connection = connection
        self._namespace = namespace
        self._stub = task_service_pb2_grpc.TaskServiceStub(connection.channel)

    async def create(
        self,
        network: str,
        kind: TaskKind,
        dataset: str,
        *,
        task_id: str = "",
        epochs: int = 0,
        input_columns: Sequence[str] = (),
        target_column: str = "",
        time_column: str = "",
        result_dataset_id: str = "",
    ) -> pb.Task:
        """Queue a task; it runs whether or not somebody watches.

        Args:
            network: the network that learns or predicts.
            kind: `LEARN` or `PREDICT`.
            dataset: the stored rows.
            task_id: last part of the task's name; made by the server when empty.
            epochs: how often to go through the data set; 0 means once.
            input_columns: what to feed, in order; columns of role INPUT when empty.
            target_column: what to learn or compare with; the one of role TARGET
                when empty.
            time_column: when each row was measured, for networks whose pipeline
                needs times; not fed.
            result_dataset_id: keeps predictions as a data set of this id.

        Raises:
            InvalidArgument: the rows do not fit the network (WIDTH_MISMATCH).
        """
        request = pb.CreateTaskRequest(
            parent=self._namespace.network(network),
            task_id=task_id,
            kind=pb.TaskKind.Value(f"TASK_KIND_{kind}"),
            dataset=self._namespace.dataset(dataset),
            epochs=epochs,
            input_columns=input_columns,
            target_column=target_column,
            time_column=time_column,
            result_dataset_id=result_dataset_id,
        )
        return await self._connection.unary(self._stub.CreateTask, request, pb.Task)

    async def get(self, name: str) -> pb.Task:
        """Return one task, by its full name."""
        request = pb.GetTaskRequest(name=name)
        return await self._connection.unary(self._stub.GetTask, request, pb.Task)

    def list(self, network: str = "-") -> AsyncIterator[pb.Task]:
        """Iterate over the tasks of a network, or of all networks of the project."""
        return walk_pages(
            self._connection,
            self._stub.ListTasks,
            pb.ListTasksRequest(parent=self._namespace.network(network), page_size=1000),
            pb.ListTasksResponse,
            lambda page: page.tasks,
        )

    async def cancel(self, name: str) -> pb.Task:
        """Stop a task; what it has learned stays learned."""
        request = pb.CancelTaskRequest(name=name)
        return await self._connection.unary(self._stub.CancelTask, request, pb.Task)

    async def watch(self, name: str) -> AsyncIterator[pb.Task]:
        """Yield the task at once, then at every change, until it has ended.

        A broken connection is taken up again, and so is a watch that ended with its
        token: each begins with the task as it is, so nothing is missed.
        """
        failures, opened = 0, False
        request = pb.WatchTaskRequest(name=name)
        while True:
            try:
                stream = self._connection.server_stream(self._stub.WatchTask, request, pb.Task)
                async for task in stream:
                    failures, opened = 0, True
                    yield task
                    if has_ended(task):
                        return
                # A service that stops ends its watches in good order.
                await asyncio.sleep(self._connection.options.retries.first_delay)
            except Unauthenticated:
                if not opened:
                    raise  # Not the end of a token that was good.
                opened = False
            except HanamiError as error:
                failures += 1
                delay = self._connection.options.retries.delay(failures, error)
                if delay is None:
                    raise
                await asyncio.sleep(delay)

    async def wait(self, name: str) -> pb.Task:
        """Wait until a task has ended and return it.

        Raises:
            HanamiError: it did not succeed.
        """
        async for task in self.watch(name):
            if has_ended(task):
                return raise_unless_succeeded(task)
        raise AssertionError("a watch ends with an ended task")
