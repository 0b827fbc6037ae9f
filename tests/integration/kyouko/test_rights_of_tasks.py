"""Tasks over real services: their makers' rights of now count, and the data set of then."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hanami.kyouko.v1 import task_service_pb2
from hanami.misaki.v1 import project_service_pb2, project_service_pb2_grpc
from hanami.shiori.v1 import dataset_service_pb2
from hanami.type.v1 import visibility_pb2

from tests.integration.kyouko.servers import (
    NETWORK,
    PARENT,
    RunningKyouko,
    csv_of_two_kinds,
    reason_in,
    upload_two_kinds,
)
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori

FAILED = task_service_pb2.TASK_STATE_FAILED
KINDS = f"{PARENT}/datasets/kinds"
LONG = 10_000


async def queue(kyouko: RunningKyouko, who: Metadata, dataset: str, **fields: Any) -> Any:
    """Queue a task of somebody."""
    request = task_service_pb2.CreateTaskRequest(
        parent=NETWORK,
        kind=task_service_pb2.TASK_KIND_LEARN,
        dataset=f"{PARENT}/datasets/{dataset}",
        **fields,
    )
    return await kyouko.tasks.CreateTask(request, metadata=who)


async def hide(shiori: RunningShiori) -> None:
    """Let alice make her data set private."""
    dataset = dataset_service_pb2.Dataset(name=KINDS, visibility=visibility_pb2.VISIBILITY_PRIVATE)
    request = dataset_service_pb2.UpdateDatasetRequest(
        dataset=dataset, update_mask=FieldMask(paths=["visibility"])
    )
    await shiori.stub.UpdateDataset(request, metadata=shiori.alice)


async def replace(shiori: RunningShiori) -> None:
    """Put another data set in the place of one."""
    request = dataset_service_pb2.DeleteDatasetRequest(name=KINDS)
    await shiori.stub.DeleteDataset(request, metadata=shiori.alice)
    await shiori.upload_csv("kinds", csv_of_two_kinds(), target_column="kind")


@pytest.mark.parametrize(
    ("change", "reason"), [(hide, "RESOURCE_NOT_FOUND"), (replace, "ETAG_MISMATCH")]
)
async def test_waiting_tasks_read_what_they_were_made_for_and_may_read(
    misaki: RunningMisaki, shiori: RunningShiori, kyouko: RunningKyouko, change: Any, reason: str
) -> None:
    """A data set that was hidden from the maker, or replaced, is not there for the task."""
    bob = await misaki.create_user("bob", flowers="MEMBER")
    await kyouko.create_network()
    await upload_two_kinds(shiori)
    await upload_two_kinds(shiori, "others", 2000)
    first = await queue(kyouko, bob, "others", epochs=LONG)
    waiting = await queue(kyouko, bob, "kinds")
    await kyouko.progressing(first.name)

    await change(shiori)
    await kyouko.cancel(first.name)
    await kyouko.finish(waiting)
    # To its maker: what is gone, or was replaced, is named to nobody else.
    asked = task_service_pb2.GetTaskRequest(name=waiting.name)
    ended = await kyouko.tasks.GetTask(asked, metadata=bob)

    assert (FAILED, 0) == (ended.state, ended.progress.done_rows)
    assert reason == reason_in(ended.error).reason
    assert KINDS == reason_in(ended.error).metadata["resource"]


async def test_rows_stop_when_they_are_hidden(
    misaki: RunningMisaki, shiori: RunningShiori, kyouko: RunningKyouko
) -> None:
    """A task at work ends when its data set is hidden from whoever made it."""
    bob = await misaki.create_user("bob", flowers="MEMBER")
    await kyouko.create_network()
    await upload_two_kinds(shiori)
    task = await queue(kyouko, bob, "kinds", epochs=LONG)
    await kyouko.progressing(task.name)

    await hide(shiori)
    ended = await kyouko.finish(task)

    assert FAILED == ended.state
    assert KINDS == reason_in(ended.error).metadata["resource"]


async def test_tasks_of_a_removed_member_end(
    misaki: RunningMisaki, shiori: RunningShiori, kyouko: RunningKyouko
) -> None:
    """The one at work at once, the waiting one at its turn."""
    bob = await misaki.create_user("bob", flowers="MEMBER")
    await kyouko.create_network()
    await upload_two_kinds(shiori)
    at_work = await queue(kyouko, bob, "kinds", epochs=LONG)
    waiting = await queue(kyouko, bob, "kinds")
    await kyouko.progressing(at_work.name)

    async with grpc.aio.insecure_channel(misaki.address) as channel:
        stub: Any = project_service_pb2_grpc.ProjectServiceStub(channel)
        member = project_service_pb2.DeleteMemberRequest(name=f"{PARENT}/members/bob")
        await stub.DeleteMember(member, metadata=await misaki.admin())
    ended = [await kyouko.finish(at_work), await kyouko.finish(waiting)]

    assert [FAILED, FAILED] == [task.state for task in ended]
    assert {"RESOURCE_NOT_FOUND"} == {reason_in(task.error).reason for task in ended}
