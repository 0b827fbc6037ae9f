"""Health and reflection of a real misaki, and misaki on PostgreSQL."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hanami.misaki.v1 import user_service_pb2

from tests.integration.meshes import RunningMisaki, start_misaki
from tests.integration.statuses import refusal

SERVICES = {
    "hanami.misaki.v1.TokenService",
    "hanami.misaki.v1.SessionService",
    "hanami.misaki.v1.ApiKeyService",
    "hanami.misaki.v1.ClientService",
    "hanami.misaki.v1.OauthService",
    "hanami.misaki.v1.SigningKeyService",
    "hanami.misaki.v1.ProviderLoginService",
    "hanami.misaki.v1.UserService",
    "hanami.misaki.v1.ProjectService",
}


async def test_every_service_is_healthy(misaki: RunningMisaki) -> None:
    """The whole of misaki, its services and its database serve."""
    stub = health_pb2_grpc.HealthStub(misaki.channel)

    states = {
        name: (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status
        for name in ("", "dependencies.database", *SERVICES)
    }

    assert {health_pb2.HealthCheckResponse.SERVING} == set(states.values())


async def test_reflection_tells_the_contracts(misaki: RunningMisaki) -> None:
    """The services are listed, and a file of the contract can be had."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(misaki.channel)  # type: ignore[arg-type]  # typed for the blocking API
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="hanami.misaki.v1.UserService"
        ),
    ]

    answers = [answer async for answer in stub.ServerReflectionInfo(iter(requests))]

    listed = {service.name for service in answers[0].list_services_response.service}
    assert listed >= SERVICES
    assert answers[1].file_descriptor_response.file_descriptor_proto


@pytest.mark.postgres
async def test_it_works_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    """Users, pages, repeated calls and refusals are the same on PostgreSQL."""
    async with start_misaki(tmp_path, database_url=postgres_url) as misaki:
        await misaki.create_project("garden")
        alice = await misaki.create_user("alice", garden="VIEWER")
        admin = await misaki.admin()
        request = user_service_pb2.CreateUserRequest(
            user_id="bob", password="long enough", request_id="0b0e9a52-7d0a-4b6c-9a4f-1c7ce0cfa9a1"
        )
        first, second = [await misaki.users.CreateUser(request, metadata=admin) for _ in range(2)]
        page = await misaki.users.ListUsers(
            user_service_pb2.ListUsersRequest(page_size=2), metadata=admin
        )
        other = await refusal(
            misaki.users.GetUser(user_service_pb2.GetUserRequest(name="users/bob"), metadata=alice)
        )

    assert first == second
    assert ["users/alice", "users/bob"] == [user.name for user in page.users]
    assert page.next_page_token
    assert grpc.StatusCode.NOT_FOUND == other.code


@pytest.mark.postgres
async def test_two_first_starts_at_once_on_one_database(tmp_path: Path, postgres_url: str) -> None:
    """Two instances that start together migrate once and make one admin."""
    async with AsyncExitStack() as stack:
        one, two = await asyncio.gather(
            *(
                stack.enter_async_context(start_misaki(tmp_path / name, database_url=postgres_url))
                for name in ("one", "two")
            )
        )
        users = await two.users.ListUsers(
            user_service_pb2.ListUsersRequest(), metadata=await two.admin()
        )
        pair = await one.log_in()

    assert [pair.user] == [user.name for user in users.users]
