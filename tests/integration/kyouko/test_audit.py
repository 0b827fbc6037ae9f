"""What of streams and tasks is in the audit log, and who may read it there."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.rpc import code_pb2
from hanami.shiori.v1 import audit_service_pb2 as pb
from hanami.shiori.v1 import audit_service_pb2_grpc

from tests.integration.audit.houses import entries_until
from tests.integration.kyouko.servers import (
    NETWORK,
    PARENT,
    RunningKyouko,
    rows_of_two_kinds,
    upload_two_kinds,
)
from tests.integration.meshes import Metadata, RunningMisaki, start_misaki
from tests.integration.shiori.servers import RunningShiori, name_of, start_shiori

CLOSED = pb.AUDIT_KIND_STREAM_CLOSED


@pytest.fixture
async def misaki(tmp_path: Path, free_port: int) -> AsyncIterator[RunningMisaki]:
    """Run a real misaki that knows where shiori is going to be."""
    address = f"127.0.0.1:{free_port}"
    async with start_misaki(tmp_path / "misaki", shiori_address=address) as running:
        yield running


@pytest.fixture
async def shiori(
    misaki: RunningMisaki, tmp_path: Path, free_port: int
) -> AsyncIterator[RunningShiori]:
    """Run a real shiori there; `alice` is a member of the project `flowers`."""
    await misaki.create_project("flowers")
    alice = await misaki.create_user("alice", flowers="MEMBER")
    listen = f"127.0.0.1:{free_port}"
    async with start_shiori(misaki, tmp_path / "shiori", alice, listen=listen) as running:
        yield running


def both(method: str) -> "list[tuple[str, pb.AuditKind.ValueType]]":
    """Return the end and the beginning of a stream."""
    return [(method, CLOSED), (method, pb.AUDIT_KIND_STREAM_OPENED)]


async def refusal(
    shiori: RunningShiori, who: Metadata, *, user: str = "", project: str = ""
) -> grpc.StatusCode:
    """Return how somebody is refused who wants to read entries."""
    stub = audit_service_pb2_grpc.AuditServiceStub(shiori.channel)
    request = pb.ListAuditEntriesRequest(filter=pb.AuditFilter(user=user, project=project))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListAuditEntries(request, metadata=who)
    return caught.value.code()


async def test_learning_stream_is_told_with_its_rows(
    kyouko: RunningKyouko, shiori: RunningShiori, misaki: RunningMisaki
) -> None:
    """Who learned what, how many rows, and how it ended; those who were refused, too."""
    await kyouko.create_network()
    inputs, labels = rows_of_two_kinds(60)
    async with kyouko.stream() as stream:
        await stream.opened()
        for sequence in (1, 2, 3):
            part = slice(20 * (sequence - 1), 20 * sequence)
            await stream.send(sequence, inputs[part], labels[part])
            await stream.read()
        await stream.close()
        assert grpc.StatusCode.OK is await stream.call.code()
    mallory = await misaki.create_user("mallory")
    async with kyouko.stream(metadata=mallory) as refused:
        with pytest.raises(grpc.aio.AioRpcError):
            await refused.read()

    entries = await entries_until(
        shiori.channel, await misaki.admin(), lambda found: len(found) >= 3, method="Learn"
    )

    strange, closed, opened = entries
    assert ("users/alice", NETWORK, PARENT) == (closed.principal, closed.resource, closed.project)
    assert (CLOSED, code_pb2.OK, 60) == (closed.kind, closed.code, closed.row_count)
    assert (pb.AUDIT_KIND_STREAM_OPENED, closed.stream_id) == (opened.kind, opened.stream_id)
    assert ("users/mallory", CLOSED, "") == (strange.principal, strange.kind, strange.stream_id)
    assert strange.code in (code_pb2.NOT_FOUND, code_pb2.PERMISSION_DENIED)


async def test_data_sets_are_told_of_from_upload_to_removal(
    kyouko: RunningKyouko, shiori: RunningShiori, misaki: RunningMisaki
) -> None:
    """Uploads and reads are streams with rows, also those of a task in kyouko's name."""
    await upload_two_kinds(shiori, count=50)
    await kyouko.create_network()
    await kyouko.finish(await kyouko.create_task("kinds"))
    sum_of_rows = sum(part.row_count for part in await shiori.read("kinds"))

    entries = await entries_until(
        shiori.channel,
        await misaki.admin(),
        lambda found: sum(e.method.endswith("ReadDataset") for e in found) >= 4,
    )

    about = [e for e in entries if e.resource == name_of("kinds")]
    kinds = [(e.method.rpartition("/")[2], e.kind) for e in about]
    assert both("ReadDataset") * 2 + both("UploadDataset") == kinds
    assert {50, 0} == {e.row_count for e in about}
    assert 50 == sum_of_rows
    readers = {e.principal for e in about if e.method.endswith("ReadDataset")}
    assert {"services/kyouko", "users/alice"} == readers
    assert any(e.method.endswith("CreateTask") and e.project == PARENT for e in entries)


