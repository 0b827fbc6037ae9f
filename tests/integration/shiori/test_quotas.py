"""Bytes of data sets have quotas, also through the real server and after its restart."""

import asyncio
import time
from pathlib import Path

import grpc
import pytest
from hanami.shiori.v1 import dataset_service_pb2 as pb
from hanami.shiori.v1 import usage_service_pb2, usage_service_pb2_grpc

from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import (
    PARENT,
    RunningShiori,
    name_of,
    reason_of,
    start_shiori,
)

CSV = "a,b\n" + "1,2\n" * 1000
PUSH_SECONDS = 30.0


async def usage(shiori: RunningShiori) -> tuple[int, int]:
    """Return the bytes that the project has and may have."""
    answer = await usage_service_pb2_grpc.UsageServiceStub(shiori.channel).GetProjectUsage(
        usage_service_pb2.GetProjectUsageRequest(project=PARENT), metadata=shiori.alice
    )
    (one,) = answer.usages
    assert "dataset_bytes" == one.quota
    return one.used, one.limit


async def until_limit(shiori: RunningShiori, limit: int) -> None:
    """Wait until shiori has heard of a limit."""
    deadline = time.monotonic() + PUSH_SECONDS
    while (await usage(shiori))[1] != limit:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_bytes_have_a_limit_that_a_deletion_makes_room_below(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """An upload beyond is refused by its announcement; what is deleted counts no more."""
    secret = misaki.service_secret_file
    async with start_shiori(
        misaki, tmp_path / "limited", shiori.alice, service_secret_file=secret
    ) as limited:
        first = await limited.upload_csv("first", CSV)
        limit = first.size_bytes + len(CSV) - 1
        await misaki.limit(PARENT, dataset_bytes=limit)
        await until_limit(limited, limit)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await limited.upload_csv("second", CSV)
        await limited.stub.DeleteDataset(
            pb.DeleteDatasetRequest(name=name_of("first")), metadata=limited.alice
        )
        second = await limited.upload_csv("second", CSV)
        used = await usage(limited)

    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
    info = reason_of(caught.value)
    assert ("QUOTA_EXCEEDED", PARENT, "dataset_bytes", str(limit)) == (
        info.reason,
        info.metadata["resource"],
        info.metadata["quota"],
        info.metadata["limit"],
    )
    assert (second.size_bytes, limit) == used


async def test_bytes_are_known_after_a_restart(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """What is stored is counted anew."""
    async with start_shiori(misaki, tmp_path / "again", shiori.alice) as running:
        dataset = await running.upload_csv("first", CSV)
    async with start_shiori(misaki, tmp_path / "again", shiori.alice) as running:
        used, _ = await usage(running)

    assert dataset.size_bytes == used
