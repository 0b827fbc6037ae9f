"""What projects and users may have in kyouko, and how callers hear of its end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hanami.inference import grpc_service_pb2, grpc_service_pb2_grpc
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import (
    network_service_pb2,
    task_service_pb2,
    usage_service_pb2,
    usage_service_pb2_grpc,
)

from tests.integration.kyouko.servers import (
    NETWORK,
    PARENT,
    RunningKyouko,
    info_of,
    rows_of_two_kinds,
    start_kyouko,
    upload_two_kinds,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

ALICE = "users/alice"
PUSH_SECONDS = 30.0


async def refused(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """Return the error of a call that has to fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def usage(kyouko: RunningKyouko, user: str = "") -> dict[str, tuple[int, int]]:
    """Return used and limit by quota: of the project, or of a user."""
    stub = usage_service_pb2_grpc.UsageServiceStub(kyouko.channel)
    answer: Any
    if user:
        request = usage_service_pb2.GetUserUsageRequest(user=user)
        answer = await stub.GetUserUsage(request, metadata=kyouko.alice)
    else:
        answer = await stub.GetProjectUsage(
            usage_service_pb2.GetProjectUsageRequest(project=PARENT), metadata=kyouko.alice
        )
    return {one.quota: (one.used, one.limit) for one in answer.usages}


async def until(kyouko: RunningKyouko, is_so: Callable[[dict[str, tuple[int, int]]], bool]) -> None:
    """Wait until the usage of the project is as it should be."""
    deadline = time.monotonic() + PUSH_SECONDS
    while not is_so(await usage(kyouko)):
        assert time.monotonic() < deadline, await usage(kyouko)
        await asyncio.sleep(0.05)


async def limit(misaki: RunningMisaki, kyouko: RunningKyouko, **limits: int) -> None:
    """Limit the project, and wait until kyouko has heard of it."""
    await misaki.limit(PARENT, **limits)
    await until(kyouko, lambda told: all(told[name][1] == most for name, most in limits.items()))


async def learn_some(kyouko: RunningKyouko, rows: int = 100) -> None:
    """Learn rows in a stream that ends well."""
    inputs, labels = rows_of_two_kinds(rows)
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, inputs, labels)
        await stream.read()
        await stream.close()


async def test_networks_at_once_stay_within_the_quota(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """Of ten made at the same time three come to be, as many as allowed; a deletion makes room."""
    await limit(misaki, kyouko, networks=3)

    made = await asyncio.gather(
        *(kyouko.create_network(f"net-{number}") for number in range(10)), return_exceptions=True
    )
    errors = [one for one in made if isinstance(one, grpc.aio.AioRpcError)]
    full = await usage(kyouko)
    there = next(one for one in made if isinstance(one, network_service_pb2.Network))
    await kyouko.networks.DeleteNetwork(
        network_service_pb2.DeleteNetworkRequest(name=there.name), metadata=kyouko.alice
    )
    await kyouko.create_network("after")

    assert 7 == len(errors)
    assert {("QUOTA_EXCEEDED", grpc.StatusCode.RESOURCE_EXHAUSTED)} == {
        (info_of(error).reason, error.code()) for error in errors
    }
    assert (3, 3) == full["networks"] == (await usage(kyouko))["networks"]


async def test_refusal_tells_what_is_used_up(misaki: RunningMisaki, kyouko: RunningKyouko) -> None:
    """ErrorInfo and QuotaFailure name the quota, its limit, and whose it is."""
    await misaki.limit(ALICE, networks=0)
    await asyncio.sleep(0)
    deadline = time.monotonic() + PUSH_SECONDS
    while (await usage(kyouko, ALICE))["networks"][1]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)

    error = await refused(kyouko.create_network())

    status = rpc_status.from_call(error)
    failure = error_details_pb2.QuotaFailure()
    assert status is not None
    assert status.details[1].Unpack(failure)
    assert {"resource": ALICE, "quota": "networks", "limit": "0", "usage": "0"} == dict(
        info_of(error).metadata
    )
    assert (ALICE, "hanami.dev/networks") == (
        failure.violations[0].subject,
        failure.violations[0].quota_metric,
    )