async def test_readers_get_what_is_theirs(
    kyouko: RunningKyouko, shiori: RunningShiori, misaki: RunningMisaki
) -> None:
    """Everybody their own, project admins their project's, admins all; the rest is refused."""
    gina = await misaki.create_user("gina", flowers="PROJECT_ADMIN")
    mallory = await misaki.create_user("mallory")
    await kyouko.create_network()
    admin = await misaki.admin()
    await entries_until(shiori.channel, admin, bool, method="CreateNetwork")

    own = await entries_until(shiori.channel, shiori.alice, bool)
    managed = await _of_project(shiori, gina)

    assert {"users/alice"} == {e.principal or e.claimed_principal for e in own}
    assert {"Login", "CreateNetwork"} == {e.method.rpartition("/")[2] for e in own}
    assert "users/alice" in {e.principal for e in managed}
    assert {PARENT} == {e.project for e in managed}
    denied, unknown = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND
    assert denied is await refusal(shiori, gina, user="users/alice")
    assert denied is await refusal(shiori, shiori.alice, project=PARENT, user="users/gina")
    assert unknown is await refusal(shiori, mallory, project=PARENT)
    assert unknown is await refusal(shiori, mallory, project="projects/there-is-none")


async def test_only_services_write(shiori: RunningShiori, misaki: RunningMisaki) -> None:
    """Nobody else can put an entry into the log, not even an admin."""
    stub = audit_service_pb2_grpc.AuditServiceStub(shiori.channel)
    entry = pb.AuditEntry(entry_id="0" * 32, kind=pb.AUDIT_KIND_CALL, service="misaki")
    entry.time.GetCurrentTime()
    request = pb.RecordAuditEntriesRequest(entries=[entry])

    for who in (shiori.alice, await misaki.admin()):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.RecordAuditEntries(request, metadata=who)
        assert grpc.StatusCode.PERMISSION_DENIED is caught.value.code()
    await stub.RecordAuditEntries(request, metadata=await misaki.service("azuki"))

    def has_it(found: list[pb.AuditEntry]) -> bool:
        return any(e.entry_id == entry.entry_id for e in found)

    entries = await entries_until(shiori.channel, await misaki.admin(), has_it)
    (stored,) = (e for e in entries if e.entry_id == entry.entry_id)
    assert "azuki" == stored.service


async def test_watch_shows_what_arrives(
    kyouko: RunningKyouko, shiori: RunningShiori, misaki: RunningMisaki
) -> None:
    """A watch gets the entries that fit, as soon as they are stored."""
    stub = audit_service_pb2_grpc.AuditServiceStub(shiori.channel)
    wanted = pb.AuditFilter(method="CreateNetwork", outcome=pb.AUDIT_OUTCOME_SUCCEEDED)
    request = pb.WatchAuditEntriesRequest(filter=wanted, after_sequence=0)
    call = stub.WatchAuditEntries(request, metadata=await misaki.admin())
    watching = asyncio.create_task(_first(call))

    await kyouko.create_network()

    entry = await watching
    call.cancel()
    assert ("users/alice", NETWORK, True) == (entry.principal, entry.resource, entry.sequence > 0)


async def _first(entries: AsyncIterable[pb.AuditEntry]) -> pb.AuditEntry:
    return await anext(aiter(entries))


async def _of_project(shiori: RunningShiori, who: Metadata) -> list[pb.AuditEntry]:
    stub = audit_service_pb2_grpc.AuditServiceStub(shiori.channel)
    request = pb.ListAuditEntriesRequest(filter=pb.AuditFilter(project=PARENT))
    return list((await stub.ListAuditEntries(request, metadata=who)).entries)
