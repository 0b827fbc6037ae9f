"""Who may do what with the data sets of a project, on the wire."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from hanami.shiori.v1 import dataset_service_pb2 as pb

from tests.integration.meshes import Metadata, RunningMisaki, bearer
from tests.integration.shiori.servers import (
    PARENT,
    RunningShiori,
    messages_of,
    name_of,
    reason_of,
)

Call = Callable[[RunningShiori, Metadata], Awaitable[Any]]
NAME = name_of("iris")


async def upload(shiori: RunningShiori, who: Metadata) -> pb.Dataset:
    """Upload another data set."""
    return await shiori.stub.UploadDataset(
        messages_of("new", {"data": b"a,b\n1,2\n"}), metadata=who
    )


async def get(shiori: RunningShiori, who: Metadata) -> pb.Dataset:
    """Get the data set."""
    return await shiori.stub.GetDataset(pb.GetDatasetRequest(name=NAME), metadata=who)


async def list_(shiori: RunningShiori, who: Metadata) -> pb.ListDatasetsResponse:
    """List the project's data sets."""
    return await shiori.stub.ListDatasets(pb.ListDatasetsRequest(parent=PARENT), metadata=who)


async def delete(shiori: RunningShiori, who: Metadata) -> Empty:
    """Delete the data set."""
    return await shiori.stub.DeleteDataset(pb.DeleteDatasetRequest(name=NAME), metadata=who)


async def read(shiori: RunningShiori, who: Metadata) -> list[pb.ReadDatasetResponse]:
    """Read the data set."""
    return [
        answer
        async for answer in shiori.stub.ReadDataset(pb.ReadDatasetRequest(name=NAME), metadata=who)
    ]


CALLS: list[Call] = [upload, get, list_, read, delete]


@pytest.fixture
async def iris(shiori: RunningShiori) -> pb.Dataset:
    """Upload a data set as alice."""
    return await shiori.upload_csv("iris", "a,b\n1,2\n3,4\n")


async def code_of(call: Call, shiori: RunningShiori, who: Metadata) -> grpc.StatusCode:
    """Return how a call ends."""
    try:
        await call(shiori, who)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.usefixtures("iris")
@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("PROJECT_ADMIN", {upload, get, list_, read, delete}),
        ("MEMBER", {upload, get, list_, read, delete}),
        ("VIEWER", {get, list_, read}),
    ],
)
async def test_role_in_the_project_decides(
    misaki: RunningMisaki, shiori: RunningShiori, role: str, allowed: set[Call]
) -> None:
    """Members work with data sets, viewers only look."""
    bob = await misaki.create_user("bob", flowers=role)

    actual = {call: await code_of(call, shiori, bob) for call in CALLS}

    denied = grpc.StatusCode.PERMISSION_DENIED
    assert {c: grpc.StatusCode.OK if c in allowed else denied for c in CALLS} == actual


@pytest.mark.usefixtures("iris")
async def test_service_reads_and_uploads_but_deletes_nothing(
    misaki: RunningMisaki, shiori: RunningShiori
) -> None:
    """Another service of the mesh may read any project's data sets."""
    kyouko = await misaki.service("kyouko")

    actual = [await code_of(call, shiori, kyouko) for call in CALLS]

    ok, denied = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED
    assert [ok, ok, denied, ok, denied] == actual


@pytest.mark.usefixtures("iris")
async def test_stranger_finds_nothing(misaki: RunningMisaki, shiori: RunningShiori) -> None:
    """A data set of another project and one that does not exist answer alike."""
    await misaki.create_project("others")
    mallory = await misaki.create_user("mallory", others="PROJECT_ADMIN")

    for call in CALLS:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(shiori, mallory)

        assert grpc.StatusCode.NOT_FOUND == caught.value.code()
        assert "RESOURCE_NOT_FOUND" == reason_of(caught.value).reason
    assert [NAME] == await shiori.names()


@pytest.mark.usefixtures("iris")
@pytest.mark.parametrize("who", [(), bearer("nonsense"), (("authorization", "Basic x"),)])
async def test_without_a_valid_token_nothing_goes(shiori: RunningShiori, who: Metadata) -> None:
    """Every method refuses a missing and a foreign token."""
    actual = [await code_of(call, shiori, who) for call in CALLS]

    assert [grpc.StatusCode.UNAUTHENTICATED] * len(CALLS) == actual


async def test_missing_data_set_is_not_found(shiori: RunningShiori) -> None:
    """Get, read and delete of a name that nobody has taken say so."""
    actual = [await code_of(call, shiori, shiori.alice) for call in (get, read, delete)]

    assert [grpc.StatusCode.NOT_FOUND] * 3 == actual
