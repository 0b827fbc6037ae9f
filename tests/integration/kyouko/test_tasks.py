"""Tasks on the wire: data sets of a real shiori, learned and predicted by a real kyouko."""

import asyncio
import itertools

import grpc
import numpy as np
import pytest
from hanami.kyouko.v1 import network_service_pb2, task_service_pb2

from tests.integration.kyouko.servers import (
    NETWORK,
    PARENT,
    RunningKyouko,
    idx_files,
    info_of,
    reason_in,
    upload_two_kinds,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

SUCCEEDED = task_service_pb2.TASK_STATE_SUCCEEDED
FAILED = task_service_pb2.TASK_STATE_FAILED
CANCELLED = task_service_pb2.TASK_STATE_CANCELLED

SERIES = """\
inputs:
  - {name: x, channels: 1, delays: [1, 2, 3]}
populations:
  - {name: hidden, neurons: 16}
outputs:
  - {name: kind, kind: classes}
"""


async def test_a_learn_task_goes_through_every_epoch(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """Three epochs over 200 rows are 600 learned and kept rows, with progress to match."""
    await upload_two_kinds(shiori)
    await kyouko.create_network()

    task = await kyouko.finish(await kyouko.create_task("kinds", epochs=3))

    assert SUCCEEDED == task.state
    assert (600, 600) == (task.progress.done_rows, task.progress.total_rows)
    assert task.progress.accuracy > 0.7
    assert task.progress.loss > 0
    assert task.progress.rows_per_second > 0
    assert task.progress.engine_time.nanos > 0
    network = await kyouko.network()
    assert ["high", "low"] == sorted(network.labels)
    assert (600, 600) == (network.statistics.learned_rows, network.kept_rows)


async def test_pictures_are_learned_as_bytes(kyouko: RunningKyouko, shiori: RunningShiori) -> None:
    """An IDX data set has one column of four bytes, and labels that become digits."""
    await shiori.upload("pictures", idx_files())
    await kyouko.create_network()

    task = await kyouko.finish(await kyouko.create_task("pictures"))

    assert SUCCEEDED == task.state
    assert (["image"], "label") == (list(task.input_columns), task.target_column)
    assert ["0", "1"] == sorted((await kyouko.network()).labels)


async def test_a_watcher_sees_the_task_from_now_to_its_end(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """The first message comes at once, the last one has the final state, rows never go back."""
    await upload_two_kinds(shiori, count=20_000)
    await kyouko.create_network()

    states = await kyouko.watch((await kyouko.create_task("kinds", epochs=5)).name)

    rows = [state.progress.done_rows for state in states]
    assert states[0].state in (
        task_service_pb2.TASK_STATE_PENDING,
        task_service_pb2.TASK_STATE_RUNNING,
    )
    assert SUCCEEDED == states[-1].state
    assert sorted(rows) == rows
    assert 100_000 == rows[-1]


async def test_cancel_stops_a_running_task(kyouko: RunningKyouko, shiori: RunningShiori) -> None:
    """A task of a hundred million rows stops at once; what it learned stays."""
    await upload_two_kinds(shiori, count=20_000)
    await kyouko.create_network()
    name = (await kyouko.create_task("kinds", epochs=5000)).name
    await kyouko.progressing(name)

    task = await asyncio.wait_for(kyouko.cancel(name), 10)

    assert CANCELLED == task.state
    assert 0 < task.progress.done_rows < task.progress.total_rows
    network = await kyouko.network()
    assert task.progress.done_rows == network.kept_rows == network.statistics.learned_rows
    await asyncio.sleep(0.3)
    assert network.statistics.learned_rows == (await kyouko.network()).statistics.learned_rows


async def test_a_waiting_task_can_be_cancelled(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """A task that waits behind another never starts once it is cancelled."""
    await upload_two_kinds(shiori, count=20_000)
    await kyouko.create_network()
    first = await kyouko.create_task("kinds", epochs=5000)
    second = await kyouko.create_task("kinds")

    cancelled = await kyouko.cancel(second.name)

    assert CANCELLED == cancelled.state
    assert not cancelled.HasField("start_time")
    assert CANCELLED == (await kyouko.task(second.name)).state
    assert CANCELLED == (await kyouko.cancel(first.name)).state


async def test_an_ended_task_cannot_be_cancelled(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """Cancelling what has ended is STATE_CONFLICT and tells the state."""
    await upload_two_kinds(shiori)
    await kyouko.create_network()
    task = await kyouko.finish(await kyouko.create_task("kinds"))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.cancel(task.name)

    assert "STATE_CONFLICT" == info_of(refused.value).reason
    assert "SUCCEEDED" == info_of(refused.value).metadata["state"]


async def test_tasks_of_one_network_run_in_order(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """Three tasks start in the order of their creation, each after the one before ended."""
    await upload_two_kinds(shiori, count=2000)
    await kyouko.create_network()
    queued = [await kyouko.create_task("kinds", epochs=3) for _ in range(3)]

    ended = [await kyouko.finish(task) for task in queued]

    assert [SUCCEEDED] * 3 == [task.state for task in ended]
    for earlier, later in itertools.pairwise(ended):
        assert earlier.end_time.ToNanoseconds() <= later.start_time.ToNanoseconds()
    listed = await kyouko.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(parent=NETWORK), metadata=kyouko.alice
    )
    assert [task.name for task in queued] == [task.name for task in listed.tasks]


async def test_networks_run_side_by_side(kyouko: RunningKyouko, shiori: RunningShiori) -> None:
    """A short task on one network ends while a long one on another is at work."""
    await upload_two_kinds(shiori, count=20_000)
    await kyouko.create_network("slow")
    await kyouko.create_network("fast")
    slow = await kyouko.create_task("kinds", network_id="slow", epochs=5000)
    await kyouko.progressing(slow.name)

    fast = await kyouko.finish(await kyouko.create_task("kinds", network_id="fast"))

    assert SUCCEEDED == fast.state
    assert task_service_pb2.TASK_STATE_RUNNING == (await kyouko.task(slow.name)).state
    await kyouko.cancel(slow.name)


async def test_a_predict_task_scores_and_changes_nothing(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """Predicting reports accuracy, and the network has learned no more rows than before."""
    await upload_two_kinds(shiori, count=1000)
    await kyouko.create_network()
    await kyouko.finish(await kyouko.create_task("kinds"))

    task = await kyouko.finish(await kyouko.create_task("kinds", learn=False))

    assert SUCCEEDED == task.state
    assert task.progress.accuracy > 0.9
    assert 1000 == (await kyouko.network()).statistics.learned_rows


async def test_stored_rows_follow_one_another(kyouko: RunningKyouko, shiori: RunningShiori) -> None:
    """What only an earlier row tells is learned and predicted; predicting moves no time."""
    values = np.random.default_rng(3).integers(0, 2, 3000)
    earlier = np.roll(values, 3)
    lines = [f"{now},was{before}" for now, before in zip(values, earlier, strict=True)]
    await shiori.upload_csv("series", "\n".join(["x,kind", *lines]) + "\n", target_column="kind")
    await kyouko.create_network(template_yaml=SERIES)
    await kyouko.finish(await kyouko.create_task("series"))

    tasks = [await kyouko.finish(await kyouko.create_task("series", learn=False)) for _ in range(2)]

    assert [SUCCEEDED, SUCCEEDED] == [task.state for task in tasks]
    assert tasks[0].progress.accuracy > 0.99
    assert tasks[0].progress.loss == tasks[1].progress.loss


async def test_predictions_can_be_kept_as_a_data_set(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """The result data set has a row for each row, with label, probability and target."""
    await upload_two_kinds(shiori, count=1000)
    await kyouko.create_network()
    await kyouko.finish(await kyouko.create_task("kinds"))

    task = await kyouko.finish(
        await kyouko.create_task("kinds", learn=False, result_dataset_id="said")
    )

    assert SUCCEEDED == task.state
    assert f"{PARENT}/datasets/said" == task.result_dataset
    (answer,) = await shiori.read("said")
    columns = {column.name: column for column in answer.columns}
    assert ["row", "predicted", "probability", "target"] == list(columns)
    said, right = columns["predicted"].text.values, columns["target"].text.values
    share = np.mean([one == other for one, other in zip(said, right, strict=True)])
    assert pytest.approx(task.progress.accuracy) == share


async def test_numbers_are_learned_and_kept(kyouko: RunningKyouko, shiori: RunningShiori) -> None:
    """A network of numbers reports the mean absolute error, and its predictions are numbers."""
    values = np.random.default_rng(5).uniform(-1, 1, 1000)
    lines = [f"{value},{3 * value + 5}" for value in values]
    await shiori.upload_csv("line", "\n".join(["x,y", *lines]) + "\n", target_column="y")
    await kyouko.create_network(template="templates/flat-numbers", channels=1)

    learned = await kyouko.finish(await kyouko.create_task("line", epochs=4))
    task = await kyouko.finish(
        await kyouko.create_task("line", learn=False, result_dataset_id="said")
    )

    assert SUCCEEDED == learned.state
    assert not learned.progress.HasField("accuracy")
    assert task.progress.mean_absolute_error < 0.5
    assert task.progress.loss < 0.1
    (answer,) = await shiori.read("said")
    assert ["row", "predicted", "target"] == [column.name for column in answer.columns]


async def test_gaps_in_inputs_are_missing_values(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """A CSV file with gaps in its inputs is learned to the end."""
    await shiori.upload_csv("gaps", "a,b,kind\n1,,x\n,2,y\n3,4,x\n", target_column="kind")
    await kyouko.create_network(channels=2)

    task = await kyouko.finish(await kyouko.create_task("gaps"))

    assert (SUCCEEDED, 3) == (task.state, task.progress.done_rows)


async def test_a_missing_target_fails_the_task_and_names_the_row(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """A gap in the target column of a learn task is TARGET_INVALID with the row's number."""
    await shiori.upload_csv("holes", "x,y\n1,2\n2,4\n3,\n4,8\n", target_column="y")
    await kyouko.create_network(template="templates/flat-numbers", channels=1)

    task = await kyouko.finish(await kyouko.create_task("holes"))

    assert FAILED == task.state
    assert "TARGET_INVALID" == reason_in(task.error).reason
    assert "2" == reason_in(task.error).metadata["row"]


async def test_too_many_labels_fail_the_task_and_name_the_row(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """The rows before the failed batch stay learned; none behind it is."""
    rows = [f"{index},{'ab'[index % 2]}" for index in range(1200)] + ["1,c"] * 800
    await shiori.upload_csv("three", "\n".join(["x,kind", *rows]) + "\n", target_column="kind")
    yaml = (
        "inputs: [{name: in, channels: 1}]\npopulations: [{name: all, neurons: 8}]\n"
        "outputs: [{name: out, kind: classes}]\noptions: {max_labels: 2}\n"
    )
    await kyouko.create_network(template_yaml=yaml)

    task = await kyouko.finish(await kyouko.create_task("three"))

    assert FAILED == task.state
    info = reason_in(task.error)
    assert ("LIMIT_REACHED", "1200") == (info.reason, info.metadata["row"])
    network = await kyouko.network()
    assert 0 < task.progress.done_rows == network.kept_rows == network.statistics.learned_rows
    assert task.progress.done_rows <= 1200


async def test_rows_without_a_target_are_predicted_unscored(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """A predict task scores the rows whose target is known, and does the others too."""
    await upload_two_kinds(shiori)
    await shiori.upload_csv("open", "a,b,c,d,kind\n1,0,0,0,high\n-1,0,0,0,\n", target_column="kind")
    await kyouko.create_network()
    await kyouko.finish(await kyouko.create_task("kinds", epochs=5))

    task = await kyouko.finish(await kyouko.create_task("open", learn=False))

    assert (SUCCEEDED, 2) == (task.state, task.progress.done_rows)
    assert 1.0 == task.progress.accuracy


async def test_a_data_set_of_another_width_is_refused_at_once(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """WIDTH_MISMATCH tells how many values came and how many the network takes."""
    await upload_two_kinds(shiori)
    await kyouko.create_network(channels=784)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.create_task("kinds")

    info = info_of(refused.value)
    assert ("WIDTH_MISMATCH", "784", "4") == (
        info.reason,
        info.metadata["expected"],
        info.metadata["actual"],
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"input_columns": ["a", "b", "c", "e"]}, "FIELD_INVALID"),
        ({"input_columns": ["a", "b", "c", "kind"]}, "FIELD_INVALID"),
        ({"target_column": "none"}, "FIELD_INVALID"),
        ({"result_dataset_id": "said"}, "FIELD_INVALID"),
    ],
)
async def test_a_task_that_cannot_work_is_refused(
    kyouko: RunningKyouko, shiori: RunningShiori, fields: dict[str, object], reason: str
) -> None:
    """Unknown columns, text as input, and results of a learn task are refused at creation."""
    await upload_two_kinds(shiori)
    await kyouko.create_network()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.create_task("kinds", **fields)

    assert reason == info_of(refused.value).reason


async def test_an_unknown_data_set_is_not_found(kyouko: RunningKyouko) -> None:
    """A task over a data set that does not exist is refused at creation."""
    await kyouko.create_network()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.create_task("nothing")

    assert "RESOURCE_NOT_FOUND" == info_of(refused.value).reason


async def test_a_result_data_set_must_be_new(kyouko: RunningKyouko, shiori: RunningShiori) -> None:
    """A predict task whose result's name is taken is refused at creation."""
    await upload_two_kinds(shiori)
    await kyouko.create_network()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.create_task("kinds", learn=False, result_dataset_id="kinds")

    assert "RESOURCE_EXISTS" == info_of(refused.value).reason


async def test_a_viewer_queues_no_tasks(
    kyouko: RunningKyouko, shiori: RunningShiori, misaki: RunningMisaki
) -> None:
    """The role VIEWER sees tasks, and may not create them."""
    await upload_two_kinds(shiori)
    await kyouko.create_network()
    viewer = await misaki.create_user("victor", flowers="VIEWER")
    request = task_service_pb2.CreateTaskRequest(
        parent=NETWORK,
        kind=task_service_pb2.TASK_KIND_LEARN,
        dataset=f"{PARENT}/datasets/kinds",
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.tasks.CreateTask(request, metadata=viewer)
    listed = await kyouko.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(parent=f"{PARENT}/networks/-"), metadata=viewer
    )

    assert "ROLE_INSUFFICIENT" == info_of(refused.value).reason
    assert [] == list(listed.tasks)


async def test_deleting_a_network_cancels_its_tasks(
    kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """A watcher of a running task learns of the cancellation; afterwards the task is gone."""
    await upload_two_kinds(shiori, count=20_000)
    await kyouko.create_network()
    task = await kyouko.create_task("kinds", epochs=5000)
    watching = asyncio.create_task(kyouko.watch(task.name))
    await kyouko.progressing(task.name)

    await kyouko.networks.DeleteNetwork(
        network_service_pb2.DeleteNetworkRequest(name=NETWORK), metadata=kyouko.alice
    )

    assert CANCELLED == (await watching)[-1].state
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await kyouko.task(task.name)
    assert "RESOURCE_NOT_FOUND" == info_of(gone.value).reason


async def test_tasks_are_listed_page_by_page(kyouko: RunningKyouko, shiori: RunningShiori) -> None:
    """Two pages hold three tasks of two networks, oldest first."""
    await upload_two_kinds(shiori)
    await kyouko.create_network("one")
    await kyouko.create_network("two")
    names = [
        (await kyouko.finish(await kyouko.create_task("kinds", network_id=network_id))).name
        for network_id in ("one", "two", "one")
    ]

    request = task_service_pb2.ListTasksRequest(parent=f"{PARENT}/networks/-", page_size=2)
    first = await kyouko.tasks.ListTasks(request, metadata=kyouko.alice)
    request.page_token = first.next_page_token
    second = await kyouko.tasks.ListTasks(request, metadata=kyouko.alice)

    assert names == [task.name for task in [*first.tasks, *second.tasks]]
    assert "" == second.next_page_token
