"""What survives the end of a kyouko, in good order or by kill -9, and the loss of neighbours."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.kyouko.v1 import task_service_pb2

from tests.integration.kyouko.servers import (
    RunningKyouko,
    info_of,
    reason_in,
    rows_of_two_kinds,
    start_kyouko,
    upload_two_kinds,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori, start_shiori
from tests.soak.twins import differences, newest_snapshot

ROOT = Path(__file__).parents[3]
SUCCEEDED = task_service_pb2.TASK_STATE_SUCCEEDED
KILLS, EPOCHS = 3, 25


def address_of(shiori: RunningShiori) -> str:
    """Return where shiori listens."""
    return f"127.0.0.1:{shiori.running.port}"


async def test_networks_survive_a_restart(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """After a stop in good order every learned row is there, and the network says the same."""
    inputs, labels = rows_of_two_kinds(500)
    async with start_kyouko(misaki, address_of(shiori), tmp_path, shiori.alice) as kyouko:
        await kyouko.create_network()
        async with kyouko.stream(return_outputs=True) as stream:
            await stream.opened()
            await stream.send(1, inputs, labels)
            await stream.read()
            await stream.send(2, inputs[:50])
            before = await stream.read()

    async with start_kyouko(misaki, address_of(shiori), tmp_path, shiori.alice) as kyouko:
        network = await kyouko.network()
        health = await health_pb2_grpc.HealthStub(kyouko.channel).Check(
            health_pb2.HealthCheckRequest(service="dependencies.snapshots")
        )
        async with kyouko.stream(return_outputs=True) as stream:
            opened = await stream.opened()
            await stream.send(1, inputs[:50])
            after = await stream.read()

    assert health_pb2.HealthCheckResponse.SERVING == health.status
    assert (500, 500) == (network.kept_rows, network.statistics.learned_rows)
    assert ["high", "low"] == sorted(opened.network.labels)
    assert before.result.outputs == after.result.outputs
    assert 2 == len(list((tmp_path / "snapshots").rglob("*.safetensors")))


async def test_a_stop_ends_streams_with_shutting_down(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """The stream ends with UNAVAILABLE after its answers, and what it taught is kept."""
    async with contextlib.AsyncExitStack() as stack:
        async with start_kyouko(misaki, address_of(shiori), tmp_path, shiori.alice) as kyouko:
            await kyouko.create_network()
            # Its own channel: the one of the fixture closes before the server does.
            port = kyouko.running.port
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(f"127.0.0.1:{port}")
            )
            own = RunningKyouko(channel, kyouko.running, kyouko.folder, kyouko.alice)
            stream = await stack.enter_async_context(own.stream())
            await stream.opened()
            await stream.send(1, np.ones((1, 4), np.float32), ["a"])
            await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stream.read()

    assert grpc.StatusCode.UNAVAILABLE == error.value.code()
    assert "SHUTTING_DOWN" == info_of(error.value).reason


async def test_a_task_goes_on_where_a_stop_left_it(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """No row is learned twice or left out: rows learned equal rows done, over two processes."""
    await upload_two_kinds(shiori, count=20_000)
    async with start_kyouko(misaki, address_of(shiori), tmp_path, shiori.alice) as kyouko:
        await kyouko.create_network()
        task = await kyouko.create_task("kinds", epochs=40)
        waiting = await kyouko.create_task("kinds")
        await kyouko.progressing(task.name)
    async with start_kyouko(misaki, address_of(shiori), tmp_path, shiori.alice) as kyouko:
        first = await kyouko.task(task.name)
        task, waiting = [await kyouko.finish(item) for item in (task, waiting)]
        network = await kyouko.network()

    assert first.progress.done_rows > 0
    assert (SUCCEEDED, SUCCEEDED) == (task.state, waiting.state)
    assert 820_000 == task.progress.done_rows + waiting.progress.done_rows
    assert 820_000 == network.kept_rows == network.statistics.learned_rows


async def test_health_tells_of_a_lost_archive(kyouko: RunningKyouko) -> None:
    """The service serves, and says under a name of its own whether shiori is there."""
    health = health_pb2_grpc.HealthStub(kyouko.channel)

    whole, archive = [
        (await health.Check(health_pb2.HealthCheckRequest(service=name))).status
        for name in ("hanami.kyouko.v1.LearningService", "dependencies.shiori")
    ]

    assert [health_pb2.HealthCheckResponse.SERVING] * 2 == [whole, archive]


async def test_a_running_task_waits_for_a_lost_archive(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path, free_port: int
) -> None:
    """A shiori that goes away and comes back within patience costs no row and no task."""
    listen = f"127.0.0.1:{free_port}"
    folder = tmp_path / "second-shiori"
    async with start_kyouko(misaki, listen, tmp_path / "kyouko", shiori.alice) as kyouko:
        await kyouko.create_network()
        async with start_shiori(misaki, folder, shiori.alice, listen=listen) as archive:
            await upload_two_kinds(archive, count=20_000)
            task = await kyouko.create_task("kinds", epochs=30)
            await kyouko.progressing(task.name)
        lost = await kyouko.task(task.name)
        async with start_shiori(misaki, folder, shiori.alice, listen=listen):
            ended = await kyouko.finish(task)
        network = await kyouko.network()

    assert lost.progress.done_rows < 600_000
    assert SUCCEEDED == ended.state
    assert 600_000 == ended.progress.done_rows == network.statistics.learned_rows


async def test_a_task_fails_when_the_archive_stays_away(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path, free_port: int
) -> None:
    """After its patience the task is FAILED with DEPENDENCY_UNAVAILABLE; its rows stay."""
    listen = f"127.0.0.1:{free_port}"
    async with start_kyouko(
        misaki, listen, tmp_path / "kyouko", shiori.alice, dependency_patience_seconds=0.3
    ) as kyouko:
        await kyouko.create_network()
        async with start_shiori(
            misaki, tmp_path / "second-shiori", shiori.alice, listen=listen
        ) as archive:
            await upload_two_kinds(archive, count=20_000)
            task = await kyouko.create_task("kinds", epochs=5000)
            await kyouko.progressing(task.name)
        ended = await kyouko.finish(task)
        network = await kyouko.network()

    assert task_service_pb2.TASK_STATE_FAILED == ended.state
    assert "DEPENDENCY_UNAVAILABLE" == reason_in(ended.error).reason
    assert 0 < ended.progress.done_rows == network.kept_rows


@pytest.mark.timeout(240)
async def test_a_learning_task_goes_on_after_kills(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path, free_port: int
) -> None:
    """Killed at work again and again, it ends as if nothing had been, bit for bit."""
    await upload_two_kinds(shiori, count=20_000)
    reached = 0
    for number in range(KILLS):
        async with _process(misaki, shiori, tmp_path, free_port) as (process, kyouko):
            if number == 0:
                await kyouko.create_network("killed")
                task = await kyouko.create_task("kinds", network_id="killed", epochs=EPOCHS)
                behind = await kyouko.create_task("kinds", network_id="killed", learn=False)
            reached = await _done_rows(kyouko, task.name, beyond=reached + 5_000)
            process.send_signal(signal.SIGKILL)
            await process.wait()

    async with start_kyouko(misaki, address_of(shiori), tmp_path, shiori.alice) as kyouko:
        ended, behind = [await kyouko.finish(item) for item in (task, behind)]
        await kyouko.create_network("whole")
        whole = await kyouko.finish(
            await kyouko.create_task("kinds", network_id="whole", epochs=EPOCHS)
        )
        found = [await kyouko.network(name) for name in ("killed", "whole")]

    assert KILLS * 5_000 <= reached < EPOCHS * 20_000
    assert [SUCCEEDED] * 3 == [ended.state, behind.state, whole.state]
    assert [EPOCHS * 20_000] * 2 == [task.progress.done_rows for task in (ended, whole)]
    assert [EPOCHS * 20_000] * 2 == [network.statistics.learned_rows for network in found]
    assert whole.progress.accuracy == ended.progress.accuracy
    assert pytest.approx(whole.progress.loss, rel=1e-9) == ended.progress.loss
    killed, uninterrupted = [await newest_snapshot(tmp_path, network.etag) for network in found]
    assert [] == differences(uninterrupted, killed)


async def test_a_task_that_cannot_go_on_after_a_kill_says_why(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path, free_port: int
) -> None:
    """Without shiori it has failed after its patience; what was durable stays."""
    await upload_two_kinds(shiori, count=20_000)
    async with _process(misaki, shiori, tmp_path, free_port) as (process, kyouko):
        await kyouko.create_network()
        task = await kyouko.create_task("kinds", epochs=5000)
        await kyouko.progressing(task.name)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async with start_kyouko(
        misaki, "127.0.0.1:1", tmp_path, shiori.alice, dependency_patience_seconds=0.3
    ) as kyouko:
        failed = await kyouko.finish(task)
        network = await kyouko.network()

    assert task_service_pb2.TASK_STATE_FAILED == failed.state
    assert "DEPENDENCY_UNAVAILABLE" == reason_in(failed.error).reason
    assert "shiori" == reason_in(failed.error).metadata["dependency"]
    assert failed.progress.done_rows == network.statistics.learned_rows == network.kept_rows


async def test_a_second_process_keeps_off_the_folder(
    misaki: RunningMisaki, shiori: RunningShiori, kyouko: RunningKyouko
) -> None:
    """Two kyoukos on one data folder would undo each other's work: the second one refuses."""
    with pytest.raises(SystemExit, match="another kyouko"):
        async with start_kyouko(misaki, address_of(shiori), kyouko.folder, shiori.alice):
            raise AssertionError


@contextlib.asynccontextmanager
async def _process(
    misaki: RunningMisaki, shiori: RunningShiori, folder: Path, port: int
) -> AsyncIterator[tuple[asyncio.subprocess.Process, RunningKyouko]]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}",
        "HANAMI_LISTEN": f"127.0.0.1:{port}",
        "HANAMI_DATA_DIRECTORY": str(folder),
        "HANAMI_MISAKI_ADDRESS": misaki.address,
        "HANAMI_SHIORI_ADDRESS": address_of(shiori),
        "HANAMI_SERVICE_SECRET_FILE": str(misaki.service_secret_file),
        "HANAMI_SNAPSHOT_ROWS": "20000",
        # Slow on purpose, to be killed in the middle.
        "HANAMI_TASK_FRAME_ROWS": "8",
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


async def _done_rows(kyouko: RunningKyouko, name: str, *, beyond: int) -> int:
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
