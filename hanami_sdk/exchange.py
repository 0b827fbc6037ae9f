"""The talk with the server on one learning stream: window, order, answers, breaks, end.

An `Exchange` belongs to one event loop. It sends prepared frames and settles the
future of each when its answer comes; `hanami_sdk.streams` and
`hanami_sdk.blocking_streams` make it pleasant to use. When the connection or the
server is lost it opens the stream again and goes on where the server is, so that
every row is learned once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2

from hanami_sdk.connection import Connection
from hanami_sdk.errors import (
    DataLost,
    FailedPrecondition,
    FrameRefused,
    HanamiError,
    InternalError,
    InvalidArgument,
)
from hanami_sdk.frames import Frame, LateTargets, encode_frame, row_count
from hanami_sdk.learn_call import LearnCall, Outbox
from hanami_sdk.results import Result, refusal
from hanami_sdk.retries import RetryPolicy
from hanami_sdk.scoring import Scoring
from hanami_sdk.sent_frames import AnyFuture, SentFrame, SentFrames

Mode = Literal["LEARN", "PREDICT"]

_FOREVER = 1_000_000


@dataclass(frozen=True)
class StreamOptions:
    """The terms on which a stream is opened.

    Attributes:
        mode: `LEARN` learns rows that have labels or targets; `PREDICT` leaves
            the network as it is.
        max_outstanding_rows: the most rows under way unanswered; 0 lets the
            server decide.
        return_outputs: also return every output of every row (classes).
        resume_token: of an earlier stream, to go on with its session.
        label_horizon_rows: rows for which labels or targets may come later.
        reconnect_seconds: how long to try to get back to a server that is lost;
            0 ends the stream at once.
        scoring: what else to say about the rows; scores go on after a break, unless kyouko itself
            began anew.
    """

    mode: Mode = "LEARN"
    max_outstanding_rows: int = 0
    return_outputs: bool = False
    resume_token: str = ""
    label_horizon_rows: int = 0
    reconnect_seconds: float = 60.0
    scoring: Scoring | None = None

    def opening(self, network: str, resume_token: str) -> pb.LearnOpen:
        """Return the message that asks for these terms, in a session if there is a token."""
        return pb.LearnOpen(
            network=network,
            mode=pb.LearnMode.Value(f"LEARN_MODE_{self.mode}"),
            max_outstanding_rows=self.max_outstanding_rows,
            return_outputs=self.return_outputs,
            resume_token=resume_token,
            label_horizon_rows=self.label_horizon_rows,
            scoring=self.scoring.message() if self.scoring else None,
        )


class Exchange:
    """One stream into one network, from `open` to `closed`, over any number of calls.

    Attributes:
        network: as the stream found it; after `close`, as it left it.
        max_outstanding_rows: the most rows under way unanswered, as granted.
        max_frame_rows: the most rows in one frame.
        learned_rows: rows that the network has learned in its life.
        kept_rows: of these, the rows that no crash can take.
        durable_sequence: the last frame of the session that no crash can take.
        resume_token: names the session, for another stream to go on with it.
        breaks: how often the stream has been opened again.
    """

    def __init__(self, connection: Connection, network: str, options: StreamOptions) -> None:
        self._connection = connection
        self._name = network
        self._options = options
        self._outbox: Outbox = asyncio.Queue()
        self._sent = SentFrames(in_session=options.mode == "LEARN")
        self._sequence = 0
        self._outstanding_rows = 0
        self._room = asyncio.Event()
        self._news = asyncio.Event()
        self._labels: list[str] = []
        self._failure: HanamiError | None = None
        self._task: asyncio.Task[None] | None = None
        self._call: LearnCall | None = None
        self._closed: asyncio.Future[network_service_pb2.Network] | None = None
        self._is_closing = False
        self.network = network_service_pb2.Network()
        self.max_outstanding_rows = 0
        self.max_frame_rows = 0
        self.learned_rows = 0
        self.kept_rows = 0
        self.durable_sequence = 0
        self.resume_token = options.resume_token
        self.breaks = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels known so far, in the order of the outputs (classes)."""
        return tuple(self._labels)

    @property
    def outstanding_rows(self) -> int:
        """Rows that are under way unanswered."""
        return self._outstanding_rows

    @property
    def last_sequence(self) -> int:
        """The newest frame of the session."""
        return self._sequence

    async def open(self) -> None:
        """Open the stream; whoever goes on with a session waits for a server that is away.

        Raises:
            NotFound: there is no such network (RESOURCE_NOT_FOUND).
        """
        self._closed = asyncio.get_running_loop().create_future()
        try:
            call, opened = await self._open_call()
        except HanamiError as error:
            if not self._options.resume_token:
                raise
            call, opened = await self._open_again(error)
        self._sequence = opened.last_sequence
        self._task = asyncio.create_task(self._live(call))

    def prepare(self, frame: Frame | LateTargets) -> pb.LearnFrame:
        """Build a frame's message and check it against the terms of the stream."""
        message = encode_frame(frame)
        rows = row_count(message)
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
        rows = row_count(message)
        self._outstanding_rows += rows
        self._sent.add(SentFrame(message, rows, future))
        self._outbox.put_nowait(pb.LearnRequest(frame=message))

    async def wait_for_room(self, rows: int) -> None:
        """Wait until so many more rows may be under way, or the stream has failed."""
        while not self._has_room(rows):
            self._room.clear()
            await self._room.wait()

    async def wait_until_durable(self, sequence: int | None = None) -> None:
        """Wait until no crash can take a frame, and all before it; without one, all sent so far.

        Raises:
            HanamiError: the stream has failed before.
        """
        if self._options.mode != "LEARN":
            raise FailedPrecondition("Nothing of this stream is learned.", reason="STREAM_PROTOCOL")
        wanted = self._sequence if sequence is None else sequence
        while self.durable_sequence < wanted:
            if self._failure is not None:
                raise self._failure
            self._news.clear()
            await self._news.wait()

    async def close(self) -> network_service_pb2.Network:
        """Close the stream and return the network with all that it was taught.

        Waits until everything sent is learned and no crash can take it.
        """
        if self._closed is None or self._call is None:
            raise FailedPrecondition("The stream was never opened.", reason="STREAM_PROTOCOL")
        if not self._is_closing and self._failure is None:
            self._is_closing = True
            self._outbox.put_nowait(pb.LearnRequest(close=pb.LearnClose()))
            self._outbox.put_nowait(None)
        try:
            network = await asyncio.shield(self._closed)
            await self._call.ended()  # The server ends the call after its last message.
            return network
        finally:
            await self.cancel()

    async def cancel(self) -> None:
        """Drop the stream at once; what was sent may or may not be learned."""
        self._fail(_closed_error())
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._call is not None:
            self._call.drop()
            await self._call.ended()  # The loop may be closed now.

    async def leave(self, *, in_good_order: bool) -> None:
        """Close the stream unless that has been done, or drop it."""
        if in_good_order and not self._is_closing:
            await self.close()
        else:
            await self.cancel()

    def _has_room(self, rows: int) -> bool:
        limit = self.max_outstanding_rows
        return self._failure is not None or not limit or self._outstanding_rows + rows <= limit

    async def _open_call(self) -> tuple[LearnCall, pb.LearnOpened]:
        """Make the call and take the terms that the server grants."""
        call = self._call = await LearnCall.make(self._connection)
        opened = await call.open(self._options.opening(self._name, self.resume_token))
        self.network = opened.network
        self.max_outstanding_rows = opened.max_outstanding_rows
        self.max_frame_rows = opened.max_frame_rows
        self.learned_rows = opened.network.statistics.learned_rows
        self.kept_rows = opened.network.kept_rows
        self.resume_token = opened.resume_token
        # Results of before keep the list that they know.
        self._labels = list(opened.network.labels)
        self._is_durable(opened.durable_sequence)
        return call, opened

    async def _live(self, call: LearnCall) -> None:
        """Talk until the stream is closed, over as many calls as that takes."""
        try:
            while True:
                error = await call.talk(self._outbox, self._take)
                if self._closed is not None and self._closed.done():
                    self._fail(_closed_error())
                    return
                call, opened = await self._open_again(error)
                self._go_on_after(opened.last_sequence)
        except HanamiError as final:
            self._fail(final)
        except Exception as mistake:
            # Whoever waits must hear of it, whatever it is.
            self._fail(InternalError(f"The stream cannot go on: {mistake!r}"))
            raise

    async def _open_again(self, error: HanamiError) -> tuple[LearnCall, pb.LearnOpened]:
        """Get back to a server that was lost.

        Raises:
            HanamiError: The stream cannot go on.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._options.reconnect_seconds
        policy = RetryPolicy(attempts=_FOREVER)
        failures = 0
        while True:
            failures += 1
            delay = policy.delay(failures, error)
            if delay is None or loop.time() + delay >= ends_at:
                raise error
            await asyncio.sleep(delay)
            if self._call is not None:
                self._call.drop()
            try:
                return await self._open_call()
            except HanamiError as again:
                error = again

    def _go_on_after(self, last_sequence: int) -> None:
        if last_sequence < self.durable_sequence:
            raise DataLost(
                f"The server is at frame {last_sequence} of this session, though it had made "
                f"{self.durable_sequence} durable; see the network's `problem`.",
                reason="SEQUENCE_GAP",
            )
        self.breaks += 1
        self._outbox = asyncio.Queue()
        for frame in self._sent.to_send_again(last_sequence):
            self._outbox.put_nowait(pb.LearnRequest(frame=frame.message))
        if self._is_closing:
            self._outbox.put_nowait(pb.LearnRequest(close=pb.LearnClose()))
            self._outbox.put_nowait(None)

    def _take(self, response: pb.LearnResponse) -> None:
        kind = response.WhichOneof("message")
        if kind == "result":
            result = response.result
            self._labels.extend(result.new_labels)
            self.learned_rows, self.kept_rows = result.learned_rows, result.kept_rows
            self._answer(result.sequence, result)
            self._is_durable(result.durable_sequence)
        elif kind == "fault":
            fault = response.fault
            if not fault.HasField("sequence"):
                raise refusal(fault)
            self._answer(fault.sequence, fault)
            self._is_durable(fault.durable_sequence)
        elif kind == "progress":
            self.learned_rows = response.progress.learned_rows
            self.kept_rows = response.progress.kept_rows
            self._is_durable(response.progress.durable_sequence)
        elif kind == "closed" and self._closed is not None and not self._closed.done():
            self.network = response.closed.network
            self.kept_rows = self.network.kept_rows
            self._is_durable(self._sequence)
            self._closed.set_result(self.network)

    def _answer(self, sequence: int, answer: pb.LearnResult | pb.LearnFault) -> None:
        frame, was_answered = self._sent.answered(sequence)
        if was_answered:
            # Before the break; it has been learned again now.
            return
        self._outstanding_rows -= frame.rows
        if isinstance(answer, pb.LearnFault):
            _settle(frame.future, refusal(answer))
        else:
            _settle(frame.future, Result(answer, rows=frame.rows, labels=self._labels))
        self._room.set()

    def _is_durable(self, sequence: int) -> None:
        if sequence > self.durable_sequence:
            self.durable_sequence = sequence
            self._sent.durable(sequence)
            self._news.set()

    def _fail(self, error: HanamiError) -> None:
        """End everything that waits; the first failure counts."""
        self._failure = self._failure or error
        for frame in self._sent.give_up():
            _settle(frame.future, self._failure)
        self._outstanding_rows = 0
        self._room.set()
        self._news.set()
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
