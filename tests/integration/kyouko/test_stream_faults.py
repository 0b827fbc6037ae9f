"""Streams that behave badly: they harm themselves at most, and others learn as if nothing were."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2

from kyouko.domain.streams.memory import StreamMemory
from tests.integration.kyouko.servers import (
    NETWORK,
    Request,
    RunningKyouko,
    Stream,
    info_of,
    rows_of_two_kinds,
    start_kyouko,
)
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori

ROW = np.ones((1, 4), np.float32)
ELSEWHERE = "projects/elsewhere"


async def learns_normally(kyouko: RunningKyouko, network_id: str = "other") -> None:
    """Prove that a new stream is answered, learns every row and closes in good order."""
    before = (await kyouko.network(network_id)).statistics.learned_rows
    async with asyncio.timeout(20), kyouko.stream(network_id=network_id) as stream:
        await stream.opened()
        for sequence in range(1, 21):
            await stream.send(sequence, ROW, ["a"])
            message = await stream.read()
            assert before + sequence == message.result.learned_rows
        closed = await stream.close()

    assert before + 20 == closed.network.kept_rows


async def send_until_stuck(stream: Stream, most: int) -> tuple[int, "asyncio.Task[None] | None"]:
    """Send frames until one is not taken for a second; returns how many were, and that one."""
    inputs, labels = rows_of_two_kinds(1024)
    await stream.send(1, inputs, labels)
    for sequence in range(2, most + 1):
        sending = asyncio.create_task(stream.send(sequence, inputs))
        done, _ = await asyncio.wait({sending}, timeout=1)
        if not done:
            return sequence - 1, sending
    return most, None


async def end_of(stream: Stream) -> grpc.aio.AioRpcError:
    """Read all there is; returns what the stream ended with."""
    try:
        while True:
            await stream.read_any()
    except grpc.aio.AioRpcError as error:
        return error


async def test_a_stream_that_never_reads_is_held_up_alone(kyouko: RunningKyouko) -> None:
    """Its frames are not taken any more, others learn, and nothing is lost once it reads."""
    await kyouko.create_network()
    await kyouko.create_network("other")
    async with kyouko.stream(return_outputs=True, max_outstanding_rows=1024) as stream:
        taken, stuck = await send_until_stuck(stream, 5000)
        assert stuck is not None
        await learns_normally(kyouko)
        await learns_normally(kyouko, "net")
        async with asyncio.timeout(60):
            await stream.opened()
            sequences = [(await stream.read()).result.sequence for _ in range(taken + 1)]
            await stuck

    assert list(range(1, taken + 2)) == sequences


async def test_a_stream_that_never_reads_is_cut_off_when_its_network_goes(
    kyouko: RunningKyouko,
) -> None:
    """A deletion does not wait for it."""
    await kyouko.create_network()
    await kyouko.create_network("other")
    async with kyouko.stream(return_outputs=True, max_outstanding_rows=1024) as stream:
        _, stuck = await send_until_stuck(stream, 5000)
        request = network_service_pb2.DeleteNetworkRequest(name=NETWORK)
        started = time.monotonic()
        await kyouko.networks.DeleteNetwork(request, metadata=kyouko.alice)
        seconds = time.monotonic() - started
        await learns_normally(kyouko)
        async with asyncio.timeout(20):
            error = await end_of(stream)

    assert stuck is not None
    await asyncio.wait({stuck}, timeout=30)

    assert stuck.done()
    assert "RESOURCE_NOT_FOUND" == info_of(error).reason
    assert seconds < 30


async def flood(stream: Stream, count: int, rows: int) -> None:
    """Send frames as fast as they are taken."""
    inputs, labels = rows_of_two_kinds(rows)
    for sequence in range(1, count + 1):
        await stream.send(sequence, inputs, labels)
    await stream.call.write(Request(close=pb.LearnClose()))


@pytest.mark.parametrize(("count", "rows"), [(100, 1024), (10_000, 1)], ids=["flood", "tiny"])
async def test_a_flood_is_learned_in_order_beside_others(
    kyouko: RunningKyouko, count: int, rows: int
) -> None:
    """Frames sent without waiting are all answered once; a neighbour is served meanwhile."""
    await kyouko.create_network()
    await kyouko.create_network("other")
    async with asyncio.timeout(90), kyouko.stream() as stream:
        await stream.opened()
        sending = asyncio.create_task(flood(stream, count, rows))
        beside = asyncio.create_task(learns_normally(kyouko))
        results = [(await stream.read()).result for _ in range(count)]
        closed = (await stream.read()).closed
        await sending
        await beside

    assert [(n, n * rows) for n in range(1, count + 1)] == [
        (each.sequence, each.learned_rows) for each in results
    ]
    assert count * rows == closed.network.kept_rows


async def test_all_streams_together_stay_within_their_memory(
    misaki: RunningMisaki,
    shiori: RunningShiori,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the bound each has one frame under way; all are answered in the end."""
    peak = 0
    real = StreamMemory.add

    def add(memory: StreamMemory, byte_count: int) -> None:
        nonlocal peak
        real(memory, byte_count)
        peak = max(peak, memory.taken_bytes)

    monkeypatch.setattr(StreamMemory, "add", add)
    bound, count, rows = 2**16, 30, 1024
    async with (
        start_kyouko(
            misaki, "127.0.0.1:1", tmp_path, shiori.alice, stream_memory_bytes=bound
        ) as kyouko,
        asyncio.timeout(60),
        AsyncExitStack() as stack,
    ):
        await kyouko.create_network()
        await kyouko.create_network("other")
        streams = [await stack.enter_async_context(kyouko.stream()) for _ in range(4)]
        for stream in streams:
            await stream.opened()
        sending = [asyncio.create_task(flood(stream, count, rows)) for stream in streams]
        await learns_normally(kyouko)
        answers = [[(await stream.read()).result for _ in range(count)] for stream in streams]
        closed = [(await stream.read()).closed for stream in streams]
        await asyncio.gather(*sending)

    frame = rows * 4 * 4
    assert bound <= peak < bound + 6 * 4 * frame
    assert [[*range(1, count + 1)]] * 4 == [[each.sequence for each in some] for some in answers]
    assert 4 * count * rows == max(each.network.kept_rows for each in closed)


