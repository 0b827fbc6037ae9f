"""Tasks whose kyouko is killed with SIGKILL: each ends as if nothing had been."""

import signal
from pathlib import Path
from typing import Any

import pytest
from hanami.kyouko.v1 import task_service_pb2

from shiori.domain.uploads import Uploads
from tests.integration.kyouko.processes import done_rows, kyouko_process
from tests.integration.kyouko.servers import (
    reason_in,
    start_kyouko,
    upload_two_kinds,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori
from tests.nats import NatsServer
from tests.soak.twins import differences, newest_snapshot

SUCCEEDED = task_service_pb2.TASK_STATE_SUCCEEDED
KILLS, EPOCHS = 3, 12
ROWS = 400


@pytest.fixture(params=["files", "jetstream"])
def journal_url(request: pytest.FixtureRequest) -> str:
    """Return where kyouko keeps its journals; the empty address means its own folder."""
    if request.param == "files":
        return ""
    server: NatsServer = request.getfixturevalue("nats_server")
    return server.url


@pytest.mark.timeout(240)
async def test_a_learning_task_goes_on_after_kills(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path, free_port: int, journal_url: str
) -> None:
    """Killed at work again and again, it ends as if nothing had been, bit for bit."""
    await upload_two_kinds(shiori, count=20_000)
    reached = 0
    for number in range(KILLS):
        async with kyouko_process(misaki, shiori, tmp_path, free_port, journal_url=journal_url) as (
            process,
            kyouko,
        ):
            if number == 0:
                await kyouko.create_network("killed")
                task = await kyouko.create_task("kinds", network_id="killed", epochs=EPOCHS)
                behind = await kyouko.create_task("kinds", network_id="killed", learn=False)
            reached = await done_rows(kyouko, task.name, beyond=reached + 5_000)
            process.send_signal(signal.SIGKILL)
            await process.wait()

    address = f"127.0.0.1:{shiori.running.port}"
    async with start_kyouko(
        misaki, address, tmp_path, shiori.alice, journal_url=journal_url
    ) as kyouko:
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


async def test_predictions_are_kept_once_however_late_the_kill(
    misaki: RunningMisaki,
    shiori: RunningShiori,
    tmp_path: Path,
    free_port: int,
    journal_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed when the result is stored, and nobody has heard of it: the task has succeeded."""
    await upload_two_kinds(shiori, count=ROWS)
    receive = Uploads.receive
    async with kyouko_process(misaki, shiori, tmp_path, free_port, journal_url=journal_url) as (
        process,
        kyouko,
    ):

        async def receive_and_kill(self: Uploads, *arguments: Any) -> Any:
            stored = await receive(self, *arguments)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            return stored

        await kyouko.create_network()
        await kyouko.finish(await kyouko.create_task("kinds"))
        with monkeypatch.context() as patched:
            patched.setattr(Uploads, "receive", receive_and_kill)
            task = await kyouko.create_task("kinds", learn=False, result_dataset_id="said")
            await process.wait()

    address = f"127.0.0.1:{shiori.running.port}"
    async with start_kyouko(
        misaki, address, tmp_path, shiori.alice, journal_url=journal_url
    ) as kyouko:
        ended = await kyouko.finish(task)
        again = await kyouko.finish(await kyouko.create_task("kinds", learn=False))
    (answer,) = await shiori.read("said")

    assert -signal.SIGKILL == process.returncode
    assert (SUCCEEDED, ROWS) == (ended.state, ended.progress.done_rows)
    assert again.progress.accuracy == ended.progress.accuracy
    assert ROWS == len(answer.columns[0].tensor.packed) // 8


async def test_a_result_of_somebody_else_is_not_ours(
    misaki: RunningMisaki,
    shiori: RunningShiori,
    tmp_path: Path,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed on the way to the archive; when it goes on a user has taken the name: it fails."""
    await upload_two_kinds(shiori, count=ROWS)
    receive = Uploads.receive
    async with kyouko_process(misaki, shiori, tmp_path, free_port) as (process, kyouko):

        async def kill_and_receive(self: Uploads, *arguments: Any) -> Any:
            process.send_signal(signal.SIGKILL)
            await process.wait()
            return await receive(self, *arguments)

        await kyouko.create_network()
        with monkeypatch.context() as patched:
            patched.setattr(Uploads, "receive", kill_and_receive)
            task = await kyouko.create_task("kinds", learn=False, result_dataset_id="said")
            await process.wait()
    await shiori.upload_csv("said", "x,y\n1,2\n", target_column="y")

    address = f"127.0.0.1:{shiori.running.port}"
    async with start_kyouko(misaki, address, tmp_path, shiori.alice) as kyouko:
        ended = await kyouko.finish(task)

    assert task_service_pb2.TASK_STATE_FAILED == ended.state
    assert "RESOURCE_EXISTS" == reason_in(ended.error).reason
