"""Sessions over the wire: what comes again, what comes late, and who may go on."""

import asyncio
import errno
import os
from pathlib import Path

import grpc
import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb

from kyouko.domain.networks.sessions import MOST_ID_BYTES
from mesh.tensors import tensor_of
from tests.integration.kyouko.servers import (
    Request,
    RunningKyouko,
    Stream,
    info_of,
    reason_in,
    start_kyouko,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

ROW = np.ones((1, 4), np.float32)


async def result_of(stream: Stream) -> pb.LearnResult:
    """Return the next message that is no progress, which has to be a result."""
    message = await stream.read()
    assert "result" == message.WhichOneof("message")
    return message.result


async def fault_of(stream: Stream) -> str:
    """Return the reason of the next message, which has to be a fault."""
    message = await stream.read()
    assert "fault" == message.WhichOneof("message")
    return reason_in(message.fault.status).reason


async def test_a_session_goes_on_where_it_was(kyouko: RunningKyouko) -> None:
    """A frame that comes again is acknowledged and not learned; the next one is."""
    await kyouko.create_network()
    async with kyouko.stream() as stream:
        first = await stream.opened()
        for sequence in (1, 2, 3):
            await stream.send(sequence, ROW, ["a"])
            await result_of(stream)

    async with kyouko.stream(resume_token=first.resume_token) as stream:
        again = await stream.opened()
        await stream.send(3, ROW, ["a"])
        duplicate = await result_of(stream)
        await stream.send(4, ROW, ["a"])
        new = await result_of(stream)

    assert (first.resume_token, 3, 3) == (
        again.resume_token,
        again.last_sequence,
        again.durable_sequence,
    )
    assert (True, 3) == (duplicate.duplicate, duplicate.learned_rows)
    assert (False, 4) == (new.duplicate, new.learned_rows)


async def test_what_is_durable_is_told_soon(kyouko: RunningKyouko) -> None:
    """A quiet client hears of it within the flush interval, without asking."""
    await kyouko.create_network()
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, ROW, ["a"])
        told = 0
        while told < 1:
            message = await asyncio.wait_for(stream.read_any(), 30)
            part = message.result if message.HasField("result") else message.progress
            told = part.durable_sequence

    assert 1 == told


async def test_a_second_stream_takes_over(kyouko: RunningKyouko) -> None:
    """The first one ends and is told why; nothing it sends afterwards is learned."""
    await kyouko.create_network()
    async with kyouko.stream() as first:
        token = (await first.opened()).resume_token
        await first.send(1, ROW, ["a"])
        await result_of(first)
        async with kyouko.stream(resume_token=token) as second:
            opened = await second.opened()
            with pytest.raises(grpc.aio.AioRpcError) as taken:
                await first.read()
            await second.send(2, ROW, ["a"])
            result = await result_of(second)

    assert 1 == opened.last_sequence
    assert (grpc.StatusCode.ABORTED, "SESSION_TAKEN_OVER") == (
        taken.value.code(),
        info_of(taken.value).reason,
    )
    assert 2 == result.learned_rows


async def test_a_token_of_elsewhere_opens_nothing(kyouko: RunningKyouko) -> None:
    """Neither one that never was, nor that of another network."""
    await kyouko.create_network()
    await kyouko.create_network("other")
    async with kyouko.stream(network_id="other") as stream:
        foreign = (await stream.opened()).resume_token

    for token in (foreign, "no-such-token"):
        async with kyouko.stream(resume_token=token) as stream:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stream.opened()
        assert (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_UNKNOWN") == (
            refused.value.code(),
            info_of(refused.value).reason,
        )


async def test_a_gap_is_a_fault_and_the_stream_lives(kyouko: RunningKyouko) -> None:
    """The frame that was expected is taken afterwards."""
    await kyouko.create_network()
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(3, ROW, ["a"])
        reason = await fault_of(stream)
        await stream.send(1, ROW, ["a"])
        result = await result_of(stream)

    assert ("SEQUENCE_GAP", 1) == (reason, result.learned_rows)


async def test_labels_may_come_later(kyouko: RunningKyouko) -> None:
    """Within the horizon they teach the rows they belong to; for others there is a fault."""
    await kyouko.create_network()
    async with kyouko.stream(label_horizon_rows=2) as stream:
        await stream.opened()
        for sequence in (1, 2, 3):
            await stream.send(sequence, sequence * ROW)
            await result_of(stream)
        for sequence, of in ((4, 3), (5, 1), (6, 99)):
            late = pb.LearnFrame(sequence=sequence, target_sequence=of)
            late.labels.values.append("a")
            await stream.call.write(Request(frame=late))
        learned = await result_of(stream)
        reasons = [await fault_of(stream), await fault_of(stream)]

    assert (1, ["a"]) == (learned.learned_rows, list(learned.new_labels))
    assert ["LABEL_TOO_LATE"] * 2 == reasons


