"""The talk on a learning stream, against a scripted other side."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import code_pb2, status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import learning_service_pb2_grpc, network_service_pb2

from hanami_sdk import learn_call
from hanami_sdk.connection import Connection, ConnectionOptions
from hanami_sdk.errors import DataLost, FailedPrecondition, FrameRefused, HanamiError, Unavailable
from hanami_sdk.exchange import Exchange, StreamOptions
from hanami_sdk.frames import Frame
from hanami_sdk.results import Result
from hanami_sdk.scoring import Scoring
from hanami_sdk.sessions import Tokens
from hanami_sdk.streams import LearnStream

NAME = "projects/p1/networks/n1"
OPENED = pb.LearnResponse(
    opened=pb.LearnOpened(
        network=network_service_pb2.Network(name=NAME, labels=["cat"]),
        max_outstanding_rows=4,
        max_frame_rows=4,
    )
)
CLOSED = pb.LearnResponse(
    closed=pb.LearnClosed(network=network_service_pb2.Network(name=NAME, kept_rows=9))
)
ROW = np.zeros((1, 3), np.uint8)


def answer(sequence: int, **fields: Any) -> pb.LearnResponse:
    """Return the answer to a frame."""
    return pb.LearnResponse(result=pb.LearnResult(sequence=sequence, **fields))


class Call:
    """A bidirectional call whose other side is the test."""

    def __init__(self) -> None:
        self.sent: list[pb.LearnRequest] = []
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.is_cancelled = False

    def say(self, *answers: Any) -> None:
        """Let the other side send messages, raise an error, or end the stream."""
        for item in answers:
            self.answers.put_nowait(item)

    async def write(self, message: pb.LearnRequest) -> None:
        """Take a message."""
        copy = pb.LearnRequest()
        copy.CopyFrom(message)
        self.sent.append(copy)

    async def read(self) -> Any:
        """Give the next message."""
        item = await self.answers.get()
        if isinstance(item, BaseException):
            raise item
        return item

    async def done_writing(self) -> None:
        """Note the client's end of the stream."""

    async def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what came after the last message."""
        return ()

    async def code(self) -> grpc.StatusCode:
        """Return how the call ended."""
        return grpc.StatusCode.OK

    def cancel(self) -> bool:
        """Drop the call."""
        self.is_cancelled = True
        return True

    def kinds(self) -> list[str | None]:
        """Return what was sent."""
        return [message.WhichOneof("message") for message in self.sent]


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    """Return a connection that reaches nobody."""
    made = Connection(ConnectionOptions("http://127.0.0.1:9"))
    yield made
    await made.close()


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Put the scripted call where the stub would make a real one."""
    made = Call()

    class Stub:
        def __init__(self, channel: object) -> None:
            self.Learn = lambda metadata: made

    monkeypatch.setattr(learning_service_pb2_grpc, "LearningServiceStub", Stub)
    return made


@pytest.fixture
def stream(connection: Connection, call: Call) -> LearnStream:
    """Return a stream over the scripted call."""
    return LearnStream(
        Exchange(connection, NAME, StreamOptions(max_outstanding_rows=8, reconnect_seconds=0))
    )


