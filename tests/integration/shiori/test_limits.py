"""What one user may have under way, and a disk that runs full."""

import asyncio
import resource
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from hanami.shiori.v1 import dataset_service_pb2 as pb
from hanami.shiori.v1 import dataset_service_pb2_grpc

from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import (
    RunningShiori,
    eventually,
    messages_of,
    name_of,
    opening,
    reason_of,
    start_shiori,
    unending,
)
from tests.integration.shiori.test_process import process, wait_until_serving

CSV = {"data": b"a,b\n1,2\n3,4\n"}


async def test_user_has_so_many_uploads_at_once(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """The upload after the last one allowed is refused; one that ends makes room."""
    async with start_shiori(
        misaki, tmp_path / "small", shiori.alice, max_uploads_per_user=1
    ) as small:
        running = small.stub.UploadDataset(unending(opening("slow", CSV)), metadata=small.alice)
        await eventually(small.staged)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await small.upload("second", CSV)
        running.cancel()
        await eventually(small.is_clean)
        await small.upload("third", CSV)

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == caught.value.code()
    assert "LIMIT_REACHED" == reason_of(caught.value).reason
    assert {"limit": "1"} == dict(reason_of(caught.value).metadata)


async def test_user_has_so_many_reads_at_once(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """A read that nobody goes on with counts until it is cancelled."""
    async with start_shiori(
        misaki, tmp_path / "small", shiori.alice, max_reads_per_user=1
    ) as small:
        await small.upload_csv("numbers", "a\n" + "12345\n" * 2_000_000)
        request = pb.ReadDatasetRequest(name=name_of("numbers"))
        running = small.stub.ReadDataset(request, metadata=small.alice)
        await running.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await small.read("numbers", row_limit=1)
        running.cancel()
        again = await eventually_read(small)

    assert "LIMIT_REACHED" == reason_of(caught.value).reason
    assert 1 == again


async def eventually_read(shiori: RunningShiori) -> int:
    """Read a row as soon as it is allowed again; returns the number of rows."""
    while True:
        try:
            return sum(answer.row_count for answer in await shiori.read("numbers", row_limit=1))
        except grpc.aio.AioRpcError as error:
            if reason_of(error).reason != "LIMIT_REACHED":
                raise
            await asyncio.sleep(0.01)


async def test_full_disk_is_told_as_a_limit(
    misaki: RunningMisaki, tmp_path: Path, free_port: int
) -> None:
    """A file that cannot grow ends its upload in LIMIT_REACHED; smaller ones go on."""
    await misaki.create_project("flowers")
    alice = await misaki.create_user("alice", flowers="MEMBER")
    large = {"data": b"a,b\n" + b"1,2\n" * 2**20}
    async with AsyncExitStack() as stack:
        child = await stack.enter_async_context(process(misaki, tmp_path, free_port))
        channel = await stack.enter_async_context(
            grpc.aio.insecure_channel(f"127.0.0.1:{free_port}")
        )
        await wait_until_serving(channel)
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (2**21, 2**21))
        stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.UploadDataset(messages_of("large", large), metadata=alice)
        await stub.UploadDataset(messages_of("small", CSV), metadata=alice)

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == caught.value.code()
    assert "LIMIT_REACHED" == reason_of(caught.value).reason
    assert [] == list((tmp_path / "uploads").iterdir())
