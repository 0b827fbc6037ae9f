"""What survives the end of a kyouko, in good order or by kill -9, and the loss of neighbours."""

import contextlib
import signal
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.kyouko.v1 import task_service_pb2

from tests.integration.kyouko.processes import kyouko_process
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

SUCCEEDED = task_service_pb2.TASK_STATE_SUCCEEDED


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


async def test_a_task_that_cannot_go_on_after_a_kill_says_why(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path, free_port: int
) -> None:
    """Without shiori it has failed after its patience; what was durable stays."""
    await upload_two_kinds(shiori, count=20_000)
    async with kyouko_process(misaki, shiori, tmp_path, free_port) as (process, kyouko):
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