async def breathe() -> None:
    """Let the tasks of the stream run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_terms_come_first(stream: LearnStream, call: Call) -> None:
    """Open carries the wishes; opened carries what is granted."""
    call.say(OPENED, CLOSED)

    async with stream:
        assert stream.max_outstanding_rows == 4
        assert stream.labels == ("cat",)

    assert call.sent[0].open.network == NAME
    assert call.sent[0].open.max_outstanding_rows == 8
    assert call.kinds() == ["open", "close"]
    assert stream.network.kept_rows == 9


@pytest.mark.parametrize("scoring", [None, Scoring(coverage=0.9)])
async def test_scores_are_asked_for_when_the_stream_opens(
    connection: Connection, call: Call, scoring: Scoring | None
) -> None:
    """And only where they are wanted."""
    call.say(OPENED, CLOSED)

    async with LearnStream(Exchange(connection, NAME, StreamOptions(scoring=scoring))):
        pass

    opening = call.sent[0].open
    assert opening.HasField("scoring") == (scoring is not None)
    assert opening.scoring.intervals.coverage == (0.9 if scoring else 0.0)


async def test_the_window_is_never_exceeded(stream: LearnStream, call: Call) -> None:
    """A frame waits until there is room for its rows."""
    call.say(OPENED)
    await stream.__aenter__()
    for _ in range(4):
        await stream.submit(ROW)

    waiting = asyncio.create_task(stream.submit(ROW))
    await breathe()
    was_waiting = not waiting.done()
    call.say(answer(1))
    await breathe()

    assert was_waiting
    assert waiting.done()
    assert call.kinds().count("frame") == 5
    await stream.cancel()


async def test_new_labels_continue_the_list(stream: LearnStream, call: Call) -> None:
    """An index of an answer counts in the labels known by then."""
    call.say(OPENED)
    await stream.__aenter__()

    call.say(answer(1, new_labels=["dog"]))
    await stream.send(ROW, labels=["dog"])

    assert stream.labels == ("cat", "dog")
    await stream.cancel()


async def test_answers_out_of_order_end_the_stream(stream: LearnStream, call: Call) -> None:
    """A server that confuses frames is not believed."""
    call.say(OPENED, answer(2))
    await stream.__aenter__()

    with pytest.raises(DataLost, match="out of order"):
        await stream.send(ROW)
    await stream.cancel()


async def test_a_fault_without_a_frame_ends_the_stream(stream: LearnStream, call: Call) -> None:
    """Its status is what everybody who waits gets."""
    status = status_pb2.Status(code=code_pb2.UNAUTHENTICATED, message="The token has ended.")
    call.say(OPENED, pb.LearnResponse(fault=pb.LearnFault(status=status)))
    await stream.__aenter__()

    with pytest.raises(HanamiError, match="The token has ended"):
        await stream.send(ROW)
    await stream.cancel()


async def test_a_broken_connection_reaches_everybody(stream: LearnStream, call: Call) -> None:
    """All frames under way fail, those after it at once, and so does the close."""
    call.say(OPENED)
    await stream.__aenter__()
    under_way = [await stream.submit(ROW) for _ in range(3)]

    lost = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "Socket closed"
    )
    call.say(lost)
    outcomes = await asyncio.gather(*under_way, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    with pytest.raises(Unavailable):
        await stream.send(ROW)
    with pytest.raises(Unavailable):
        await stream.close()


async def test_an_end_without_goodbye_is_an_error(stream: LearnStream, call: Call) -> None:
    """Only `closed` says that everything is kept."""
    call.say(OPENED)
    await stream.__aenter__()

    call.say(grpc.aio.EOF)

    with pytest.raises(Unavailable, match="ended the stream"):
        await stream.close()


async def test_progress_counts_kept_rows(stream: LearnStream, call: Call) -> None:
    """An idle stream still learns what has become safe."""
    call.say(OPENED, pb.LearnResponse(progress=pb.LearnProgress(learned_rows=70, kept_rows=64)))
    await stream.__aenter__()

    await breathe()

    assert (stream.learned_rows, stream.kept_rows) == (70, 64)
    await stream.cancel()


async def test_a_fresh_token_goes_into_the_stream(
    stream: LearnStream, connection: Connection, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream outlives its token: the next one is sent before the old one ends."""
    monkeypatch.setattr(learn_call, "_LEAST_SECONDS_BETWEEN_TOKENS", 0.0)
    connection.session.use_tokens(Tokens("old", 9e9, "refresh", 9e9, "users/alice"))
    waits = iter([0.0, None])
    monkeypatch.setattr(connection.session, "seconds_until_renewal", lambda: next(waits))
    call.say(OPENED)

    await stream.__aenter__()
    await asyncio.sleep(0.01)

    assert call.sent[-1].authentication.access_token == "old"
    await stream.cancel()


async def test_results_do_not_run_away_from_a_slow_consumer(
    stream: LearnStream, call: Call
) -> None:
    """Frames are taken as answers are, not all at once."""
    taken = 0

    def frames() -> Any:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield Frame(ROW)

    call.say(OPENED)
    await stream.__aenter__()
    asyncio.get_running_loop().call_later(0.01, call.say, answer(1))

    results: list[Result] = []
    async for result in stream.results(frames()):
        results.append(result)
        break

    assert len(results) == 1
    assert taken <= 6
    await stream.cancel()


async def test_a_refused_frame_frees_its_rows(stream: LearnStream, call: Call) -> None:
    """A fault is an answer too: the window opens again."""
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="Too narrow.")
    call.say(OPENED, pb.LearnResponse(fault=pb.LearnFault(sequence=1, row=0, status=status)))
    await stream.__aenter__()

    with pytest.raises(FrameRefused) as caught:
        await stream.send(np.zeros((4, 3), np.uint8))
    call.say(answer(2))
    result = await stream.send(np.zeros((4, 3), np.uint8))

    assert caught.value.row == 0
    assert result.rows == 4
    await stream.cancel()
    with pytest.raises(FailedPrecondition):
        await stream.send(ROW)
