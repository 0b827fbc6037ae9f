"""The talk with the server on one learning stream: messages, window, order, end.

An `Exchange` belongs to one event loop. It sends prepared frames and settles the
future of each when its answer comes; `hanami_sdk.streams` and
`hanami_sdk.blocking_streams` make it pleasant to use.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass
from typing import Any, Literal

from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import learning_service_pb2_grpc, network_service_pb2

from hanami_sdk.connection import Connection
from hanami_sdk.errors import (
    FailedPrecondition,
    FrameRefused,
    HanamiError,
    InvalidArgument,
    Unavailable,
)
from hanami_sdk.frames import Frame, encode_frame
from hanami_sdk.results import Result, refusal

Mode = Literal["LEARN", "PREDICT"]
AnyFuture = asyncio.Future[Result] | ThreadFuture[Result]

_LEAST_SECONDS_BETWEEN_TOKENS = 5.0


@dataclass(frozen=True)
class StreamOptions:
    """The terms on which a stream is opened.

    Attributes:
        mode: `LEARN` learns rows that have labels or targets; `PREDICT` leaves
            the network as it is.
        max_outstanding_rows: the most rows under way unanswered; 0 lets the
            server decide.
        return_outputs: also return every output of every row (classes).
    """

    mode: Mode = "LEARN"
    max_outstanding_rows: int = 0
    return_outputs: bool = False


@dataclass(frozen=True)
class _Pending:
    sequence: int
    rows: int
    future: AnyFuture


class Exchange:
    """One stream into one network, from `open` to `closed`.

    Attributes:
        network: as the stream found it; after `close`, as it left it.
        max_outstanding_rows: the most rows under way unanswered, as granted.
        max_frame_rows: the most rows in one frame.
        learned_rows: rows that the network has learned in its life.
        kept_rows: of these, the rows that a snapshot holds.
    """

    def __init__(self, connection: Connection, network: str, options: StreamOptions) -> None:
        self._connection = connection
        self._name = network
        self._options = options
        self._outbox: asyncio.Queue[pb.LearnRequest | None] = asyncio.Queue()
        self._pending: deque[_Pending] = deque()
        self._sequence = 0
        self._outstanding_rows = 0
        self._room = asyncio.Event()
        self._labels: list[str] = []
        self._failure: HanamiError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._call: Any = None
        self._closed: asyncio.Future[network_service_pb2.Network] | None = None
        self._is_closing = False
        self.network = network_service_pb2.Network()
        self.max_outstanding_rows = 0
        self.max_frame_rows = 0
        self.learned_rows = 0
        self.kept_rows = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels known so far, in the order of the outputs (classes)."""
        return tuple(self._labels)

    @property
    def outstanding_rows(self) -> int:
        """Rows that are under way unanswered."""
        return self._outstanding_rows

    async def open(self) -> None:
        """Open the stream.

        Raises:
            NotFound: there is no such network (RESOURCE_NOT_FOUND).
        """
        stub = learning_service_pb2_grpc.LearningServiceStub(self._connection.channel)
        self._call = stub.Learn(metadata=await self._connection.call_metadata())
        self._closed = asyncio.get_running_loop().create_future()
        opening = pb.LearnOpen(
            network=self._name,
            mode=pb.LearnMode.Value(f"LEARN_MODE_{self._options.mode}"),
            max_outstanding_rows=self._options.max_outstanding_rows,
            return_outputs=self._options.return_outputs,
        )
        try:
            opened = await self._exchange_open(opening)
        except BaseException:
            self._call.cancel()
            raise
        self.network = opened.network
        self.max_outstanding_rows = opened.max_outstanding_rows
        self.max_frame_rows = opened.max_frame_rows
        self.learned_rows = opened.network.statistics.learned_rows
        self.kept_rows = opened.network.kept_rows
        self._labels.extend(opened.network.labels)
        self._tasks = [
            asyncio.create_task(self._write()),
            asyncio.create_task(self._read()),
            asyncio.create_task(self._stay_authenticated()),
        ]

    def prepare(self, frame: Frame) -> pb.LearnFrame:
        """Build a frame's message and check it against the terms of the stream."""
        message = encode_frame(frame)
        rows = message.inputs.shape[0]
        limit = min(self.max_frame_rows or rows, self.max_outstanding_rows or rows)
        if rows > limit:
            raise InvalidArgument(
                f"A frame of this stream holds at most {limit} rows, not {rows}.",
                reason="LIMIT_REACHED",
                metadata={"limit": str(limit), "actual": str(rows)},
            )
        return message

    def post(self, message: pb.LearnFrame, future: AnyFuture) -> None:
        """Put a prepared frame on its way; room in the window is the caller's care."""
        failure = self._failure
        if failure is None and self._is_closing:
            failure = _closed_error()
        if failure is not None:
            _settle(future, failure)
            return
        self._sequence += 1
        message.sequence = self._sequence
        rows = message.inputs.shape[0]
        self._outstanding_rows += rows
        self._pending.append(_Pending(self._sequence, rows, future))
        self._outbox.put_nowait(pb.LearnRequest(frame=message))

    async def wait_for_room(self, rows: int) -> None:
        """Wait until so many more rows may be under way, or the stream has failed."""
        while not self._has_room(rows):
            self._room.clear()
            await self._room.wait()

    async def close(self) -> network_service_pb2.Network:
        """Close the stream and return the network with all that it was taught.

        Waits until everything sent is learned and held by a snapshot.
        """
        if self._closed is None:
            raise FailedPrecondition("The stream was never opened.", reason="STREAM_PROTOCOL")
        if not self._is_closing and self._failure is None:
            self._is_closing = True
            self._outbox.put_nowait(pb.LearnRequest(close=pb.LearnClose()))
            self._outbox.put_nowait(None)
        try:
            network = await asyncio.shield(self._closed)
            await self._call.code()  # The server ends the call after its last message.
            return network
        finally:
            await self.cancel()

    async def cancel(self) -> None:
        """Drop the stream at once; what was sent may or may not be learned."""
        self._fail(_closed_error())
        if self._call is not None:
            self._call.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._call is not None:
            await self._call.code()  # The call is really over: the loop may be closed.

    async def leave(self, *, in_good_order: bool) -> None:
        """Close the stream unless that has been done, or drop it."""
        if in_good_order and not self._is_closing:
            await self.close()
        else:
            await self.cancel()

    def _has_room(self, rows: int) -> bool:
        limit = self.max_outstanding_rows
        return self._failure is not None or not limit or self._outstanding_rows + rows <= limit

    async def _exchange_open(self, opening: pb.LearnOpen) -> pb.LearnOpened:
        with self._connection.translated():
            with contextlib.suppress(asyncio.InvalidStateError):
                await self._call.write(pb.LearnRequest(open=opening))
            first = await self._call.read()
        if isinstance(first, pb.LearnResponse) and first.HasField("opened"):
            return first.opened
        raise Unavailable("The server ended the stream before it was open.")

    async def _write(self) -> None:
        """Send what is in the outbox, one message after the other."""
        try:
            with self._connection.translated():
                while (message := await self._outbox.get()) is not None:
                    await self._call.write(message)
                await self._call.done_writing()
        except (HanamiError, asyncio.InvalidStateError):
            # The call has ended; the reader learns why and tells everybody.
            return

    async def _read(self) -> None:
        """Hand every answer to whoever waits for it, until the stream ends."""
        error: HanamiError = Unavailable("The server ended the stream.")
        try:
            with self._connection.translated():
                while isinstance(response := await self._call.read(), pb.LearnResponse):
                    self._take(response)
        except HanamiError as caught:
            error = caught
        if self._closed is not None and self._closed.done():
            error = _closed_error()
        self._fail(error)

    def _take(self, response: pb.LearnResponse) -> None:
        kind = response.WhichOneof("message")
        if kind == "result":
            result = response.result
            self._labels.extend(result.new_labels)
            self.learned_rows, self.kept_rows = result.learned_rows, result.kept_rows
            self._answer(result.sequence, result)
        elif kind == "fault":
            fault = response.fault
            if not fault.HasField("sequence"):
                raise refusal(fault)
            self._answer(fault.sequence, fault)
        elif kind == "progress":
            self.learned_rows = response.progress.learned_rows
            self.kept_rows = response.progress.kept_rows
        elif kind == "closed" and self._closed is not None and not self._closed.done():
            self.network = response.closed.network
            self.kept_rows = self.network.kept_rows
            self._closed.set_result(self.network)

    def _answer(self, sequence: int, answer: pb.LearnResult | pb.LearnFault) -> None:
        if not self._pending or self._pending[0].sequence != sequence:
            raise Unavailable(f"The server answered frame {sequence} out of order.")
        pending = self._pending.popleft()
        self._outstanding_rows -= pending.rows
        if isinstance(answer, pb.LearnFault):
            _settle(pending.future, refusal(answer))
        else:
            _settle(pending.future, Result(answer, rows=pending.rows, labels=self._labels))
        self._room.set()

    async def _stay_authenticated(self) -> None:
        """Send a fresh token before the one in use ends, as long as the stream lives."""
        session = self._connection.session
        while (seconds := session.seconds_until_renewal()) is not None:
            # A clock that is ahead, or a mesh that is away, must not make a busy loop.
            await asyncio.sleep(max(seconds, _LEAST_SECONDS_BETWEEN_TOKENS))
            try:
                token = await session.access_token()
            except Unavailable:
                continue
            except HanamiError:
                return  # The server ends the stream with its token, and says so.
            proof = pb.LearnAuthentication(access_token=token or "")
            self._outbox.put_nowait(pb.LearnRequest(authentication=proof))

    def _fail(self, error: HanamiError) -> None:
        """End everything that waits; the first failure counts."""
        self._failure = self._failure or error
        while self._pending:
            _settle(self._pending.popleft().future, self._failure)
        self._outstanding_rows = 0
        self._room.set()
        if self._closed is not None and not self._closed.done():
            self._closed.set_exception(self._failure)
            self._closed.exception()  # Nobody has to wait for it.


def _settle(future: AnyFuture, outcome: Result | HanamiError) -> None:
    if future.done():
        return
    if isinstance(outcome, HanamiError):
        future.set_exception(outcome)
        if isinstance(future, asyncio.Future) and not isinstance(outcome, FrameRefused):
            future.exception()  # One failure of the stream is told once, not per frame.
    else:
        future.set_result(outcome)


def _closed_error() -> HanamiError:
    return FailedPrecondition("The stream is closed.", reason="STREAM_PROTOCOL")
