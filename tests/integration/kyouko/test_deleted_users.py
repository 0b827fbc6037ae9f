"""What a deleted user leaves belongs to the project, and not to a later user of the name."""

import uuid

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hanami.kyouko.v1 import network_service_pb2 as pb
from hanami.misaki.v1 import user_service_pb2
from hanami.type.v1 import visibility_pb2

from tests.integration.kyouko.servers import NETWORK, PARENT, RunningKyouko, info_of
from tests.integration.meshes import Metadata, RunningMisaki

PRIVATE = visibility_pb2.VISIBILITY_PRIVATE
SHARED = visibility_pb2.VISIBILITY_SHARED
OTHER = f"{PARENT}/networks/other"


async def succeed_alice(misaki: RunningMisaki) -> Metadata:
    """Delete alice, and make another alice, who is a member too."""
    await misaki.users.DeleteUser(
        user_service_pb2.DeleteUserRequest(name="users/alice"), metadata=await misaki.admin()
    )
    return await misaki.create_user("alice", flowers="MEMBER")


async def names_for(kyouko: RunningKyouko, who: Metadata) -> list[str]:
    """Return the networks that somebody sees."""
    request = pb.ListNetworksRequest(parent=PARENT)
    listed = await kyouko.networks.ListNetworks(request, metadata=who)
    return [network.name for network in listed.networks]


async def test_private_things_of_a_deleted_user_are_for_project_admins(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """They can make them shared again; a later user of the name neither sees nor changes them."""
    head = await misaki.create_user("head", flowers="PROJECT_ADMIN")
    await kyouko.create_network(visibility=PRIVATE)
    await kyouko.create_network("other")
    own = await names_for(kyouko, kyouko.alice)

    later = await succeed_alice(misaki)
    of_later, of_head = await names_for(kyouko, later), await names_for(kyouko, head)
    hiding = pb.UpdateNetworkRequest(
        network=pb.Network(name=OTHER, visibility=PRIVATE),
        update_mask=FieldMask(paths=["visibility"]),
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.networks.UpdateNetwork(hiding, metadata=later)
    showing = pb.UpdateNetworkRequest(
        network=pb.Network(name=NETWORK, visibility=SHARED),
        update_mask=FieldMask(paths=["visibility"]),
    )
    shown = await kyouko.networks.UpdateNetwork(showing, metadata=head)

    assert [NETWORK, OTHER] == own == of_head
    assert [OTHER] == of_later
    assert "ROLE_INSUFFICIENT" == info_of(refused.value).reason
    assert ("users/alice", SHARED) == (shown.owner, shown.visibility)
    assert [NETWORK, OTHER] == await names_for(kyouko, later)


async def test_a_later_user_does_not_go_on_with_a_session(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """Not even with its resume token: to them it is none of a session."""
    await kyouko.create_network()
    async with kyouko.stream() as stream:
        token = (await stream.opened()).resume_token
    async with kyouko.stream(resume_token=token) as stream:
        again = await stream.opened()

    later = await succeed_alice(misaki)
    async with kyouko.stream(metadata=later, resume_token=token) as stream:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stream.read()

    assert token == again.resume_token
    assert "SESSION_UNKNOWN" == info_of(refused.value).reason


async def test_answers_to_a_deleted_user_are_not_repeated_to_a_later_one(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """The same request with the same request_id is a new call of somebody else."""
    request_id = str(uuid.uuid4())
    made = await kyouko.create_network(request_id=request_id)
    again = await kyouko.create_network(request_id=request_id)

    later = await succeed_alice(misaki)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.create_network(metadata=later, request_id=request_id)

    assert made == again
    assert "RESOURCE_EXISTS" == info_of(refused.value).reason
