"""TaskService."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from hanami.kyouko.v1 import task_service_pb2 as pb
from hanami.kyouko.v1 import task_service_pb2_grpc

from kyouko.convert.networks import network_ids
from kyouko.convert.tasks import new_task_of, task_ids, task_message
from kyouko.domain.tasks.tasks import Tasks
from mesh.calls import current_caller, current_token
from mesh.pages import page_of, page_request

_ANY = "-"


class TaskServicer(task_service_pb2_grpc.TaskServiceServicer):
    """Serves tasks."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def CreateTask(self, request: pb.CreateTaskRequest, context: Any) -> pb.Task:
        """Queue a task."""
        task = await self._tasks.create(
            current_caller(), new_task_of(request), token=current_token()
        )
        return task_message(task)

    async def GetTask(self, request: pb.GetTaskRequest, context: Any) -> pb.Task:
        """Return one task."""
        return task_message(await self._tasks.get(current_caller(), *task_ids(request.name)))

    async def ListTasks(self, request: pb.ListTasksRequest, context: Any) -> pb.ListTasksResponse:
        """List the tasks of a network, or of all."""
        project_id, network_id = network_ids(request.parent, field="parent")
        listing = f"tasks of {request.parent}"
        asked = page_request(request.page_size, request.page_token, listing=listing)
        found = await self._tasks.list(
            current_caller(),
            project_id,
            None if network_id == _ANY else network_id,
            after=asked.after,
            limit=asked.limit + 1,
        )
        page = page_of(asked, found, key=lambda task: str(task.number))
        return pb.ListTasksResponse(
            tasks=[task_message(task) for task in page.items],
            next_page_token=page.next_page_token,
        )

    async def CancelTask(self, request: pb.CancelTaskRequest, context: Any) -> pb.Task:
        """Stop a task."""
        return task_message(await self._tasks.cancel(current_caller(), *task_ids(request.name)))

    async def WatchTask(self, request: pb.WatchTaskRequest, context: Any) -> AsyncIterator[pb.Task]:
        """Stream a task as it goes on."""
        states = self._tasks.watch(current_caller(), *task_ids(request.name))
        async with aclosing(states) as watched:
            async for task in watched:
                yield task_message(task)
