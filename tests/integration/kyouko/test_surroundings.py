"""Clocks that run backwards and disks that are full: what they do to streams, and what not."""

import asyncio
import errno
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2, task_service_pb2

from kyouko import app
from mesh.blobs import BlobStore
from mesh.tensors import array_of, tensor_of
from tests.integration.kyouko.servers import (
    NETWORK,
    Request,
    RunningKyouko,
    Stream,
    info_of,
    reason_in,
    rows_of_two_kinds,
    start_kyouko,
    upload_two_kinds,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

SECOND = 1_000_000_000
GUARDED = """
inputs: [{name: row}]
populations: [{name: all, neurons: 8}]
outputs: [{name: kind, kind: classes}]
pipeline:
  late: {policy: POLICY, tolerance_seconds: 1}
"""
INPUTS, LABELS = rows_of_two_kinds(60)


async def send_at(stream: Stream, sequence: int, seconds: list[int]) -> pb.LearnResponse:
    """Send rows that were measured then, and return the answer."""
    frame = pb.LearnFrame(
        sequence=sequence,
        inputs=tensor_of(INPUTS[: len(seconds)]),
        event_times=[second * SECOND for second in seconds],
    )
    frame.labels.values.extend(LABELS[: len(seconds)])
    await stream.call.write(Request(frame=frame))
    return await stream.read()


async def test_rows_of_a_clock_that_runs_backwards_are_left_out(kyouko: RunningKyouko) -> None:
    """All behind the tolerance, counted; when the clock is right again rows are learned again."""
    await kyouko.create_network(template_yaml=GUARDED.replace("POLICY", "skip"), channels=4)
    async with kyouko.stream(return_outputs=True) as stream:
        await stream.opened()
        forward = (await send_at(stream, 1, [100, 101, 102])).result
        backward = (await send_at(stream, 2, [101, 100, 50, -7])).result
        again = (await send_at(stream, 3, [103])).result
        await stream.close()
    found = (await kyouko.network()).statistics

    assert [3, 4, 5] == [each.learned_rows for each in (forward, backward, again)]
    outputs = array_of(backward.outputs, field="outputs")
    assert [False, True, True, True] == np.isnan(outputs).any(axis=1).tolist()
    assert (3, 3) == (found.pipeline.late_rows, found.pipeline.skipped_rows)


async def test_a_clock_that_runs_backwards_is_a_fault_where_that_is_asked_for(
    kyouko: RunningKyouko,
) -> None:
    """The row is named, the frame changes nothing, and the stream goes on."""
    await kyouko.create_network(template_yaml=GUARDED.replace("POLICY", "reject"), channels=4)
    async with kyouko.stream() as stream:
        await stream.opened()
        await send_at(stream, 1, [100, 102])
        fault = (await send_at(stream, 2, [103, 104, 90])).fault
        after = (await send_at(stream, 3, [103])).result

    info = reason_in(fault.status)
    assert ("FIELD_INVALID", "2") == (info.reason, info.metadata["row"])
    assert 3 == after.learned_rows


class Clock:
    """The time of the day, which may be set."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self.shift


async def test_the_machines_clock_may_be_set_back(
    misaki: RunningMisaki,
    shiori: RunningShiori,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a day, while a stream and a task learn: durability, snapshots and order do not mind."""
    clock, real = Clock(), time.time
    monkeypatch.setattr(app, "_utc_now", clock)
    await upload_two_kinds(shiori, count=2000)
    address = f"127.0.0.1:{shiori.running.port}"
    async with start_kyouko(
        misaki, address, tmp_path, shiori.alice, snapshot_seconds=0.5
    ) as kyouko:
        await kyouko.create_network()
        await kyouko.create_network("other")
        task = await kyouko.create_task("kinds", network_id="other", epochs=20)
        async with asyncio.timeout(60), kyouko.stream() as stream:
            await stream.opened()
            for sequence in range(1, 31):
                await stream.send(sequence, INPUTS[sequence : sequence + 1], ["a"])
                await stream.read()
                if sequence == 10:
                    clock.shift = timedelta(days=-1)
                    monkeypatch.setattr(time, "time", lambda: real() - 86_400)
            closed = await stream.close()
        ended = await kyouko.finish(task)

    assert (30, 30) == (closed.network.kept_rows, closed.network.statistics.learned_rows)
    assert task_service_pb2.TASK_STATE_SUCCEEDED == ended.state
    assert 40_000 == ended.progress.statistics.learned_rows
    assert ended.end_time.ToNanoseconds() >= ended.start_time.ToNanoseconds()
    assert ended.progress.rows_per_second > 0


async def test_a_disk_too_full_for_snapshots_costs_no_row(
    misaki: RunningMisaki,
    shiori: RunningShiori,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The journal has them: learning goes on, and there is a snapshot when there is space."""
    real, is_full = BlobStore.put, True

    async def put(store: BlobStore, name: str, data: bytes) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        await real(store, name, data)

    async def learn(kyouko: RunningKyouko, rows: slice) -> pb.LearnClosed:
        async with kyouko.stream() as stream:
            await stream.opened()
            await stream.send(1, INPUTS[rows], LABELS[rows])
            await stream.read()
            return await stream.close()

    request = network_service_pb2.SnapshotNetworkRequest(name=NETWORK)
    async with start_kyouko(misaki, "127.0.0.1:1", tmp_path, shiori.alice) as kyouko:
        await kyouko.create_network()
        monkeypatch.setattr(BlobStore, "put", put)
        closed = await learn(kyouko, slice(0, 20))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice)
        await learn(kyouko, slice(20, 40))
        is_full = False
        await kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice)
        is_full = True
        await learn(kyouko, slice(40, 60))
    monkeypatch.undo()
    async with start_kyouko(misaki, "127.0.0.1:1", tmp_path, shiori.alice) as kyouko:
        async with kyouko.stream(pb.LEARN_MODE_PREDICT) as stream:
            await stream.opened()
        found = await kyouko.network()

    assert 20 == closed.network.kept_rows
    assert ("UNAVAILABLE", "DEPENDENCY_UNAVAILABLE") == (
        refused.value.code().name,
        info_of(refused.value).reason,
    )
    assert (60, 60, "") == (found.kept_rows, found.statistics.learned_rows, found.problem)
