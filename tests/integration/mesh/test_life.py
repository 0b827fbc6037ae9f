"""Health, reflection, and how a server ends."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hanami.kyouko.v1 import task_service_pb2
from structlog.testing import capture_logs

from mesh.health import Dependency
from tests.integration.mesh.garden import USER, Garden, RunningGarden, planted

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = [
    "",
    "hanami.misaki.v1.UserService",
    "hanami.kyouko.v1.TaskService",
    "hanami.shiori.v1.DatasetService",
    "hanami.kyouko.v1.LearningService",
]


class Switch:
    """A dependency that a test turns off and on."""

    def __init__(self) -> None:
        self.on = True

    async def __call__(self) -> None:
        """Fail when turned off."""
        if not self.on:
            raise ConnectionError("off")


async def _health(garden: RunningGarden, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(garden.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    status: int = answer.status
    return status


async def _until(garden: RunningGarden, status: int) -> None:
    stub = health_pb2_grpc.HealthStub(garden.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=10)
    async for answer in watch:
        if answer.status == status:
            watch.cancel()
            return


async def test_every_service_has_its_health() -> None:
    """The server as a whole and each of its services serve, without a token."""
    async with planted() as garden:
        states = [await _health(garden, service) for service in SERVICES]

    assert [SERVING] * len(SERVICES) == states


async def test_unknown_service_has_no_health() -> None:
    """A name that is not ours is NOT_FOUND."""
    async with planted() as garden:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _health(garden, "hanami.nobody.v1.Service")

    assert grpc.StatusCode.NOT_FOUND == caught.value.code()


async def test_health_follows_a_required_dependency() -> None:
    """Without it nothing serves; when it is back everything does."""
    store = Switch()

    async with planted(dependencies=[Dependency("store", store)]) as garden:
        store.on = False
        await _until(garden, NOT_SERVING)
        lost = [await _health(garden, name) for name in (*SERVICES, "dependencies.store")]
        store.on = True
        await _until(garden, SERVING)
        back = [await _health(garden, name) for name in (*SERVICES, "dependencies.store")]

    assert {NOT_SERVING} == set(lost)
    assert {SERVING} == set(back)


async def test_optional_dependency_has_a_health_of_its_own() -> None:
    """Without it the service still serves, and says what is missing."""
    store = Switch()
    store.on = False

    async with planted(dependencies=[Dependency("store", store, required=False)]) as garden:
        states = (await _health(garden), await _health(garden, "dependencies.store"))

    assert (SERVING, NOT_SERVING) == states


async def test_dependency_that_hangs_is_lost() -> None:
    """A check that does not answer in time counts as failed."""

    async def hang() -> None:
        await asyncio.sleep(60)

    async with planted(dependencies=[Dependency("store", hang)]) as garden:
        state = await _health(garden)

    assert NOT_SERVING == state


async def test_lost_dependency_is_no_reason_to_die() -> None:
    """`liveness` serves though nothing else does."""
    store = Switch()
    store.on = False

    async with planted(dependencies=[Dependency("store", store)]) as garden:
        states = (await _health(garden), await _health(garden, "liveness"))

    assert (NOT_SERVING, SERVING) == states


async def test_liveness_holds_while_calls_end() -> None:
    """A server that drains is alive: what watches over it must not cut its calls off."""
    async with planted() as garden:
        await garden.running.health.enter_graceful_shutdown()
        states = (await _health(garden), await _health(garden, "liveness"))

    assert (NOT_SERVING, SERVING) == states


async def test_reflection_lists_the_services() -> None:
    """Reflection tells all services without a token, the standard ones included."""
    async with planted() as garden:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(garden.channel)  # type: ignore[arg-type]  # typed for the blocking API
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        call = stub.ServerReflectionInfo(iter([request]))
        answer = await call.read()

    names = {service.name for service in answer.list_services_response.service}
    standard = {
        "grpc.health.v1.Health",
        "grpc.channelz.v1.Channelz",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert {*SERVICES[1:], *standard} == names


async def test_running_call_ends_well_while_the_server_stops() -> None:
    """A call under way gets its answer; the application drains meanwhile."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> Any:
        arrived.set()
        await go_on.wait()
        return USER

    garden = Garden(unary=wait)
    server = planted(garden)
    running = await server.__aenter__()
    call = running.get_user()
    await arrived.wait()
    stopping = asyncio.create_task(server.__aexit__(None, None, None))
    async with asyncio.timeout(30):
        await garden.drained.wait()
    go_on.set()

    answer = await call

    await stopping
    assert USER == answer


async def test_dead_watcher_does_not_hold_up_the_end() -> None:
    """A task beside the server that fails is in the log, and the server still drains."""

    async def die(_: Any) -> None:
        raise ZeroDivisionError("ours")

    with capture_logs() as logs:
        async with planted(watch_health=die) as garden:
            await garden.get_user()

    assert garden.garden.drained.is_set()
    assert ["ZeroDivisionError('ours')"] == [
        line["error"] for line in logs if line["event"] == "a watcher has died"
    ]


async def test_stuck_call_is_cut_off() -> None:
    """What does not end by itself ends with the time for draining."""

    async def stuck(_: Any) -> AsyncIterator[Any]:
        yield task_service_pb2.Task(name="first")
        await asyncio.sleep(60)

    async with planted(Garden(stream=stuck), drain_seconds=0.2) as garden:
        call = garden.watch_task()
        await call.read()
        started = time.monotonic()

    assert time.monotonic() - started < 5
    assert grpc.StatusCode.OK != await call.code()


async def test_watchers_of_health_hear_of_the_end_and_do_not_delay_it() -> None:
    """Health streams tell NOT_SERVING and end, long before the time for draining."""
    server = planted(drain_seconds=30.0)
    garden = await server.__aenter__()

    async with grpc.aio.insecure_channel(f"127.0.0.1:{garden.running.port}") as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        answers = aiter(watch)
        first = await anext(answers)
        started = time.monotonic()
        stopping = asyncio.create_task(server.__aexit__(None, None, None))
        rest = [answer.status async for answer in answers]
        await stopping

    assert SERVING == first.status
    assert {NOT_SERVING} == set(rest)
    assert time.monotonic() - started < 10


async def test_watchers_of_health_hear_of_changes() -> None:
    """A health stream tells each change as it comes."""
    store = Switch()

    async with planted(dependencies=[Dependency("store", store)]) as garden:
        stub = health_pb2_grpc.HealthStub(garden.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICES[1]))
        first = await watch.read()
        store.on = False
        second = await watch.read()
        watch.cancel()

    assert (SERVING, NOT_SERVING) == (first.status, second.status)


async def test_occupied_port_is_a_clear_error() -> None:
    """A server does not share a port with anybody, and says which one is taken."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(SystemExit, match="cannot listen on") as caught:
            async with planted(listen=address):
                pytest.fail("it listens on an occupied port")

    assert address in str(caught.value.code)


async def test_two_servers_do_not_share_a_port() -> None:
    """The second of two servers of ours on one port is refused as well."""
    async with planted() as first:
        with pytest.raises(SystemExit, match="cannot listen on"):
            async with planted(listen=f"127.0.0.1:{first.running.port}"):
                pytest.fail("two servers share a port")
