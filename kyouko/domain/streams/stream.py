"""One learning stream: frames come in on one side, answers leave in order on the other.

The side that reads calls `room`, `offer`, `authenticate`, `close` and `hang_up`;
the side that writes iterates over `events`. Several waiting frames go to the
network in one piece, and the next piece is at work while answers are written.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Learner, RowResults, Rows
from kyouko.domain.networks.live import LiveNetwork, LiveNetworks
from kyouko.domain.networks.network import Network
from kyouko.domain.streams.authority import Authority
from kyouko.domain.streams.protocol import StreamProtocol
from kyouko.ports import Clock
from mesh.errors import DomainError, ResourceExhausted

# Pieces of about this many rows: long enough that handing over costs nothing, short enough
# that answers flow.
_PIECE_ROWS: Final = 512


class StreamMode(StrEnum):
    """What a stream may do to its network."""

    LEARN = "LEARN"
    PREDICT = "PREDICT"


@dataclass(frozen=True)
class StreamTerms:
    """What a stream was granted."""

    mode: StreamMode
    window_rows: int
    max_frame_rows: int
    return_outputs: bool
    idle_seconds: float


@dataclass(frozen=True)
class Frame:
    """A frame as it came; `rows` is the error of one that could not be read."""

    sequence: int
    row_count: int
    rows: Rows | DomainError


@dataclass(frozen=True)
class Answered:
    """The results of a frame."""

    sequence: int
    results: RowResults
    new_labels: Sequence[str]
    kept_rows: int


@dataclass(frozen=True)
class Refused:
    """The fault of a frame, or of another message (sequence None)."""

    sequence: int | None
    error: DomainError


@dataclass(frozen=True)
class Idle:
    """Nothing happened for a while."""

    learned_rows: int
    kept_rows: int


@dataclass(frozen=True)
class Closed:
    """All is learned and kept."""

    network: Network


Event = Answered | Refused | Idle | Closed
_Outcome = RowResults | DomainError


class LearnStream:
    """A stream that is open."""

    def __init__(
        self,
        live: LiveNetwork,
        networks: LiveNetworks,
        authority: Authority,
        terms: StreamTerms,
        *,
        clock: Clock,
    ) -> None:
        self.terms = terms
        self.network = live.now()
        self.ended = asyncio.Event()
        self._live = live
        self._networks = networks
        self._authority = authority
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._protocol = StreamProtocol()
        self._protocol.open(terms.window_rows)
        self._waiting: deque[Frame | Refused] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._labels_told = len(self.network.labels)
        self._is_hung_up = False
        self._broken: Exception | None = None
        self._end: DomainError | None = None
        self._last_event = self._loop.time()

    @property
    def uid(self) -> str:
        """The uid of the stream's network."""
        return self.network.uid

    # The side that reads.

    async def room(self) -> None:
        """Wait until the window lets another frame in."""
        while not self._protocol.has_room:
            self._room.clear()
            await self._room.wait()

    def offer(self, frame: Frame) -> None:
        """Take a frame.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._protocol.frame(frame.sequence, frame.row_count)
        if frame.row_count > self.terms.max_frame_rows and isinstance(frame.rows, Rows):
            error = _too_many_rows(frame.row_count, self.terms.max_frame_rows)
            frame = Frame(frame.sequence, frame.row_count, error)
        self._waiting.append(frame)
        self._wake.set()

    def open_again(self) -> None:
        """Refuse a second open.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._protocol.open(0)

    async def authenticate(self, token: str) -> None:
        """Take a fresh token; a bad one is answered by a fault, and the old one stays.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._protocol.authentication()
        try:
            await self._authority.renew(token)
        except DomainError as error:
            self._waiting.append(Refused(None, error))
        self._wake.set()

    def close(self) -> None:
        """Take the client's last message.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._protocol.close()
        self._is_hung_up = True
        self._wake.set()

    def hang_up(self) -> None:
        """Note that nothing more will come."""
        self._is_hung_up = True
        self._wake.set()

    def break_off(self, error: Exception) -> None:
        """End with an error once all that came before it is answered."""
        self._broken = error
        self._is_hung_up = True
        self._wake.set()

    def end(self, error: DomainError) -> None:
        """End with an error as soon as what is at work is answered."""
        self._end = error
        self._wake.set()

    # The side that writes.

    async def events(self) -> AsyncIterator[Sequence[Event]]:
        """Yield what is to be written, in order, until the stream ends.

        Raises:
            DomainError: What the stream ends with, if not in good order.
        """
        at_work: _Piece | None = None
        while True:
            piece = None if self._must_end() else await self._hand_over()
            if at_work is not None:
                yield await self._answers(at_work)
                self._written(at_work)
            at_work = piece
            if at_work is None:
                if not self._waiting or self._must_end():
                    self._raise_end()
                    if self._is_hung_up:
                        break
                await self._wait()
                if self._is_idle():
                    yield [self._idle()]
        if self._broken is not None:
            raise self._broken
        await self._networks.keep(self._live)
        if self._protocol.phase == "CLOSING":
            yield [Closed(self._live.now())]

    def _must_end(self) -> bool:
        return self._end is not None or self._seconds_left() <= 0

    def _raise_end(self) -> None:
        if self._end is not None:
            raise self._end
        self._authority.check(self._now())

    async def _hand_over(self) -> "_Piece | None":
        items: list[Frame | Refused] = []
        rows = 0
        while self._waiting and rows < _PIECE_ROWS:
            item = self._waiting.popleft()
            items.append(item)
            rows += item.row_count if isinstance(item, Frame) else 0
        if not items:
            return None
        frames = [item.rows for item in items if isinstance(item, Frame)]
        work = _work_of(frames, self.terms.mode)
        return _Piece(items, await self._live.owner.submit(work))

    async def _answers(self, piece: "_Piece") -> Sequence[Event]:
        outcomes = iter(await piece.outcomes)
        events: list[Event] = []
        for item in piece.items:
            events.append(item if isinstance(item, Refused) else self._event(item, next(outcomes)))
        self._last_event = self._loop.time()
        return events

    def _event(self, frame: Frame, outcome: _Outcome) -> Event:
        if isinstance(outcome, DomainError):
            return Refused(frame.sequence, outcome)
        new_labels: Sequence[str] = ()
        if outcome.labels_after > self._labels_told:
            book = self._live.owner.learner.labels
            new_labels = book.since(self._labels_told)[: outcome.labels_after - self._labels_told]
            self._labels_told = outcome.labels_after
        return Answered(frame.sequence, outcome, new_labels, self._live.kept_rows)

    def _written(self, piece: "_Piece") -> None:
        for item in piece.items:
            if isinstance(item, Frame):
                self._protocol.answered(item.row_count)
        self._room.set()

    async def _wait(self) -> None:
        """Sleep until something comes, or the time for a progress message or the token is up."""
        if self._waiting or self._is_hung_up or self._end is not None:
            return
        self._wake.clear()
        quiet = self._last_event + self.terms.idle_seconds - self._loop.time()
        timer = self._loop.call_later(max(min(quiet, self._seconds_left()), 0.0), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    def _is_idle(self) -> bool:
        is_quiet = self._loop.time() - self._last_event >= self.terms.idle_seconds
        return is_quiet and not self._waiting and not self._is_hung_up

    def _idle(self) -> Idle:
        self._last_event = self._loop.time()
        return Idle(self._live.owner.learner.learned_rows, self._live.kept_rows)

    def _now(self) -> float:
        return self._clock().timestamp()

    def _seconds_left(self) -> float:
        return self._authority.seconds_left(self._now())


@dataclass(frozen=True)
class _Piece:
    """Some frames that the network works on."""

    items: Sequence[Frame | Refused]
    outcomes: "asyncio.Future[Sequence[_Outcome]]"


def _work_of(
    frames: Sequence[Rows | DomainError], mode: StreamMode
) -> Callable[[Learner], Sequence[_Outcome]]:
    def work(learner: Learner) -> Sequence[_Outcome]:
        outcomes: list[_Outcome] = []
        for rows in frames:
            if isinstance(rows, DomainError):
                outcomes.append(rows)
                continue
            try:
                if mode is StreamMode.LEARN:
                    outcomes.append(learner.learn(rows, Arrival.STREAMED))
                else:
                    outcomes.append(learner.predict(rows))
            except DomainError as error:
                outcomes.append(error)
        return outcomes

    return work


def _too_many_rows(actual: int, limit: int) -> ResourceExhausted:
    return ResourceExhausted(
        f"the frame has {actual} rows; at most {limit} go into one",
        reason="LIMIT_REACHED",
        metadata={"limit": str(limit), "actual": str(actual)},
    )
