"""Changes of a network that break off while streams and tasks are at work."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from hanami.kyouko.v1 import task_service_pb2

from kyouko.domain.networks.entries import Entry, EntryKind
from kyouko.domain.networks.ledger import Ledger
from tests.integration.kyouko.servers import (
    RunningKyouko,
    Stream,
    info_of,
    reason_in,
    rows_of_two_kinds,
    upload_two_kinds,
)
from tests.integration.shiori.servers import RunningShiori

ROWS = 10


@contextmanager
def breaking(monkeypatch: pytest.MonkeyPatch, times: int) -> Iterator[list[int]]:
    """Let the next changes break off between learning and journal; tells after how many rows."""
    append, broken = Ledger._append, list[int]()

    def failing(ledger: Ledger, entry: Entry) -> None:
        if entry.kind is EntryKind.LEARNED and len(broken) < times:
            broken.append(ledger.learner.learned_rows)
            raise MemoryError
        append(ledger, entry)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_append", failing)
        yield broken


async def end_of(stream: Stream) -> grpc.aio.AioRpcError:
    """Return the error that a stream ends with; it comes behind all that is still to be read."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await asyncio.wait_for(stream.read(), 10)
    return error.value


async def say(
    kyouko: RunningKyouko,
    network_id: str,
    token: str,
    sequence: int,
    frame: tuple[npt.NDArray[np.float32], list[str]],
) -> tuple[str, str]:
    """Send a frame by a stream of its own; returns the session, and the reason of a refusal."""
    async with kyouko.stream(network_id=network_id, resume_token=token) as stream:
        token = (await stream.opened()).resume_token
        await stream.send(sequence, *frame)
        try:
            answer = await stream.read()
        except grpc.aio.AioRpcError as error:
            return token, info_of(error).reason
    return token, reason_in(answer.fault.status).reason if answer.HasField("fault") else ""


async def outputs_of(kyouko: RunningKyouko, network_id: str) -> bytes:
    """Return what a network says of some rows: the same only of the same network."""
    inputs, _ = rows_of_two_kinds(64)
    async with kyouko.stream(network_id=network_id, return_outputs=True) as stream:
        await stream.opened()
        await stream.send(1, inputs)
        packed: bytes = (await stream.read()).result.outputs.packed
        return packed


async def test_streams_hear_of_a_break_and_go_on(
    kyouko: RunningKyouko, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All streams of the network end to be opened again; no row is lost, none learned twice."""
    inputs, labels = rows_of_two_kinds(8 * ROWS)
    frames = [(inputs[at : at + ROWS], labels[at : at + ROWS]) for at in range(0, 8 * ROWS, ROWS)]
    await kyouko.create_network()
    await kyouko.create_network("twin")
    async with kyouko.stream(network_id="twin") as stream:
        await stream.opened()
        for sequence, frame in enumerate(frames, start=1):
            await stream.send(sequence, *frame)
            await stream.read()

    async with AsyncExitStack() as stack:
        stream = await stack.enter_async_context(kyouko.stream())
        idle = await stack.enter_async_context(kyouko.stream())
        token = (await stream.opened()).resume_token
        await idle.opened()
        for sequence, frame in enumerate(frames[:3], start=1):
            await stream.send(sequence, *frame)
            await stream.read()
        with breaking(monkeypatch, 1) as broken:
            await stream.send(4, *frames[3])
            errors = [await end_of(each) for each in (stream, idle)]
    async with kyouko.stream(resume_token=token) as stream:
        again = await stream.opened()
        for sequence, frame in enumerate(frames[3:], start=4):
            await stream.send(sequence, *frame)
            await stream.read()

    assert [(grpc.StatusCode.UNAVAILABLE, "NETWORK_RELOADING")] * 2 == [
        (error.code(), info_of(error).reason) for error in errors
    ]
    assert ([4 * ROWS], 3, 3) == (broken, again.last_sequence, again.durable_sequence)
    assert await outputs_of(kyouko, "twin") == await outputs_of(kyouko, "net")


async def test_a_frame_that_always_breaks_is_left_out(
    kyouko: RunningKyouko, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that goes on by itself is not caught with it for ever: it is told, and goes on."""
    inputs, labels = rows_of_two_kinds(4 * ROWS)
    await kyouko.create_network()
    await kyouko.create_network("twin")
    frames = [(inputs[at : at + ROWS], labels[at : at + ROWS]) for at in range(0, 3 * ROWS, ROWS)]
    await say(kyouko, "twin", "", 1, frames[0])
    token, _ = await say(kyouko, "net", "", 1, frames[0])
    with breaking(monkeypatch, 3):
        tries = [(await say(kyouko, "net", token, 2, frames[1]))[1] for _ in range(4)]
    _, last = await say(kyouko, "net", token, 3, frames[2])
    async with kyouko.stream(network_id="twin") as stream:
        await stream.opened()
        await stream.send(1, *frames[2])
        await stream.read()

    assert ["NETWORK_RELOADING"] * 3 + ["INTERNAL"] == tries
    assert "" == last
    assert await outputs_of(kyouko, "twin") == await outputs_of(kyouko, "net")


async def test_a_refused_frame_tells_what_is_durable(kyouko: RunningKyouko) -> None:
    """Like a result: who sends nothing but bad frames hears of the good ones before."""
    await kyouko.create_network()
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, np.ones((1, 4), np.float32), ["a"])
        told = 0
        while told < 1:
            message = await asyncio.wait_for(stream.read_any(), 30)
            part = message.result if message.HasField("result") else message.progress
            told = part.durable_sequence
        await stream.send(2, np.ones((1, 9), np.float32), ["a"])
        refused = await stream.read()

    assert (2, 1) == (refused.fault.sequence, refused.fault.durable_sequence)


@pytest.mark.parametrize(("times", "state"), [(3, "SUCCEEDED"), (5, "FAILED")])
async def test_a_task_goes_on_after_breaks(
    kyouko: RunningKyouko,
    shiori: RunningShiori,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    state: str,
) -> None:
    """It waits for the network to be loaded again, though not for ever; every row counts once."""
    await upload_two_kinds(shiori, count=2_000)
    await kyouko.create_network()
    await kyouko.finish(await kyouko.create_task("kinds"))
    with breaking(monkeypatch, times):
        task = await kyouko.finish(await kyouko.create_task("kinds"))
    network = await kyouko.network()

    assert task_service_pb2.TaskState.Value(f"TASK_STATE_{state}") == task.state
    assert 2_000 + task.progress.done_rows == network.statistics.learned_rows
