"""Private, shared and public networks and data sets, over real services."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hanami.inference import grpc_service_pb2 as inference_pb
from hanami.inference import grpc_service_pb2_grpc
from hanami.kyouko.v1 import learning_service_pb2, network_service_pb2, task_service_pb2
from hanami.shiori.v1 import dataset_service_pb2
from hanami.type.v1 import visibility_pb2

from tests.integration.kyouko.devices import device
from tests.integration.kyouko.servers import (
    NETWORK,
    PARENT,
    RunningKyouko,
    csv_of_two_kinds,
    info_of,
    reason_in,
    rows_of_two_kinds,
    upload_two_kinds,
)
from tests.integration.kyouko.test_inference import infer_request
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori, messages_of
from tests.integration.statuses import refusal

PRIVATE = visibility_pb2.VISIBILITY_PRIVATE
SHARED = visibility_pb2.VISIBILITY_SHARED
PUBLIC = visibility_pb2.VISIBILITY_PUBLIC
PREDICT = learning_service_pb2.LEARN_MODE_PREDICT
INPUTS, LABELS = rows_of_two_kinds()
KINDS = f"{PARENT}/datasets/kinds"
MISSING = grpc.StatusCode.NOT_FOUND
REFUSED = grpc.StatusCode.PERMISSION_DENIED
Call = Callable[[RunningKyouko, RunningShiori, Metadata], Awaitable[Any]]


@dataclass(frozen=True)
class People:
    """Whom the project has, besides alice, its member; and somebody without any project."""

    head: Metadata
    bob: Metadata
    viewer: Metadata
    joe: Metadata


@pytest.fixture
async def people(misaki: RunningMisaki, kyouko: RunningKyouko) -> People:
    """Make people."""
    return People(
        head=await misaki.create_user("head", flowers="PROJECT_ADMIN"),
        bob=await misaki.create_user("bob", flowers="MEMBER"),
        viewer=await misaki.create_user("eve", flowers="VIEWER"),
        joe=await misaki.create_user("joe"),
    )


async def get(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Get the network."""
    request = network_service_pb2.GetNetworkRequest(name=NETWORK)
    return await kyouko.networks.GetNetwork(request, metadata=who)


