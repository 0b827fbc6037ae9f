"""What misaki changes about access counts in kyouko within a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2
from hanami.misaki.v1 import (
    access_service_pb2,
    policy_service_pb2,
    policy_service_pb2_grpc,
    project_service_pb2,
    user_service_pb2,
)
from hanami.type.v1 import access_pb2

from tests.integration.kyouko.servers import (
    NETWORK,
    PARENT,
    RunningKyouko,
    Stream,
    info_of,
    start_kyouko,
)
from tests.integration.meshes import RunningMisaki, start_misaki
from tests.integration.shiori.servers import RunningShiori

SECOND = 1.0


async def delete_user(misaki: RunningMisaki) -> None:
    """Delete alice."""
    await misaki.users.DeleteUser(
        user_service_pb2.DeleteUserRequest(name="users/alice"), metadata=await misaki.admin()
    )


async def delete_member(misaki: RunningMisaki) -> None:
    """Take alice's role in the project away."""
    name = f"{PARENT}/members/alice"
    request = project_service_pb2.DeleteMemberRequest(name=name)
    await misaki.projects.DeleteMember(request, metadata=await misaki.admin())


async def end_of(read: Callable[[], Awaitable[Any]]) -> str:
    """Read until it fails; returns the reason."""
    try:
        while True:
            await read()
    except grpc.aio.AioRpcError as error:
        return str(info_of(error).reason)


async def reason_of(call: Awaitable[Any]) -> str:
    """Return why a call fails; empty when it does not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(info_of(error).reason)
    return ""


def networks_of(kyouko: RunningKyouko) -> Awaitable[Any]:
    """Return a call of alice's."""
    request = network_service_pb2.ListNetworksRequest(parent=PARENT)
    return kyouko.networks.ListNetworks(request, metadata=kyouko.alice)


async def hears_of_changes(kyouko: RunningKyouko) -> bool:
    """Return whether health says that changes of access come in."""
    stub: Any = health_pb2_grpc.HealthStub(kyouko.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service="dependencies.access"))
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _not(holds: Awaitable[bool]) -> bool:
    return not await holds


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    while True:
        if await holds():
            return
        await asyncio.sleep(0.01)


async def fails_with(kyouko: RunningKyouko, reason: str) -> bool:
    """Return whether a call of alice's fails for a reason; an empty one means that it works."""
    return await reason_of(networks_of(kyouko)) == reason


async def is_shut_out(kyouko: RunningKyouko) -> bool:
    """Return whether alice's token has been taken back."""
    return await fails_with(kyouko, "TOKEN_REVOKED")


@pytest.mark.parametrize("change", [delete_user, delete_member])
async def test_token_taken_back_is_refused_within_a_second(
    misaki: RunningMisaki, kyouko: RunningKyouko, change: Callable[[RunningMisaki], Awaitable[None]]
) -> None:
    """Calls are refused and open streams end, in one piece and in two halves."""
    await kyouko.create_network()
    predict = pb.LEARN_MODE_PREDICT
    opening = pb.LearnOpen(network=NETWORK, mode=predict)
    halves = kyouko.learning.OpenLearning(
        pb.OpenLearningRequest(open=opening), metadata=kyouko.alice
    )
    async with kyouko.stream() as learning, kyouko.stream(predict) as predicting:
        streams = [learning, predicting, Stream(halves)]
        for stream in streams:
            await stream.opened()

        await change(misaki)
        changed = time.monotonic()
        ends = await asyncio.gather(*(end_of(stream.read) for stream in streams))
        refused = await reason_of(networks_of(kyouko))
        seconds = time.monotonic() - changed

    assert ["TOKEN_REVOKED"] * 3 == ends
    assert "TOKEN_REVOKED" == refused
    assert seconds < SECOND