async def test_caller_is_warned_before_the_end(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """From 80 % on an answer carries a line for people; before it has none."""
    await limit(misaki, kyouko, networks=5)
    warnings = []
    for number in range(5):
        request = network_service_pb2.CreateNetworkRequest(
            parent=PARENT, network_id=f"net-{number}", template="templates/flat", channels=4
        )
        call = kyouko.networks.CreateNetwork(request, metadata=kyouko.alice)
        await call
        trailers = await call.trailing_metadata()
        warnings.append([value for key, value in trailers if key == "hanami-quota-warning"])

    assert [
        [],
        [],
        [],
        ["projects/flowers has 4 of 5 networks"],
        ["projects/flowers has 5 of 5 networks"],
    ] == warnings


async def test_rows_per_second_slow_a_stream_down(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """What comes too fast is read later: all of it is answered, none refused, in its time."""
    await kyouko.create_network()
    await limit(misaki, kyouko, rows_per_second=200)
    inputs, labels = rows_of_two_kinds(50)

    async with kyouko.stream() as stream:
        opened = await stream.opened()
        started = time.monotonic()
        for sequence in range(1, 13):
            await stream.send(sequence, inputs, labels)
        answered = [(await stream.read()).result.sequence for _ in range(12)]
        seconds = time.monotonic() - started
        rate = (await usage(kyouko))["rows_per_second"][0]

    assert list(range(1, 13)) == answered
    # 600 rows, of which the first second's worth and the last frame need not wait.
    assert seconds > 1.6
    assert 100 <= rate <= 400
    assert 2000 == opened.max_frame_rows


async def test_calls_beyond_rows_per_second_come_again(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """A single prediction cannot be slowed down: it is refused and told when to come again."""
    await kyouko.create_network()
    await limit(misaki, kyouko, rows_per_second=10)
    stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(kyouko.channel)
    request = grpc_service_pb2.ModelInferRequest(model_name=NETWORK)
    tensor = request.inputs.add(name="inputs", datatype="FP32", shape=[30, 4])
    tensor.contents.fp32_contents[:] = [1.0] * 120
    await stub.ModelInfer(request, metadata=kyouko.alice)

    error = await refused(stub.ModelInfer(request, metadata=kyouko.alice))

    status = rpc_status.from_call(error)
    retry = error_details_pb2.RetryInfo()
    assert status is not None
    assert status.details[2].Unpack(retry)
    assert ("QUOTA_EXCEEDED", "rows_per_second") == (
        info_of(error).reason,
        info_of(error).metadata["quota"],
    )
    assert 1 <= retry.retry_delay.seconds <= 3


async def test_no_rows_at_all_close_streams(misaki: RunningMisaki, kyouko: RunningKyouko) -> None:
    """With a limit of nothing no stream opens."""
    await kyouko.create_network()
    await limit(misaki, kyouko, rows_per_second=0)

    async with kyouko.stream() as stream:
        error = await refused(stream.opened())

    assert "rows_per_second" == info_of(error).metadata["quota"]


async def test_network_that_grows_too_large_gets_no_more_rows(
    misaki: RunningMisaki, shiori: RunningShiori, kyouko: RunningKyouko
) -> None:
    """Streams and tasks that teach it end; it predicts, and learns again when there is room."""
    await upload_two_kinds(shiori)
    await kyouko.create_network()
    await limit(misaki, kyouko, synapses=10)
    inputs, labels = rows_of_two_kinds(100)
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, inputs, labels)
        ended = await refused(_read_on(stream))
    async with kyouko.stream() as stream:
        closed = await refused(stream.opened())
    task = await kyouko.finish(await kyouko.create_task("kinds"))
    async with kyouko.stream(pb.LEARN_MODE_PREDICT) as stream:
        await stream.opened()
        await stream.send(1, inputs)
        predicted = (await stream.read()).result
    grown = (await usage(kyouko))["synapses"][0]
    connections = (await kyouko.network()).statistics.connections
    await limit(misaki, kyouko, synapses=10**9)
    await learn_some(kyouko)

    assert {("QUOTA_EXCEEDED", "synapses")} == {
        (info_of(error).reason, info_of(error).metadata["quota"]) for error in (ended, closed)
    }
    assert (task_service_pb2.TASK_STATE_FAILED, "QUOTA_EXCEEDED") == (
        task.state,
        _reason_of(task),
    )
    assert 1 == predicted.sequence
    assert 10 < grown == connections


def _reason_of(task: task_service_pb2.Task) -> str:
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in task.error.details)
    return info.reason


async def _read_on(stream: Any) -> None:
    while True:
        await stream.read()


async def test_snapshots_have_a_quota(misaki: RunningMisaki, kyouko: RunningKyouko) -> None:
    """One that is asked for counts; one more is refused, unless nothing new is to be kept."""
    await kyouko.create_network()
    await learn_some(kyouko)
    request = network_service_pb2.SnapshotNetworkRequest(name=NETWORK)
    await kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice)
    await until(kyouko, lambda told: told["snapshots"][0] == 1)
    await limit(misaki, kyouko, snapshots=1)

    again = await kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice)
    await learn_some(kyouko)
    error = await refused(kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice))

    assert 100 == again.learned_rows
    assert "snapshots" == info_of(error).metadata["quota"]


async def test_what_there_is_is_known_after_a_restart(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """Networks, synapses and snapshots are counted anew from what is stored."""
    address, folder = f"127.0.0.1:{shiori.running.port}", tmp_path / "again"
    async with start_kyouko(misaki, address, folder, shiori.alice) as kyouko:
        await kyouko.create_network()
        await learn_some(kyouko)
        await until(kyouko, lambda told: told["synapses"][0] > 0)
        before = await usage(kyouko, "users/me")
    async with start_kyouko(misaki, address, folder, shiori.alice) as kyouko:
        after = await usage(kyouko, "users/me")

    assert (1, before["synapses"][0], 1, 0) == tuple(
        after[name][0] for name in ("networks", "synapses", "snapshots", "streams")
    )


async def test_usage_is_for_those_whom_it_concerns(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """Of another project, or another user, nothing is told."""
    await misaki.create_project("trees")
    bob = await misaki.create_user("bob", trees="PROJECT_ADMIN")
    stub = usage_service_pb2_grpc.UsageServiceStub(kyouko.channel)

    errors = [
        await refused(call)
        for call in (
            stub.GetProjectUsage(
                usage_service_pb2.GetProjectUsageRequest(project=PARENT), metadata=bob
            ),
            stub.GetUserUsage(usage_service_pb2.GetUserUsageRequest(user=ALICE), metadata=bob),
        )
    ]

    assert [grpc.StatusCode.NOT_FOUND] * 2 == [error.code() for error in errors]


async def test_open_streams_are_counted(kyouko: RunningKyouko) -> None:
    """A stream counts as long as it is open."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        await stream.opened()
        during = (await usage(kyouko))["streams"]
        await stream.close()
        await stream.call.code()

    await until(kyouko, lambda told: told["streams"][0] == 0)
    assert (1, 128) == during