async def test_a_network_deleted_underneath_ends_its_stream(kyouko: RunningKyouko) -> None:
    """The stream ends with NOT_FOUND, and one of the same name made anew starts empty."""
    await kyouko.create_network()
    await kyouko.create_network("other")
    async with kyouko.stream() as stream:
        token = (await stream.opened()).resume_token
        await stream.send(1, ROW, ["a"])
        await stream.read()
        request = network_service_pb2.DeleteNetworkRequest(name=NETWORK)
        await kyouko.networks.DeleteNetwork(request, metadata=kyouko.alice)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
    await learns_normally(kyouko)
    again = await kyouko.create_network()
    async with kyouko.stream(resume_token=token) as stream:
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stream.opened()
    await learns_normally(kyouko, "net")

    assert (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND") == (
        ended.value.code(),
        info_of(ended.value).reason,
    )
    assert "SESSION_UNKNOWN" == info_of(unknown.value).reason
    assert 0 == again.statistics.learned_rows


async def refused(
    kyouko: RunningKyouko, opening: pb.LearnOpen, metadata: Metadata
) -> tuple[str, ...]:
    """Open a stream that is refused; returns code, reason and all that was told."""
    call = kyouko.learning.Learn(metadata=metadata)
    await call.write(Request(open=opening))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await Stream(call).opened()
    info = info_of(error.value)
    told = f"{error.value.details()} {dict(info.metadata)}"
    return error.value.code().name, info.reason, told


async def test_a_token_opens_nothing_for_others(
    kyouko: RunningKyouko, misaki: RunningMisaki
) -> None:
    """Not for a colleague, nor in another project; the stream that has the session goes on."""
    await misaki.create_project("elsewhere")
    bob = await misaki.create_user("bob", flowers="MEMBER", elsewhere="MEMBER")
    eve = await misaki.create_user("eve", elsewhere="MEMBER")
    for network_id in ("net", "other"):
        await kyouko.create_network(network_id)
    request = network_service_pb2.CreateNetworkRequest(
        parent=ELSEWHERE, network_id="net", template="templates/flat", channels=4
    )
    await kyouko.networks.CreateNetwork(request, metadata=bob)
    async with kyouko.stream() as stream:
        token = (await stream.opened()).resume_token
        await stream.send(1, ROW, ["a"])
        await stream.read()
        here, there = (
            pb.LearnOpen(network=f"{parent}/networks/net", mode=pb.LEARN_MODE_LEARN)
            for parent in ("projects/flowers", ELSEWHERE)
        )
        here.resume_token = there.resume_token = token
        colleague = await refused(kyouko, here, bob)
        project = await refused(kyouko, there, bob)
        strangers = [
            await refused(kyouko, here, eve),
            await refused(kyouko, there, kyouko.alice),
        ]
        await stream.send(2, ROW, ["a"])
        result = (await stream.read()).result
    await learns_normally(kyouko)

    assert ("FAILED_PRECONDITION", "SESSION_UNKNOWN") == colleague[:2] == project[:2]
    assert {("NOT_FOUND", "RESOURCE_NOT_FOUND")} == {each[:2] for each in strangers}
    assert not any(
        secret in told
        for *_, told in (colleague, project, *strangers)
        for secret in (token, "users/alice")
    )
    assert 2 == result.learned_rows
