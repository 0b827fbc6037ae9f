"""What the chassis writes of each kind of call, on a real server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2
from hanami.kyouko.v1 import learning_service_pb2, task_service_pb2
from hanami.shiori.v1 import audit_service_pb2 as pb
from hanami.shiori.v1 import dataset_service_pb2, dataset_service_pb2_grpc
from hanami.shiori.v1.error_service_pb2 import ErrorRecord

from mesh.audit import running_trail
from mesh.calls import current_note
from mesh.errors import AlreadyExists
from mesh.settings import MeshSettings
from tests.integration.mesh.garden import USER, Garden, RunningGarden, planted

NETWORK = "projects/garden/networks/rose"


class Home:
    """Keeps entries in a list, in the order in which they come."""

    def __init__(self) -> None:
        self.entries: list[pb.AuditEntry] = []
        self._arrived = asyncio.Event()

    async def take_entries(self, entries: Sequence[pb.AuditEntry]) -> None:
        """Keep entries."""
        self.entries += entries
        self._arrived.set()

    async def take_errors(self, errors: Sequence[ErrorRecord]) -> None:
        """Keep no errors."""

    async def first(self, count: int) -> list[pb.AuditEntry]:
        """Wait for so many entries; returns all there are."""
        while len(self.entries) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.entries


@asynccontextmanager
async def audited(
    folder: Path, garden: Garden | None = None, **settings: Any
) -> AsyncIterator[tuple[RunningGarden, Home]]:
    """Serve a garden whose calls are audited."""
    home = Home()
    own = MeshSettings(service_name="garden", listen="127.0.0.1:0", data_directory=folder)
    async with (
        running_trail(own, home) as trail,
        planted(garden, audit=trail, **settings) as running,
    ):
        yield running, home


async def failed(call: Any) -> grpc.aio.AioRpcError:
    """Wait for a call that fails; returns its error."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_change_is_written_with_who_what_and_where(tmp_path: Path) -> None:
    """A call that changes something has one entry, that holds no part of its request."""
    async with audited(tmp_path) as (garden, home):
        await garden.create_user(password="open sesame, please", display_name="Ali Baba")
        (entry,) = await home.first(1)

    assert (pb.AUDIT_KIND_CALL, code_pb2.OK) == (entry.kind, entry.code)
    assert ("users/root", "") == (entry.principal, entry.claimed_principal)
    assert "hanami.misaki.v1.UserService/CreateUser" == entry.method
    assert ("garden", USER.name, "127.0.0.1") == (entry.service, entry.resource, entry.address)
    assert ("test-token", True) == (entry.token_id, entry.duration.nanos > 0)
    assert "sesame" not in str(entry)
    assert "Baba" not in str(entry)


async def test_failure_is_written_with_its_reason(tmp_path: Path) -> None:
    """A refused change has an entry too."""

    async def refuse(request: Any) -> Any:
        raise AlreadyExists("users/alice")

    async with audited(tmp_path, Garden(unary=refuse)) as (garden, home):
        await failed(garden.create_user())
        (entry,) = await home.first(1)

    assert (code_pb2.ALREADY_EXISTS, "RESOURCE_EXISTS") == (entry.code, entry.reason)


async def test_mistake_of_ours_is_written_with_the_incident(tmp_path: Path) -> None:
    """The entry has the incident id that the caller got."""

    async def wither(request: Any) -> Any:
        raise KeyError("rose")

    async with audited(tmp_path, Garden(unary=wither)) as (garden, home):
        error = await failed(garden.create_user())
        (entry,) = await home.first(1)

    assert (code_pb2.INTERNAL, "INTERNAL") == (entry.code, entry.reason)
    assert len(entry.incident) == 32
    assert entry.incident in str(error.details())


async def test_reads_are_written_when_they_are_refused_only(tmp_path: Path) -> None:
    """Nobody is told who looks at what, but who tries what they may not."""
    async with audited(tmp_path) as (garden, home):
        await garden.get_user()
        nobody = garden.signer.bearer("users/mallory")
        await failed(garden.watch_task(metadata=nobody).read())
        (entry,) = await home.first(1)

    assert "hanami.kyouko.v1.TaskService/WatchTask" == entry.method
    assert (code_pb2.PERMISSION_DENIED, "ROLE_INSUFFICIENT") == (entry.code, entry.reason)
    assert "users/mallory" == entry.principal
    assert "projects/garden" == entry.project


async def test_refused_change_is_written_with_who_tried(tmp_path: Path) -> None:
    """A change by somebody without the role names them; without a token, nobody."""
    async with audited(tmp_path) as (garden, home):
        await failed(garden.create_user(metadata=garden.alice()))
        await failed(garden.create_user(metadata=()))
        denied, unknown = await home.first(2)

    assert ("users/alice", code_pb2.PERMISSION_DENIED) == (denied.principal, denied.code)
    assert ("", "", code_pb2.UNAUTHENTICATED) == (
        unknown.principal,
        unknown.claimed_principal,
        unknown.code,
    )