async def test_policy_counts_within_a_second(misaki: RunningMisaki, kyouko: RunningKyouko) -> None:
    """UpdatePolicy shuts members out of kyouko's methods, open streams too, and lets them in."""
    await kyouko.create_network()
    policies: Any = policy_service_pb2_grpc.PolicyServiceStub(misaki.channel)
    admin = await misaki.admin()
    methods = ("NetworkService/ListNetworks", "LearningService/Learn")
    rules = [
        access_service_pb2.MethodRoles(
            method=f"/hanami.kyouko.v1.{method}", roles=[access_pb2.ROLE_ADMIN]
        )
        for method in methods
    ]
    async with kyouko.stream() as stream:
        await stream.opened()

        changed = time.monotonic()
        await policies.UpdatePolicy(
            policy_service_pb2.UpdatePolicyRequest(rules=rules), metadata=admin
        )
        end = await end_of(stream.read)
        await until(lambda: fails_with(kyouko, "ROLE_INSUFFICIENT"))
        shut_out = time.monotonic() - changed
    await policies.RollbackPolicy(
        policy_service_pb2.RollbackPolicyRequest(name="policies/0"), metadata=admin
    )
    changed = time.monotonic()
    await until(lambda: fails_with(kyouko, ""))
    let_in = time.monotonic() - changed

    assert "ROLE_INSUFFICIENT" == end
    assert max(shut_out, let_in) < SECOND


async def test_state_is_known_before_the_first_call(
    misaki: RunningMisaki, kyouko: RunningKyouko, shiori: RunningShiori, tmp_path: Path
) -> None:
    """A kyouko that starts later refuses a token that was taken back before, from the start."""
    await delete_member(misaki)

    async with start_kyouko(misaki, "127.0.0.1:1", tmp_path / "later", shiori.alice) as later:
        refused = await reason_of(networks_of(later))

    assert "TOKEN_REVOKED" == refused


async def test_last_state_counts_while_misaki_is_away(tmp_path: Path) -> None:
    """Who was shut out stays out, everybody else goes on, and health tells of it."""
    async with start_misaki(tmp_path / "misaki") as misaki:
        await misaki.create_project("flowers")
        alice = await misaki.create_user("alice", flowers="MEMBER")
        bob = await misaki.create_user("bob", flowers="MEMBER")
        kyouko_folder = tmp_path / "kyouko"
        starting = start_kyouko(misaki, "127.0.0.1:1", kyouko_folder, alice)
        kyouko = await starting.__aenter__()
        await until(lambda: hears_of_changes(kyouko))
        assert "" == await reason_of(networks_of(kyouko))
        await delete_member(misaki)
        await until(lambda: is_shut_out(kyouko))
    try:
        await until(lambda: _not(hears_of_changes(kyouko)))

        request = network_service_pb2.ListNetworksRequest(parent=PARENT)
        of_bob = await reason_of(kyouko.networks.ListNetworks(request, metadata=bob))
        of_alice = await reason_of(networks_of(kyouko))
    finally:
        await starting.__aexit__(None, None, None)

    assert ("TOKEN_REVOKED", "") == (of_alice, of_bob)


async def test_changes_come_again_when_misaki_is_back(tmp_path: Path) -> None:
    """A revocation made after a restart of misaki reaches a kyouko that was there before."""
    async with start_misaki(tmp_path / "misaki") as misaki:
        await misaki.create_project("flowers")
        alice = await misaki.create_user("alice", flowers="MEMBER")
        port = misaki.running.port
        starting = start_kyouko(misaki, "127.0.0.1:1", tmp_path / "kyouko", alice)
        kyouko = await starting.__aenter__()
        assert "" == await reason_of(networks_of(kyouko))
    try:
        async with start_misaki(tmp_path / "misaki", listen=f"127.0.0.1:{port}") as back:
            await until(lambda: hears_of_changes(kyouko))
            await delete_member(back)
            changed = time.monotonic()
            await until(lambda: is_shut_out(kyouko))
            seconds = time.monotonic() - changed
    finally:
        await starting.__aexit__(None, None, None)

    assert seconds < SECOND
