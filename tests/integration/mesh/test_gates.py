"""What a call passes before it reaches its handler, and in which order."""

from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

from mesh.calls import current_caller, current_token
from tests.integration.mesh.garden import USER, Garden, planted
from tests.integration.statuses import refusal
from tests.signing import Signer

NOT_A_NAME = "nonsense"


async def test_authentication_comes_before_validation() -> None:
    """A stranger is not told what is wrong with the request."""
    async with planted() as garden:
        answer = await refusal(garden.get_user(NOT_A_NAME, metadata=()))

    assert grpc.StatusCode.UNAUTHENTICATED == answer.code


async def test_roles_come_before_validation() -> None:
    """Neither is somebody who may not call the method at all."""
    async with planted() as garden:
        answer = await refusal(garden.upload(metadata=garden.signer.bearer()))

    assert (grpc.StatusCode.PERMISSION_DENIED, "ROLE_INSUFFICIENT") == (
        answer.code,
        answer.reason,
    )


async def test_validation_comes_before_the_handler() -> None:
    """A request that breaks a rule does not reach the domain."""
    async with planted() as garden:
        answer = await refusal(garden.get_user(NOT_A_NAME))

    assert ("FIELD_INVALID", ("name",)) == (answer.reason, answer.fields)
    assert [] == garden.garden.calls


async def test_request_of_a_server_stream_is_validated() -> None:
    """The one request of a stream of answers is checked like that of a unary call."""
    async with planted() as garden:
        answer = await refusal(garden.watch_task(NOT_A_NAME).read())

    assert ("FIELD_INVALID", ("name",)) == (answer.reason, answer.fields)


async def test_two_way_stream_needs_a_token() -> None:
    """A stream is refused before its first message."""
    async with planted() as garden:
        answer = await refusal(garden.learn(metadata=()).read())

    assert {"problem": "missing"} == answer.metadata


async def test_handler_knows_its_caller() -> None:
    """The principal, with its roles, and the token are there for the handler."""
    seen: dict[str, Any] = {}

    async def look(_: Any) -> Any:
        seen["caller"] = current_caller()
        seen["token"] = current_token()
        return USER

    async with planted(Garden(unary=look)) as garden:
        metadata = garden.alice()
        await garden.get_user(metadata=metadata)

    assert "users/alice" == seen["caller"].principal.name
    assert {"garden": "MEMBER"} == seen["caller"].principal.project_roles
    assert "/hanami.misaki.v1.UserService/GetUser" == seen["caller"].rule.method
    assert metadata[0][1] == f"Bearer {seen['token']}"


async def test_callers_of_one_connection_do_not_mix() -> None:
    """Two users on the same channel are told apart, call by call."""
    names: list[str] = []

    async def look(_: Any) -> Any:
        names.append(current_caller().principal.name)
        return USER

    async with planted(Garden(unary=look)) as garden:
        for user in ("users/alice", "users/bob", "users/alice"):
            await garden.get_user(metadata=garden.signer.bearer(user))

    assert ["users/alice", "users/bob", "users/alice"] == names


async def test_token_of_another_mesh_is_foreign() -> None:
    """A token signed by another key is refused."""
    async with planted() as garden:
        answer = await refusal(garden.get_user(metadata=Signer("other").bearer()))

    assert {"problem": "signed by an unknown key"} == answer.metadata


async def test_token_with_many_roles_comes_through() -> None:
    """Metadata of up to 64 KiB is taken, so that a user can have roles in many projects."""
    roles = {f"{number:03}-{'x' * 59}": "PROJECT_ADMIN" for number in range(256)}
    async with planted() as garden:
        metadata = garden.signer.bearer(roles=roles)
        answers = [await garden.get_user(metadata=metadata) for _ in range(20)]

    assert 24 * 1024 < len(metadata[0][1]) < 32 * 1024
    assert [USER] * 20 == answers


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("nobody", grpc.StatusCode.UNAUTHENTICATED),
        ("alice", grpc.StatusCode.PERMISSION_DENIED),
        ("admin", grpc.StatusCode.OK),
        ("service", grpc.StatusCode.OK),
    ],
)
async def test_channelz_is_for_admins_and_services(who: str, code: grpc.StatusCode) -> None:
    """Connections are shown to admins and services only."""
    async with planted() as garden:
        metadata = {
            "nobody": (),
            "alice": garden.alice(),
            "admin": garden.admin(),
            "service": garden.signer.bearer("services/torii"),
        }[who]
        stub = channelz_pb2_grpc.ChannelzStub(garden.channel)
        call = stub.GetServers(channelz_pb2.GetServersRequest(), metadata=metadata)

        assert code == await call.code()
