"""A service that does not exist, on the real chassis: its calls do what a test says.

It borrows contracts of ours, one for each kind of call: UserService for unary
calls, TaskService for a stream of answers, DatasetService for a stream of requests,
LearningService for two-way streams.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from hanami.kyouko.v1 import (
    learning_service_pb2,
    learning_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
)
from hanami.misaki.v1 import user_service_pb2, user_service_pb2_grpc
from hanami.shiori.v1 import dataset_service_pb2, dataset_service_pb2_grpc

from mesh.access_state import AccessState
from mesh.audit import AuditTrail
from mesh.health import Dependency
from mesh.idempotency import IdempotencyStore
from mesh.server import Application, RunningServer, Servicer, serving
from mesh.settings import MeshSettings
from tests.signing import Signer

USER = user_service_pb2.User(name="users/alice")
TASK_NAME = "projects/garden/networks/rose/tasks/grow"
Context = Any


async def _answer(request: Any) -> Any:
    return USER


async def _no_tasks(request: Any) -> AsyncIterator[Any]:
    for _ in ():
        yield


async def _empty_dataset(requests: Any) -> Any:
    async for _ in requests:
        pass
    return dataset_service_pb2.Dataset()


async def _no_results(requests: Any) -> AsyncIterator[Any]:
    async for _ in requests:
        yield learning_service_pb2.LearnResponse()


@dataclass
class Garden:
    """What the calls do; a test replaces it."""

    unary: Callable[[Any], Awaitable[Any]] = _answer
    stream: Callable[[Any], AsyncIterator[Any]] = _no_tasks
    upload: Callable[[Any], Awaitable[Any]] = _empty_dataset
    two_way: Callable[[Any], AsyncIterator[Any]] = _no_results
    calls: list[str] = field(default_factory=list)
    drained: asyncio.Event = field(default_factory=asyncio.Event)


class _Users(user_service_pb2_grpc.UserServiceServicer):
    def __init__(self, garden: Garden) -> None:
        self._garden = garden

    async def GetUser(self, request: Any, context: Context) -> Any:
        self._garden.calls.append("GetUser")
        return await self._garden.unary(request)

    async def CreateUser(self, request: Any, context: Context) -> Any:
        self._garden.calls.append("CreateUser")
        return await self._garden.unary(request)


class _Tasks(task_service_pb2_grpc.TaskServiceServicer):
    def __init__(self, garden: Garden) -> None:
        self._garden = garden

    async def WatchTask(self, request: Any, context: Context) -> AsyncIterator[Any]:
        async for task in self._garden.stream(request):
            yield task


class _Datasets(dataset_service_pb2_grpc.DatasetServiceServicer):
    def __init__(self, garden: Garden) -> None:
        self._garden = garden

    async def UploadDataset(self, request_iterator: Any, context: Context) -> Any:
        return await self._garden.upload(request_iterator)


class _Learning(learning_service_pb2_grpc.LearningServiceServicer):
    def __init__(self, garden: Garden) -> None:
        self._garden = garden

    async def Learn(self, request_iterator: Any, context: Context) -> AsyncIterator[Any]:
        async for response in self._garden.two_way(request_iterator):
            yield response


@dataclass(frozen=True)
class RunningGarden:
    """The service, and how to speak to it."""

    garden: Garden
    running: RunningServer
    channel: grpc.aio.Channel
    signer: Signer
    access: AccessState

    def alice(self) -> tuple[tuple[str, str], ...]:
        """Return call metadata of a member of the garden."""
        return self.signer.bearer(roles={"garden": "MEMBER"})

    def admin(self) -> tuple[tuple[str, str], ...]:
        """Return call metadata of an admin."""
        return self.signer.bearer("users/root", adm=True)

    def get_user(self, name: str = "users/alice", **options: Any) -> Any:
        """Call GetUser, as Alice unless other metadata is given."""
        stub = user_service_pb2_grpc.UserServiceStub(self.channel)
        options.setdefault("metadata", self.alice())
        return stub.GetUser(user_service_pb2.GetUserRequest(name=name), **options)

    def create_user(
        self, *, metadata: Any = None, timeout: float | None = None, **fields: Any
    ) -> Any:
        """Call CreateUser, as an admin unless other metadata is given."""
        stub = user_service_pb2_grpc.UserServiceStub(self.channel)
        values = {"user_id": "alice", "password": "long enough"} | fields
        request = user_service_pb2.CreateUserRequest(**values)
        metadata = self.admin() if metadata is None else metadata
        return stub.CreateUser(request, metadata=metadata, timeout=timeout)

    def watch_task(self, name: str = TASK_NAME, **options: Any) -> Any:
        """Call WatchTask, as Alice unless other metadata is given."""
        stub = task_service_pb2_grpc.TaskServiceStub(self.channel)
        options.setdefault("metadata", self.alice())
        return stub.WatchTask(task_service_pb2.WatchTaskRequest(name=name), **options)

    def upload(self, **options: Any) -> Any:
        """Call UploadDataset, as Alice unless other metadata is given."""
        stub = dataset_service_pb2_grpc.DatasetServiceStub(self.channel)
        options.setdefault("metadata", self.alice())
        return stub.UploadDataset(**options)

    def learn(self, **options: Any) -> Any:
        """Call Learn, as Alice unless other metadata is given."""
        stub = learning_service_pb2_grpc.LearningServiceStub(self.channel)
        options.setdefault("metadata", self.alice())
        return stub.Learn(**options)


@asynccontextmanager
async def planted(
    garden: Garden | None = None,
    *,
    dependencies: Sequence[Dependency] = (),
    idempotency: IdempotencyStore | None = None,
    access: AccessState | None = None,
    audit: AuditTrail | None = None,
    watch_health: Callable[[Any], Coroutine[Any, Any, None]] | None = None,
    **settings: Any,
) -> AsyncIterator[RunningGarden]:
    """Serve a garden on a free port; keyword arguments are settings that differ."""
    garden = garden or Garden()
    signer = Signer()
    access = access or AccessState()

    async def drain() -> None:
        garden.drained.set()

    application = Application(
        servicers=[
            Servicer(
                "hanami.misaki.v1.UserService",
                user_service_pb2_grpc.add_UserServiceServicer_to_server,
                _Users(garden),  # type: ignore[abstract]  # the rest is UNIMPLEMENTED
            ),
            Servicer(
                "hanami.kyouko.v1.TaskService",
                task_service_pb2_grpc.add_TaskServiceServicer_to_server,
                _Tasks(garden),  # type: ignore[abstract]  # the rest is UNIMPLEMENTED
            ),
            Servicer(
                "hanami.shiori.v1.DatasetService",
                dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server,
                _Datasets(garden),  # type: ignore[abstract]  # the rest is UNIMPLEMENTED
            ),
            Servicer(
                "hanami.kyouko.v1.LearningService",
                learning_service_pb2_grpc.add_LearningServiceServicer_to_server,
                _Learning(garden),
            ),
        ],
        verifier=signer.verifier(access),
        dependencies=dependencies,
        idempotency=idempotency,
        drain=drain,
        audit=audit,
        watch_health=watch_health,
    )
    values: dict[str, Any] = {
        "service_name": "garden",
        "listen": "127.0.0.1:0",
        "drain_seconds": 5.0,
    } | settings
    # The channel is open until the server has stopped, as those of real clients are.
    async with AsyncExitStack() as after, serving(MeshSettings(**values), application) as running:
        options = [("grpc.max_send_message_length", 64 * 2**20)]
        address = f"127.0.0.1:{running.port}"
        channel = await after.enter_async_context(
            grpc.aio.insecure_channel(address, options=options)
        )
        yield RunningGarden(garden, running, channel, signer, access)
