"""Networks with pipelines on the wire: rows alone, times, growth, and what was set aside."""

from pathlib import Path

import grpc
import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2, task_service_pb2

from mesh.tensors import array_of, tensor_of
from tests.integration.kyouko.servers import (
    RunningKyouko,
    Stream,
    reason_in,
    start_kyouko,
    upload_two_kinds,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

SECOND = 1_000_000_000
PIPELINE = """
inputs: [{name: row}]
populations: [{name: all, neurons: 16}]
outputs: [{name: next, kind: numbers}]
pipeline:
  lags: [1, 2]
  calendar: {}
  forecast: {horizon: 2}
  late: {}
  missing: skip
  grow_channels: true
"""

LABELLED = """
inputs: [{name: row}]
populations: [{name: all, neurons: 16}]
outputs: [{name: state, kind: classes}]
pipeline:
  calendar: {}
  missing: hold
"""


async def send(stream: Stream, frame: pb.LearnFrame) -> pb.LearnResponse:
    """Send a frame and return its answer."""
    await stream.call.write(pb.LearnRequest(frame=frame))
    return await stream.read()


def frame_of(sequence: int, rows: int, *, channels: int = 2, start: int = 0) -> pb.LearnFrame:
    """Return a frame of rows a second apart."""
    places = np.arange(start, start + rows)
    values = np.sin(places[:, np.newaxis] + np.arange(channels)).astype(np.float32)
    return pb.LearnFrame(
        sequence=sequence,
        inputs=tensor_of(values),
        event_times=(places * SECOND).tolist(),
    )


async def test_a_forecast_learns_from_rows_alone(kyouko: RunningKyouko) -> None:
    """Two rows have no loss, all have a forecast, and a late row is left out and counted."""
    await kyouko.create_network(template_yaml=PIPELINE, channels=2)

    async with kyouko.stream() as stream:
        await stream.opened()
        first = await send(stream, frame_of(1, 10))
        late = await send(stream, frame_of(2, 1, start=3))
        wide = await send(stream, frame_of(3, 3, channels=3, start=10))
        closed = await stream.close()

    loss, outputs = (
        array_of(first.result.loss, field="tensor"),
        array_of(first.result.outputs, field="tensor"),
    )
    assert [True] * 2 + [False] * 8 == np.isnan(loss).tolist()
    assert ((10, 2), True) == (outputs.shape, bool(np.isfinite(outputs).all()))
    assert np.isnan(array_of(late.result.outputs, field="tensor")).all()
    assert (3, 2) == tuple(wide.result.outputs.shape)
    found = closed.network.statistics.pipeline
    assert (3, 2, 1, 1) == (
        found.channels,
        found.pending_rows,
        found.late_rows,
        found.skipped_rows,
    )
    assert 11 == closed.network.statistics.learned_rows


async def test_frames_without_times_are_refused(kyouko: RunningKyouko) -> None:
    """The fault says what the pipeline needs, and the stream goes on."""
    await kyouko.create_network(template_yaml=PIPELINE, channels=2)
    nameless = frame_of(1, 2)
    nameless.ClearField("event_times")

    async with kyouko.stream() as stream:
        await stream.opened()
        refused = await send(stream, nameless)
        after = await send(stream, frame_of(2, 2))

    assert "FIELD_INVALID" == reason_in(refused.fault.status).reason
    assert "needs the time of each row" in refused.fault.status.message
    assert 2 == after.result.sequence


async def test_a_pipeline_outlives_the_process(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """What waits and what was set aside is in the snapshot; the next process goes on with it."""
    broken = frame_of(1, 12)
    values = array_of(broken.inputs, field="inputs").copy()
    values[4, 1] = np.nan
    broken.inputs.CopyFrom(tensor_of(values))
    address = f"127.0.0.1:{shiori.running.port}"

    async with start_kyouko(misaki, address, tmp_path, shiori.alice) as kyouko:
        await kyouko.create_network(template="templates/forecast", channels=2)
        async with kyouko.stream() as stream:
            await stream.opened()
            await send(stream, broken)
            await stream.close()
    async with start_kyouko(misaki, address, tmp_path, shiori.alice) as kyouko:
        found = (await kyouko.network()).statistics.pipeline
        async with kyouko.stream() as stream:
            opened = await stream.opened()
            result = (await send(stream, frame_of(1, 1, start=12))).result

    missing = network_service_pb2.QUARANTINE_CAUSE_MISSING
    assert [(missing, 1, 1)] == [
        (item.cause, item.channel, item.values) for item in found.quarantined
    ]
    assert [1, 2, 3, 6, 12, 24] == [*opened.network.structure.pipeline.lags]
    assert (12, False) == (
        result.learned_rows,
        bool(np.isnan(array_of(result.loss, field="loss")).any()),
    )


async def test_a_task_teaches_a_forecast_without_a_target_column(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """All rows are done; the first one has no score, because nothing was said of it."""
    await kyouko.create_network(template="templates/forecast")
    await upload_two_kinds(shiori)

    task = await kyouko.finish(await kyouko.create_task("kinds"))

    assert task_service_pb2.TASK_STATE_SUCCEEDED == task.state
    assert (200, 199) == (task.progress.done_rows, task.progress.statistics.learned_rows)
    assert 0.0 < task.progress.loss < 13.0


async def upload_shifts(shiori: RunningShiori) -> None:
    """Store rows whose label is only in their time; one of them is older than those before."""
    hours = np.arange(1000)
    hours[500] = 3
    lines = [
        f"2026-01-{1 + hour // 24 % 28:02}T{hour % 24:02}:00:00Z,{hour % 7},{hour % 24 < 12}"
        for hour in hours[:600]
    ]
    await shiori.upload_csv("shifts", "\n".join(["at,x,early", *lines]) + "\n")


async def test_a_task_reads_times_from_a_column(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """The calendar alone tells the label, in learning and in predicting; a late row is left out."""
    await upload_shifts(shiori)
    await kyouko.create_network(
        template_yaml=LABELLED.replace("calendar: {}", "calendar: {}\n  late: {}"), channels=1
    )
    columns = {"input_columns": ["x"], "target_column": "early", "time_column": "at"}

    task = await kyouko.finish(await kyouko.create_task("shifts", **columns))
    found = (await kyouko.network()).statistics

    assert (task_service_pb2.TASK_STATE_SUCCEEDED, "at") == (task.state, task.time_column)
    assert task.progress.accuracy > 0.9
    assert (599, 1) == (found.learned_rows, found.pipeline.late_rows)


async def test_tasks_that_cannot_know_the_time(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """No column, a second time through the same times, and a column that holds no times."""
    await upload_shifts(shiori)
    await kyouko.create_network(
        template_yaml=LABELLED.replace("calendar: {}", "late: {}"), channels=1
    )
    columns = {"input_columns": ["x"], "target_column": "early"}
    refused = []
    for more in ({}, {"time_column": "at", "epochs": 2}):
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await kyouko.create_task("shifts", **columns, **more)
        refused.append(told.value.details() or "")

    task = await kyouko.finish(
        await kyouko.create_task(
            "shifts", input_columns=["x"], target_column="at", time_column="early"
        )
    )

    assert "name the column that holds it" in refused[0]
    assert "gone through once" in refused[1]
    assert "row 0 holds 'True', which is no time" in task.error.message


async def test_labels_of_rows_with_a_calendar_may_come_later(kyouko: RunningKyouko) -> None:
    """They teach the rows with the times and the policies they came with; then none waits."""
    await kyouko.create_network(template_yaml=LABELLED, channels=2)
    async with kyouko.stream(label_horizon_rows=8) as stream:
        await stream.opened()
        await send(stream, frame_of(1, 4))
        late = pb.LearnFrame(sequence=2, target_sequence=1)
        late.labels.values.extend("abab")
        learned = (await send(stream, late)).result
        late.sequence = 3
        again = await send(stream, late)

    assert (4, ["a", "b"]) == (learned.learned_rows, list(learned.new_labels))
    assert "LABEL_TOO_LATE" == reason_in(again.fault.status).reason


@pytest.mark.parametrize(
    ("template_yaml", "why"),
    [
        (PIPELINE, "teaches it from its rows alone"),
        (LABELLED.replace("name: row", "name: row, delays: [2]"), "could not go back"),
    ],
)
async def test_labels_that_never_can_come_later(
    kyouko: RunningKyouko, template_yaml: str, why: str
) -> None:
    """The stream is refused when it opens, and told why."""
    await kyouko.create_network(template_yaml=template_yaml, channels=2)
    async with kyouko.stream(label_horizon_rows=8) as stream:
        with pytest.raises(grpc.aio.AioRpcError, match=why) as refused:
            await stream.opened()

    assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code()