async def test_a_horizon_is_refused_where_memory_has_no_room_for_it(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """The stream is told so before it sends anything; rows that do wait count with the network."""
    network_bytes = 16 * 2**20
    template = f"""
        inputs: [{{name: input, channels: 4}}]
        populations: [{{name: hidden, neurons: 8}}]
        outputs: [{{name: label, kind: classes}}]
        options: {{memory_limit_bytes: {network_bytes}}}
    """
    async with start_kyouko(
        misaki,
        "127.0.0.1:1",
        tmp_path / "kyouko",
        shiori.alice,
        live_memory_bytes=network_bytes + MOST_ID_BYTES + 2**20,
    ) as kyouko:
        await kyouko.create_network(template_yaml=template)
        async with kyouko.stream(label_horizon_rows=100_000) as stream:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stream.opened()
        async with kyouko.stream(label_horizon_rows=1_000) as stream:
            await stream.opened()
            before = (await kyouko.network()).statistics.memory_bytes
            for sequence in range(1, 101):
                await stream.send(sequence, ROW)
                await result_of(stream)
            after = (await kyouko.network()).statistics.memory_bytes

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == refused.value.code()
    assert "LIMIT_REACHED" == info_of(refused.value).reason
    assert after - before >= 100 * (ROW.nbytes + 500)


async def test_rows_and_late_labels_do_not_mix(kyouko: RunningKyouko) -> None:
    """A frame with a target sequence has no inputs, and has to have targets."""
    await kyouko.create_network()
    with_rows = pb.LearnFrame(sequence=1, target_sequence=1, inputs=tensor_of(ROW))
    async with kyouko.stream(label_horizon_rows=2) as stream:
        await stream.opened()
        await stream.call.write(Request(frame=with_rows))
        await stream.call.write(Request(frame=pb.LearnFrame(sequence=2, target_sequence=1)))
        reasons = [await fault_of(stream), await fault_of(stream)]

    assert "FIELD_INVALID" == reasons[0]
    assert "FIELD_INVALID" == reasons[1]


async def test_a_message_of_the_source_is_learned_once(kyouko: RunningKyouko) -> None:
    """It may come again under another sequence, as from a broker that delivers at least once."""
    await kyouko.create_network()
    async with kyouko.stream() as stream:
        await stream.opened()
        for sequence in (1, 2):
            frame = pb.LearnFrame(sequence=sequence, inputs=tensor_of(ROW), message_id="m-1")
            frame.labels.values.append("a")
            await stream.call.write(Request(frame=frame))
        results = [await result_of(stream), await result_of(stream)]

    assert [(False, 1), (True, 1)] == [(each.duplicate, each.learned_rows) for each in results]


async def test_a_stream_that_only_predicts_has_no_session(kyouko: RunningKyouko) -> None:
    """It gets no token, and may not come with one."""
    await kyouko.create_network()
    async with kyouko.stream(pb.LEARN_MODE_PREDICT) as stream:
        opened = await stream.opened()
    async with kyouko.stream(pb.LEARN_MODE_PREDICT, resume_token="t") as stream:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stream.opened()

    assert "" == opened.resume_token
    assert "FIELD_INVALID" == info_of(refused.value).reason


async def learn_until_it_ends(stream: Stream, told: list[int]) -> None:
    """Send rows until the stream ends, and note what is said to be durable."""
    for sequence in range(1, 1000):
        await stream.send(sequence, ROW, ["a"])
        told.append((await result_of(stream)).durable_sequence)
        await asyncio.sleep(0.02)


async def test_a_full_disk_stops_learning_and_loses_nothing(
    misaki: RunningMisaki,
    shiori: RunningShiori,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stream ends with a clear error, and its session goes on when there is space again."""
    real, is_full = os.pwritev, False

    def pwritev(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, buffers, offset)

    monkeypatch.setattr(os, "pwritev", pwritev)
    async with start_kyouko(misaki, "127.0.0.1:1", tmp_path, shiori.alice) as kyouko:
        await kyouko.create_network()
        async with kyouko.stream() as stream:
            token = (await stream.opened()).resume_token
            is_full = True
            told: list[int] = []
            with pytest.raises(grpc.aio.AioRpcError) as full:
                await learn_until_it_ends(stream, told)
        is_full = False
        async with asyncio.timeout(20):
            while True:
                async with kyouko.stream(resume_token=token) as stream:
                    try:
                        opened = await stream.opened()
                    except grpc.aio.AioRpcError:
                        await asyncio.sleep(0.1)
                        continue
                    await stream.send(opened.last_sequence + 1, ROW, ["a"])
                    result = await result_of(stream)
                    break

    assert (grpc.StatusCode.UNAVAILABLE, "JOURNAL_UNAVAILABLE", {0}) == (
        full.value.code(),
        info_of(full.value).reason,
        {*told},
    )
    assert opened.last_sequence + 1 == result.learned_rows
