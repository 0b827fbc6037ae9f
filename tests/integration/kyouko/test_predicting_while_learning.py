"""Predictions of a network that a long task teaches at the same time."""

import asyncio
import time

import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import task_service_pb2

from mesh.tensors import array_of
from tests.integration.kyouko.servers import RunningKyouko, rows_of_two_kinds, upload_two_kinds
from tests.integration.shiori.servers import RunningShiori

FRAMES = 30
ROWS = 64


async def test_predictions_do_not_wait_for_a_task(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """Each frame is answered soon, by one state of the network, and the task goes on."""
    await upload_two_kinds(shiori, count=20_000)
    await kyouko.create_network()
    task = await kyouko.create_task("kinds", epochs=5000)
    before = await kyouko.progressing(task.name)
    same = np.repeat(rows_of_two_kinds(1)[0], ROWS, axis=0)
    answers, seconds = [], []
    async with kyouko.stream(pb.LEARN_MODE_PREDICT, return_outputs=True) as stream:
        await stream.opened()
        for sequence in range(1, FRAMES + 1):
            started = time.monotonic()
            await stream.send(sequence, same)
            answers.append(array_of((await stream.read()).result.outputs, field="outputs"))
            seconds.append(time.monotonic() - started)
            await asyncio.sleep(0.02)
    after = await kyouko.task(task.name)
    await kyouko.cancel(task.name)

    assert task_service_pb2.TASK_STATE_RUNNING == after.state
    assert before.progress.done_rows < after.progress.done_rows
    # A task hands over 512 rows at a time, some milliseconds of work.
    assert sorted(seconds)[FRAMES // 2] < 0.25
    assert max(seconds) < 2
    assert all((answer == answer[0]).all() for answer in answers)
    assert len({answer[0].tobytes() for answer in answers}) > 1
