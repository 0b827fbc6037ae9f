"""Guests of public networks use up nothing of what the network's project may have."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hanami.inference import grpc_service_pb2_grpc
from hanami.kyouko.v1 import learning_service_pb2, usage_service_pb2, usage_service_pb2_grpc
from hanami.type.v1 import visibility_pb2

from tests.integration.kyouko.servers import (
    PARENT,
    RunningKyouko,
    Stream,
    info_of,
    rows_of_two_kinds,
    start_kyouko,
)
from tests.integration.kyouko.test_inference import infer_request
from tests.integration.kyouko.test_quotas import PUSH_SECONDS, limit, refused, usage
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori

PUBLIC = visibility_pb2.VISIBILITY_PUBLIC
GUESTS = f"{PARENT}/guests"
INPUTS, _ = rows_of_two_kinds()


def predicting(kyouko: RunningKyouko, who: Metadata) -> AbstractAsyncContextManager[Stream]:
    """Open a stream that predicts."""
    return kyouko.stream(learning_service_pb2.LEARN_MODE_PREDICT, metadata=who)


async def infer(kyouko: RunningKyouko, who: Metadata, rows: int) -> None:
    """Let the network predict rows."""
    stub: Any = grpc_service_pb2_grpc.GRPCInferenceServiceStub(kyouko.channel)
    await stub.ModelInfer(infer_request(INPUTS[:rows]), metadata=who)


async def own_usage(kyouko: RunningKyouko, who: Metadata) -> dict[str, tuple[int, int]]:
    """Return how much of everything somebody has, and may have."""
    stub = usage_service_pb2_grpc.UsageServiceStub(kyouko.channel)
    request = usage_service_pb2.GetUserUsageRequest(user="users/me")
    answer = await stub.GetUserUsage(request, metadata=who)
    return {one.quota: (one.used, one.limit) for one in answer.usages}


def violation_of(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    """Return whose quota was used up, and which, as `QuotaFailure` says."""
    status, failure = rpc_status.from_call(error), error_details_pb2.QuotaFailure()
    assert status is not None
    assert status.details[1].Unpack(failure)
    return failure.violations[0].subject, failure.violations[0].quota_metric


async def test_streams_of_guests_do_not_shut_members_out(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """A guest's stream counts for the guest and among all guests, who wait for one another."""
    await kyouko.create_network(visibility=PUBLIC)
    joe, ann = await misaki.create_user("joe"), await misaki.create_user("ann")
    await limit(misaki, kyouko, streams=1)

    async with predicting(kyouko, joe) as joes:
        await joes.opened()
        async with predicting(kyouko, ann) as anns:
            error = await refused(anns.opened())
        async with predicting(kyouko, kyouko.alice) as own:
            await own.opened()
            of_project, of_joe = await usage(kyouko), await own_usage(kyouko, joe)

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == error.code()
    assert {"resource": GUESTS, "quota": "streams", "limit": "1", "usage": "1"} == dict(
        info_of(error).metadata
    )
    assert (GUESTS, "hanami.dev/streams") == violation_of(error)
    assert ((1, 1), (1, 32)) == (of_project["streams"], of_joe["streams"])


async def test_rows_of_guests_do_not_hold_members_up(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """However many rows guests send, a member's call is answered; the guests come again."""
    await kyouko.create_network(visibility=PUBLIC)
    joe, ann = await misaki.create_user("joe"), await misaki.create_user("ann")
    await limit(misaki, kyouko, rows_per_second=1)

    # A minute's worth.
    await infer(kyouko, joe, len(INPUTS))
    await infer(kyouko, kyouko.alice, 1)
    errors = [await refused(infer(kyouko, who, 1)) for who in (joe, ann)]

    assert [("QUOTA_EXCEEDED", GUESTS)] * 2 == [
        (info_of(error).reason, info_of(error).metadata["resource"]) for error in errors
    ]
    assert [(GUESTS, "hanami.dev/rows_per_second")] * 2 == list(map(violation_of, errors))


async def test_the_bound_of_guests_is_a_setting(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """With none for guests they are refused, by streams and calls; members go on."""
    address = f"127.0.0.1:{shiori.running.port}"
    joe = await misaki.create_user("joe")
    settings = {"max_guest_streams": 0, "max_guest_rows_per_second": 0}
    async with start_kyouko(misaki, address, tmp_path, shiori.alice, **settings) as kyouko:
        await kyouko.create_network(visibility=PUBLIC)

        called = await refused(infer(kyouko, joe, 1))
        async with predicting(kyouko, joe) as joes:
            opened = await refused(joes.opened())
        await infer(kyouko, kyouko.alice, 1)
        async with predicting(kyouko, kyouko.alice) as own:
            await own.opened()

    assert [(GUESTS, "rows_per_second", "0"), (GUESTS, "streams", "0")] == [
        tuple(info_of(error).metadata[key] for key in ("resource", "quota", "limit"))
        for error in (called, opened)
    ]


async def test_a_guest_has_the_quota_of_a_user(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """What a guest may have anywhere holds in projects of others too."""
    await kyouko.create_network(visibility=PUBLIC)
    joe = await misaki.create_user("joe")
    await misaki.limit("users/joe", streams=0)
    deadline = time.monotonic() + PUSH_SECONDS
    while (await own_usage(kyouko, joe))["streams"][1]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)

    async with predicting(kyouko, joe) as joes:
        error = await refused(joes.opened())

    assert ("users/joe", "streams") == (
        info_of(error).metadata["resource"],
        info_of(error).metadata["quota"],
    )
