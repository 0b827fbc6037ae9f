"""A kyouko in a process of its own, which a test may kill."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.kyouko.v1 import task_service_pb2

from tests.integration.kyouko.servers import RunningKyouko
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

ROOT = Path(__file__).parents[3]


@contextlib.asynccontextmanager
async def kyouko_process(
    misaki: RunningMisaki,
    shiori: RunningShiori,
    folder: Path,
    port: int,
    *,
    journal_url: str = "",
) -> AsyncIterator[tuple[asyncio.subprocess.Process, RunningKyouko]]:
    """Run a kyouko that can be killed; it is slow with tasks, to be killed in the middle."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}",
        "HANAMI_LISTEN": f"127.0.0.1:{port}",
        "HANAMI_DATA_DIRECTORY": str(folder),
        "HANAMI_MISAKI_ADDRESS": misaki.address,
        "HANAMI_SHIORI_ADDRESS": f"127.0.0.1:{shiori.running.port}",
        "HANAMI_SERVICE_SECRET_FILE": str(misaki.service_secret_file),
        "HANAMI_SNAPSHOT_ROWS": "20000",
        "HANAMI_TASK_FRAME_ROWS": "8",
        "HANAMI_JOURNAL_URL": journal_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kyouko", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await _serving(channel)
            kyouko = RunningKyouko(channel, shiori.running, folder, shiori.alice)
            yield process, kyouko
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def done_rows(kyouko: RunningKyouko, name: str, *, beyond: int) -> int:
    """Wait until a task has done so many rows; returns how many it has."""
    request = task_service_pb2.WatchTaskRequest(name=name)
    async for task in kyouko.tasks.WatchTask(request, metadata=kyouko.alice):
        if task.progress.done_rows >= beyond:
            return int(task.progress.done_rows)
    raise AssertionError


async def _serving(channel: grpc.aio.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(grpc.aio.AioRpcError):
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=1)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
        await asyncio.sleep(0.1)
    raise TimeoutError("kyouko does not serve")