async def events(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """List what changed in the network's structure."""
    request = network_service_pb2.ListGrowthEventsRequest(parent=NETWORK)
    return await kyouko.networks.ListGrowthEvents(request, metadata=who)


async def infer(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Let the network predict."""
    stub: Any = grpc_service_pb2_grpc.GRPCInferenceServiceStub(kyouko.channel)
    await stub.ModelMetadata(inference_pb.ModelMetadataRequest(name=NETWORK), metadata=who)
    return await stub.ModelInfer(infer_request(INPUTS[:2]), metadata=who)


async def stream(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Let the network predict on a stream."""
    async with kyouko.stream(PREDICT, metadata=who) as opened:
        await opened.opened()
        await opened.send(1, INPUTS[:2])
        return await opened.read()


async def get_rows(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Get the data set."""
    request = dataset_service_pb2.GetDatasetRequest(name=KINDS)
    return await shiori.stub.GetDataset(request, metadata=who)


async def read_rows(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Read the data set."""
    request = dataset_service_pb2.ReadDatasetRequest(name=KINDS)
    return [rows async for rows in shiori.stub.ReadDataset(request, metadata=who)]


async def tasks(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """List the network's tasks."""
    request = task_service_pb2.ListTasksRequest(parent=NETWORK)
    return await kyouko.tasks.ListTasks(request, metadata=who)


async def learn(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Let the network learn."""
    async with kyouko.stream(metadata=who) as opened:
        return await opened.opened()


async def queue(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Queue a task of the network over the data set."""
    request = task_service_pb2.CreateTaskRequest(
        parent=NETWORK, kind=task_service_pb2.TASK_KIND_LEARN, dataset=KINDS
    )
    return await kyouko.tasks.CreateTask(request, metadata=who)


async def keep(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Take a snapshot of the network."""
    request = network_service_pb2.SnapshotNetworkRequest(name=NETWORK)
    return await kyouko.networks.SnapshotNetwork(request, metadata=who)


async def delete(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Delete the network."""
    request = network_service_pb2.DeleteNetworkRequest(name=NETWORK)
    return await kyouko.networks.DeleteNetwork(request, metadata=who)


async def delete_rows(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Delete the data set."""
    request = dataset_service_pb2.DeleteDatasetRequest(name=KINDS)
    return await shiori.stub.DeleteDataset(request, metadata=who)


async def update(
    kyouko: RunningKyouko, who: Metadata, visibility: "visibility_pb2.Visibility.ValueType"
) -> network_service_pb2.Network:
    """Change who may know of the network."""
    network = network_service_pb2.Network(name=NETWORK, visibility=visibility)
    request = network_service_pb2.UpdateNetworkRequest(
        network=network, update_mask=FieldMask(paths=["visibility"])
    )
    return await kyouko.networks.UpdateNetwork(request, metadata=who)


async def update_rows(
    shiori: RunningShiori, who: Metadata, visibility: "visibility_pb2.Visibility.ValueType"
) -> dataset_service_pb2.Dataset:
    """Change who may know of the data set."""
    dataset = dataset_service_pb2.Dataset(name=KINDS, visibility=visibility)
    request = dataset_service_pb2.UpdateDatasetRequest(
        dataset=dataset, update_mask=FieldMask(paths=["visibility"])
    )
    return await shiori.stub.UpdateDataset(request, metadata=who)


async def hide(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Make the network private."""
    return await update(kyouko, who, PRIVATE)


async def hide_rows(kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata) -> Any:
    """Make the data set private."""
    return await update_rows(shiori, who, PRIVATE)


READING: list[Call] = [get, events, infer, stream, get_rows, read_rows]
WRITING: list[Call] = [learn, queue, keep, hide, hide_rows, delete, delete_rows]


async def rest_of(call: Any) -> None:
    """Read to the end of a call, and raise what it ends with."""
    while await call.read() is not grpc.aio.EOF:
        pass
    await call


async def endings(
    calls: list[Call], kyouko: RunningKyouko, shiori: RunningShiori, who: Metadata
) -> dict[str, grpc.StatusCode]:
    """Return how each call ends."""
    found = {}
    for call in calls:
        try:
            await call(kyouko, shiori, who)
        except grpc.aio.AioRpcError as error:
            found[getattr(call, "__name__", "")] = error.code()
        else:
            found[getattr(call, "__name__", "")] = grpc.StatusCode.OK
    return found


def all_of(calls: list[Call], code: grpc.StatusCode) -> dict[str, grpc.StatusCode]:
    """Return that each call ends with a code."""
    return {getattr(call, "__name__", ""): code for call in calls}


async def test_what_is_private_is_there_for_owner_and_project_admins_only(
    kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """To other members it does not exist, whatever they try; owners come from the token."""
    made = await kyouko.create_network(visibility=PRIVATE)
    rows = await upload_two_kinds(shiori)
    await update_rows(shiori, shiori.alice, PRIVATE)

    of_owner = await endings(READING, kyouko, shiori, shiori.alice)
    of_head = await endings(READING, kyouko, shiori, people.head)
    of_bob = await endings([*READING, tasks, *WRITING], kyouko, shiori, people.bob)
    of_viewer = await endings([*READING, tasks], kyouko, shiori, people.viewer)
    of_joe = await endings(READING, kyouko, shiori, people.joe)

    assert ("users/alice", PRIVATE) == (made.owner, made.visibility)
    assert ("users/alice", SHARED) == (rows.owner, rows.visibility)
    assert all_of(READING, grpc.StatusCode.OK) == of_owner == of_head
    assert all_of([*READING, tasks, *WRITING], MISSING) == of_bob
    assert all_of([*READING, tasks], MISSING) == of_viewer
    assert all_of(READING, MISSING) == of_joe


async def test_lists_leave_out_what_is_private(
    kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """Networks, tasks of all networks, and data sets; pages are full and end in time."""
    for index in range(6):
        visibility = PRIVATE if index % 2 else SHARED
        await kyouko.create_network(f"n{index}", visibility=visibility)
        await shiori.upload_csv(f"d{index}", "a,b\n1,2\n", visibility=visibility)
    await shiori.upload_csv("kinds", "a,b,c,d,kind\n1,2,3,4,x\n", target_column="kind")
    for index in range(2):
        await kyouko.finish(await kyouko.create_task("kinds", network_id=f"n{index}"))

    async def listed(who: Metadata) -> tuple[list[str], ...]:
        networks = network_service_pb2.ListNetworksRequest(parent=PARENT, page_size=3)
        first = await kyouko.networks.ListNetworks(networks, metadata=who)
        datasets = dataset_service_pb2.ListDatasetsRequest(parent=PARENT)
        rows = await shiori.stub.ListDatasets(datasets, metadata=who)
        every = task_service_pb2.ListTasksRequest(parent=f"{PARENT}/networks/-")
        work = await kyouko.tasks.ListTasks(every, metadata=who)
        return (
            [network.name[-2:] for network in first.networks] + [first.next_page_token[:1]],
            [dataset.name.rpartition("/")[2] for dataset in rows.datasets],
            [task.name.split("/")[3] for task in work.tasks],
        )

    bobs, heads = await listed(people.bob), await listed(people.head)

    assert (["n0", "n2", "n4", ""], ["d0", "d2", "d4", "kinds"], ["n0"]) == bobs
    assert ["n0", "n1", "n2", "W"] == heads[0]
    assert 7 == len(heads[1])
    assert ["n0", "n1"] == heads[2]


async def test_tasks_name_data_sets_to_those_who_may_know_of_them(
    kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """Bob sees alice's tasks of a shared network, and of her private data set nothing."""
    await kyouko.create_network()
    await upload_two_kinds(shiori)
    await update_rows(shiori, shiori.alice, PRIVATE)
    task = await kyouko.finish(await kyouko.create_task("kinds"))
    get_task = task_service_pb2.GetTaskRequest(name=task.name)
    watch_task = task_service_pb2.WatchTaskRequest(name=task.name)

    async def told(who: Metadata) -> list[task_service_pb2.Task]:
        watched = [each async for each in kyouko.tasks.WatchTask(watch_task, metadata=who)]
        got = await kyouko.tasks.GetTask(get_task, metadata=who)
        return [got, *(await tasks(kyouko, shiori, who)).tasks, *watched]

    of_alice, of_head, of_bob = [await told(who) for who in (shiori.alice, people.head, people.bob)]
    await update_rows(shiori, shiori.alice, SHARED)
    later = await told(people.bob)

    assert [task] * 3 == of_alice == of_head == later
    for field in ("dataset", "input_columns", "target_column"):
        task.ClearField(field)
    assert [task] * 3 == of_bob


async def test_what_is_public_is_read_by_everybody_and_written_by_nobody_else(
    misaki: RunningMisaki, kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """Somebody without any project gets, lists, reads and predicts; tasks stay hidden."""
    await misaki.create_project("kitchen")
    cook = await misaki.create_user("cook", kitchen="PROJECT_ADMIN")
    await kyouko.create_network(visibility=PUBLIC)
    await kyouko.create_network("other")
    await upload_two_kinds(shiori)
    await update_rows(shiori, people.head, PUBLIC)

    of_joe = await endings(READING, kyouko, shiori, people.joe)
    of_cook = await endings([*READING, tasks, *WRITING], kyouko, shiori, cook)
    writing = await endings([tasks, *WRITING], kyouko, shiori, people.joe)
    parent = network_service_pb2.ListNetworksRequest(parent=PARENT)
    listed = await kyouko.networks.ListNetworks(parent, metadata=people.joe)
    datasets = dataset_service_pb2.ListDatasetsRequest(parent=PARENT)
    rows = await shiori.stub.ListDatasets(datasets, metadata=people.joe)

    assert all_of(READING, grpc.StatusCode.OK) == of_joe
    reads, refused = all_of(READING, grpc.StatusCode.OK), all_of([tasks, *WRITING], MISSING)
    assert reads | refused == of_cook
    # Without a role anywhere most of these methods are closed, whatever the name.
    assert all_of([tasks, *WRITING], REFUSED) | all_of([learn], MISSING) == writing
    assert ([NETWORK], [KINDS]) == (
        [network.name for network in listed.networks],
        [dataset.name for dataset in rows.datasets],
    )


async def test_a_project_without_anything_public_is_not_there_for_strangers(
    kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """Its lists answer as those of a project that does not exist."""
    await kyouko.create_network()

    told = [
        await refusal(
            kyouko.networks.ListNetworks(
                network_service_pb2.ListNetworksRequest(parent=parent), metadata=people.joe
            )
        )
        for parent in (PARENT, "projects/nowhere")
    ]

    assert [MISSING, MISSING] == [each.code for each in told]
    assert told[0].message.replace("flowers", "nowhere") == told[1].message


async def test_members_change_what_is_their_own(
    kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """Bob may use and delete what alice shares, and not change who may know of it."""
    await kyouko.create_network()
    await upload_two_kinds(shiori)

    of_bob = await endings([hide, hide_rows], kyouko, shiori, people.bob)
    of_alice = await endings([hide, hide_rows], kyouko, shiori, shiori.alice)
    of_head = await update(kyouko, people.head, SHARED)

    assert all_of([hide, hide_rows], REFUSED) == of_bob
    assert all_of([hide, hide_rows], grpc.StatusCode.OK) == of_alice
    assert SHARED == of_head.visibility == (await kyouko.network()).visibility


async def test_hiding_ends_the_streams_of_others(
    kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """At once and with NOT_FOUND, while the owner's goes on."""
    await kyouko.create_network()
    async with (
        kyouko.stream(metadata=people.bob) as bobs,
        kyouko.stream(metadata=shiori.alice) as own,
    ):
        await bobs.opened()
        await own.opened()

        await update(kyouko, shiori.alice, PRIVATE)

        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await bobs.read()
        await own.send(1, INPUTS[:2], LABELS[:2])
        goes_on = await own.read()
    assert "RESOURCE_NOT_FOUND" == info_of(ended.value).reason
    assert "result" == goes_on.WhichOneof("message")


async def test_hiding_ends_the_reads_of_others(
    kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """A reader who may not know of the data set any more gets no further rows."""
    await shiori.upload_csv("kinds", "a\n" + "0.123456789\n" * 3_000_000)
    call = shiori.stub.ReadDataset(
        dataset_service_pb2.ReadDatasetRequest(name=KINDS), metadata=people.bob
    )
    first = await call.read()

    await update_rows(shiori, shiori.alice, PRIVATE)

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await rest_of(call)
    assert 0 == first.start_row
    assert "RESOURCE_NOT_FOUND" == info_of(ended.value).reason


@pytest.mark.parametrize(
    ("of_network", "of_rows", "expected"),
    [(SHARED, SHARED, SHARED), (PRIVATE, SHARED, PRIVATE), (SHARED, PRIVATE, PRIVATE),
     (PUBLIC, PUBLIC, SHARED)],
)  # fmt: skip
async def test_predictions_are_as_private_as_what_they_are_of(
    kyouko: RunningKyouko,
    shiori: RunningShiori,
    of_network: "visibility_pb2.Visibility.ValueType",
    of_rows: "visibility_pb2.Visibility.ValueType",
    expected: "visibility_pb2.Visibility.ValueType",
) -> None:
    """They belong to who made the task, though a service has uploaded them."""
    await kyouko.create_network(visibility=of_network)
    await upload_two_kinds(shiori)
    await update_rows(shiori, shiori.alice, of_rows)
    task = await kyouko.create_task("kinds", learn=False, result_dataset_id="results")

    await kyouko.finish(task)

    result = await shiori.stub.GetDataset(
        dataset_service_pb2.GetDatasetRequest(name=f"{PARENT}/datasets/results"),
        metadata=shiori.alice,
    )
    found = (result.creator, result.owner, result.visibility)
    assert ("services/kyouko", "users/alice", expected) == found


async def test_people_cannot_upload_for_others(shiori: RunningShiori) -> None:
    """The field is for services."""
    told = await refusal(
        shiori.upload_csv(
            "kinds", "a\n1\n", owner=dataset_service_pb2.UploadOwner(name="users/bob")
        )
    )

    assert ("FIELD_INVALID", ("open.owner",)) == (told.reason, told.fields)


async def test_a_device_reaches_what_its_key_names(
    misaki: RunningMisaki, kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """The scope wins: project admins make keys, and know of everything in their project."""
    await kyouko.create_network(visibility=PRIVATE)
    inside = device(misaki, ["predict"])
    outside = device(misaki, ["predict"], project="rocks")
    await update(kyouko, shiori.alice, PUBLIC)
    await update(kyouko, shiori.alice, PRIVATE)

    of_inside = await endings([infer, stream], kyouko, shiori, inside)
    await update(kyouko, shiori.alice, PUBLIC)
    of_outside = await endings([infer, stream], kyouko, shiori, outside)

    assert all_of([infer, stream], grpc.StatusCode.OK) == of_inside
    assert all_of([infer, stream], MISSING) == of_outside


async def test_a_task_reads_no_later_data_set_of_the_name(
    kyouko: RunningKyouko, shiori: RunningShiori, people: People
) -> None:
    """Whoever made the task may not know of that one: to the task it is not there either."""
    await kyouko.create_network()
    await shiori.upload_csv("slow", csv_of_two_kinds(100_000), target_column="kind")
    await upload_two_kinds(shiori)
    first = await kyouko.create_task("slow")
    waiting = await kyouko.create_task("kinds")
    await shiori.stub.DeleteDataset(
        dataset_service_pb2.DeleteDatasetRequest(name=KINDS), metadata=people.bob
    )
    later = {"data": csv_of_two_kinds(300).encode()}
    await shiori.stub.UploadDataset(
        messages_of("kinds", later, target_column="kind", visibility=PRIVATE), metadata=people.bob
    )

    await kyouko.cancel(first.name)
    ended = await kyouko.finish(waiting)

    assert task_service_pb2.TASK_STATE_FAILED == ended.state
    assert "RESOURCE_NOT_FOUND" == reason_in(ended.error).reason
    assert 0 == ended.progress.done_rows