async def test_caller_who_leaves_is_told_of_by_what_became_of_the_call(tmp_path: Path) -> None:
    """What goes on after its caller has left is written when it ends, as it ends."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        begun.set()
        await go_on.wait()
        return USER

    async with audited(tmp_path, Garden(unary=slow)) as (garden, home):
        call = garden.create_user()
        await begun.wait()
        call.cancel()
        await asyncio.sleep(0.1)
        before = list(home.entries)
        go_on.set()
        (entry,) = await home.first(1)

    assert [] == before
    assert (code_pb2.OK, True, USER.name) == (entry.code, entry.caller_left, entry.resource)


async def test_stream_is_written_when_it_opens_and_when_it_closes(tmp_path: Path) -> None:
    """Both entries have the same id; the second says how many rows there were."""

    async def two_way(requests: Any) -> AsyncIterator[Any]:
        note = current_note()
        async for _ in requests:
            note.opened(NETWORK)
            note.row_count += 7
            yield learning_service_pb2.LearnResponse()

    async with audited(tmp_path, Garden(two_way=two_way)) as (garden, home):
        call = garden.learn()
        await call.write(learning_service_pb2.LearnRequest())
        await call.read()
        (opened,) = list(await home.first(1))
        await call.write(learning_service_pb2.LearnRequest())
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass
        _, closed = await home.first(2)

    assert (pb.AUDIT_KIND_STREAM_OPENED, pb.AUDIT_KIND_STREAM_CLOSED) == (opened.kind, closed.kind)
    assert len(opened.stream_id) == 32
    assert opened.stream_id == closed.stream_id
    assert [(NETWORK, "projects/garden")] * 2 == [(e.resource, e.project) for e in (opened, closed)]
    assert (0, 14, code_pb2.OK) == (opened.row_count, closed.row_count, closed.code)


async def test_stream_that_is_left_is_cancelled(tmp_path: Path) -> None:
    """A client that goes away closes its stream, with the rows so far."""

    async def two_way(requests: Any) -> AsyncIterator[Any]:
        current_note().opened(NETWORK)
        current_note().row_count = 3
        yield learning_service_pb2.LearnResponse()
        await asyncio.Event().wait()

    async with audited(tmp_path, Garden(two_way=two_way)) as (garden, home):
        call = garden.learn()
        await call.write(learning_service_pb2.LearnRequest())
        await call.read()
        call.cancel()
        _, closed = await home.first(2)

    assert (code_pb2.CANCELLED, 3) == (closed.code, closed.row_count)


async def test_upload_is_a_stream_with_an_answer(tmp_path: Path) -> None:
    """A stream of requests is about what its answer names."""

    async def upload(requests: Any) -> Any:
        async for _ in requests:
            pass
        return dataset_service_pb2.Dataset(name="projects/garden/datasets/iris")

    async with audited(tmp_path, Garden(upload=upload)) as (garden, home):
        stub = dataset_service_pb2_grpc.DatasetServiceStub(garden.channel)
        await stub.UploadDataset(iter(()), metadata=garden.alice())
        (entry,) = await home.first(1)

    assert (pb.AUDIT_KIND_STREAM_CLOSED, "projects/garden/datasets/iris") == (
        entry.kind,
        entry.resource,
    )


async def test_gateway_says_where_the_caller_is(tmp_path: Path) -> None:
    """The forwarded address counts when the connection comes from a trusted proxy."""
    forwarded = ("x-forwarded-for", "10.6.6.6, 192.0.2.7")
    async with audited(tmp_path / "near") as (garden, home):
        await garden.create_user(metadata=(*garden.admin(), forwarded))
        (near,) = await home.first(1)
    async with audited(tmp_path / "far", trusted_proxies=("192.0.2.0/24",)) as (garden, home):
        await garden.create_user(metadata=(*garden.admin(), forwarded))
        (far,) = await home.first(1)

    assert ("192.0.2.7", "127.0.0.1") == (near.address, near.via)
    assert ("127.0.0.1", "") == (far.address, far.via)


async def test_watching_is_written_by_nobody(tmp_path: Path) -> None:
    """A stream that only looks leaves no entry."""

    async def tasks(request: Any) -> AsyncIterator[Any]:
        yield task_service_pb2.Task()

    async with audited(tmp_path, Garden(stream=tasks)) as (garden, home):
        async for _ in garden.watch_task():
            pass
        await garden.create_user()
        entries = await home.first(1)

    assert ["hanami.misaki.v1.UserService/CreateUser"] == [entry.method for entry in entries]
