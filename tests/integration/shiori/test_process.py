"""The process of shiori: killed in the middle of an upload, and started again."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.shiori.v1 import dataset_service_pb2_grpc

from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import (
    RunningShiori,
    chunk,
    eventually,
    messages_of,
    name_of,
    opening,
    start_shiori,
    unending,
)

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def process(
    misaki: RunningMisaki, folder: Path, port: int, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m shiori` with its files in a folder; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")]),
        "HANAMI_LISTEN": f"127.0.0.1:{port}",
        "HANAMI_DATA_DIRECTORY": str(folder),
        "HANAMI_MISAKI_ADDRESS": misaki.address,
        "HANAMI_LOG_LEVEL": "WARNING",
        **more,
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shiori", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def end_of(child: asyncio.subprocess.Process) -> str:
    """Wait for the end of a process; returns what it said on stderr."""
    _, said = await child.communicate()
    return said.decode()


async def wait_until_serving(channel: grpc.aio.Channel) -> None:
    """Wait for the health service to say SERVING."""
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=30)
    assert health_pb2.HealthCheckResponse.SERVING == answer.status


async def test_killed_upload_leaves_nothing_after_the_restart(
    misaki: RunningMisaki, tmp_path: Path, free_port: int
) -> None:
    """After kill -9 in the middle of an upload the next start sweeps, and keeps what was whole."""
    await misaki.create_project("flowers")
    alice = await misaki.create_user("alice", flowers="MEMBER")
    folder = tmp_path / "shiori"
    content = b"a,b\n" + b"1,2\n" * 500_000
    async with (
        process(misaki, folder, free_port) as child,
        grpc.aio.insecure_channel(f"127.0.0.1:{free_port}") as channel,
    ):
        await wait_until_serving(channel)
        stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        await stub.UploadDataset(messages_of("whole", {"data": b"a\n1\n"}), metadata=alice)
        call = stub.UploadDataset(
            unending(opening("half", {"data": content}), chunk("data", content[: 2**20])),
            metadata=alice,
        )
        await eventually(lambda: list((folder / "uploads").rglob("data")))
        child.send_signal(signal.SIGKILL)
        await child.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    # What a kill between storing a table and its entry would leave, too.
    tables = folder / "blobs" / "tables"
    (tables / f"{'e' * 64}.parquet").write_bytes(b"orphan")
    (tables / f"{'f' * 64}.parquet#1").write_bytes(b"half")

    async with start_shiori(misaki, folder, alice) as again:
        names, files, stored = await again.names(), again.staged(), again.tables()
        rows = sum(answer.row_count for answer in await again.read("whole"))

    assert ([name_of("whole")], [], 1) == (names, files, len(stored))
    assert 1 == rows


async def test_second_process_in_one_folder_is_refused(
    misaki: RunningMisaki, shiori: RunningShiori, free_port: int
) -> None:
    """A data folder has one shiori; another ends at once with an error."""
    async with process(misaki, shiori.folder, free_port) as child:
        said = await end_of(child)

    assert (1, True) == (child.returncode, "another shiori is at work" in said)
    assert [] == await shiori.names()


async def test_occupied_port_is_refused(misaki: RunningMisaki, tmp_path: Path) -> None:
    """A process that cannot listen ends at once with an error."""
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        async with process(misaki, tmp_path / "data", occupied.getsockname()[1]) as child:
            said = await end_of(child)

    assert (1, True) == (child.returncode, "cannot listen on" in said)
