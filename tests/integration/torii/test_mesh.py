"""What torii tells about the mesh: status, mirrored health, reflection, and the page."""

import asyncio

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hanami.torii.v1 import mesh_service_pb2 as pb
from hanami.torii.v1 import mesh_service_pb2_grpc

from tests.integration.meshes import RunningMisaki, bearer
from tests.integration.torii.doors import RunningTorii, start_torii
from tests.integration.torii.echo import RunningEcho
from torii.contracts import grpc_services

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health_of(torii: RunningTorii, name: str) -> int:
    """Ask torii how something is."""
    request = health_pb2.HealthCheckRequest(service=name)
    return int((await health_pb2_grpc.HealthStub(torii.channel).Check(request)).status)


async def becomes(torii: RunningTorii, name: str, wanted: int) -> bool:
    """Return whether torii says so within some seconds."""
    for _ in range(2500):
        if await health_of(torii, name) == wanted:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_the_status_names_the_living_and_the_dead(torii: RunningTorii) -> None:
    """Services that do not answer are part of the status, and cost little time."""
    stub = mesh_service_pb2_grpc.MeshServiceStub(torii.channel)
    assert await becomes(torii, "torii", SERVING)

    async with asyncio.timeout(3):
        status = await stub.GetMeshStatus(
            pb.GetMeshStatusRequest(), metadata=bearer(await torii.token())
        )

    assert {
        "azuki": pb.HEALTH_UNREACHABLE,
        "kyouko": pb.HEALTH_SERVING,
        "misaki": pb.HEALTH_SERVING,
        "shiori": pb.HEALTH_UNREACHABLE,
        "torii": pb.HEALTH_SERVING,
    } == {service.service: service.health for service in status.services}
    assert {"kyouko", "misaki", "torii"} == {
        service.service for service in status.services if service.HasField("latency")
    }
    assert status.version


async def test_strangers_learn_nothing_of_the_mesh(torii: RunningTorii) -> None:
    """The status needs a token."""
    stub = mesh_service_pb2_grpc.MeshServiceStub(torii.channel)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetMeshStatus(pb.GetMeshStatusRequest())

    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("misaki", SERVING),
        ("hanami.misaki.v1.TokenService", SERVING),
        ("hanami.kyouko.v1.TaskService", SERVING),
        ("shiori", NOT_SERVING),
        ("hanami.azuki.v1.MonitoringService", NOT_SERVING),
        ("torii", SERVING),
        ("hanami.torii.v1.MeshService", SERVING),
        ("", SERVING),
    ],
)
async def test_health_of_all_is_told_here(torii: RunningTorii, name: str, wanted: int) -> None:
    """Every service's health can be asked at torii, by short and by full name."""
    assert await becomes(torii, name, wanted)


async def test_health_follows_a_service_that_stops(torii: RunningTorii, echo: RunningEcho) -> None:
    """A service that goes away is NOT_SERVING soon after; torii itself stays up."""
    assert await becomes(torii, "kyouko", SERVING)

    await echo.server.stop(None)

    assert await becomes(torii, "kyouko", NOT_SERVING)
    assert await becomes(torii, "hanami.kyouko.v1.LearningService", NOT_SERVING)
    assert await health_of(torii, "") == SERVING


async def test_health_follows_a_service_that_says_it_does_not_serve(
    misaki: RunningMisaki, torii: RunningTorii
) -> None:
    """NOT_SERVING is told on as it is."""
    assert await becomes(torii, "misaki", SERVING)

    await misaki.running.health.enter_graceful_shutdown()

    assert await becomes(torii, "misaki", NOT_SERVING)


async def test_reflection_knows_every_contract(torii: RunningTorii) -> None:
    """Tools find all services and their methods through torii."""
    stub = reflection_pb2_grpc.ServerReflectionStub(torii.channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="hanami.kyouko.v1.LearningService"
        ),
    ]

    answers = [answer async for answer in stub.ServerReflectionInfo(iter(requests))]

    listed = [service.name for service in answers[0].list_services_response.service]
    assert {name for names in grpc_services().values() for name in names} <= set(listed)
    assert len(set(listed)) == len(listed)
    assert answers[1].file_descriptor_response.file_descriptor_proto


async def test_the_page_comes_with_its_policy(torii: RunningTorii) -> None:
    """The start page is served with the headers that keep it to itself."""
    async with httpx.AsyncClient(base_url=torii.http, trust_env=False) as client:
        page = await client.get("/")
        script = await client.get(page.text.split('src="')[1].split('"')[0])
        missing = await client.get("/nothing")

    assert (200, 200, 404) == (page.status_code, script.status_code, missing.status_code)
    assert "<title>Hanami</title>" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "server" not in page.headers


async def test_the_websocket_path_says_what_it_speaks(torii: RunningTorii) -> None:
    """Plain HTTP at the websocket's path is told to upgrade."""
    async with httpx.AsyncClient(base_url=torii.http, trust_env=False) as client:
        answer = await client.get("/v1/learn")

    assert answer.status_code == 426
    assert "websocket" in answer.text


async def test_an_occupied_port_is_said_so(misaki: RunningMisaki, torii: RunningTorii) -> None:
    """A second torii on the same address does not start, and names the address."""
    with pytest.raises(SystemExit, match=str(torii.http_port)):
        async with start_torii(misaki, http_listen=f"127.0.0.1:{torii.http_port}"):
            raise AssertionError("it started")
