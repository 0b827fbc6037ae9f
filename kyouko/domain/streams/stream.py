"""One learning stream: frames come in on one side, answers leave in order on the other.

The side that reads calls `room`, `offer`, `authenticate`, `close` and `hang_up`;
the side that writes iterates over `events`. While answers are written, the
network works on the frames that came meanwhile, and the journal makes durable
what was learned; when it has caught up, the client hears of it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kyouko.domain.networks.learner import RowResults, check_shape
from kyouko.domain.networks.ledger import RELOADING, Duplicate
from kyouko.domain.networks.live_network import LiveNetwork
from kyouko.domain.networks.network import Network
from kyouko.domain.rates import Pace
from kyouko.domain.scoring import ScoreReport, StreamScorer
from kyouko.domain.streams.authority import Authority
from kyouko.domain.streams.durability import Durability
from kyouko.domain.streams.memory import Share
from kyouko.domain.streams.pieces import (
    Frame,
    Hold,
    Manner,
    Piece,
    Refused,
    StreamMode,
    Taken,
    Waiting,
    piece_at_once,
    queue_piece,
)
from kyouko.domain.streams.protocol import Phase, StreamProtocol
from kyouko.ports import Clock
from mesh.access import Caller
from mesh.errors import DomainError, ResourceExhausted

# An answer tells how far the journal is; only when none follows so soon the client is told apart.
_NEWS_SECONDS: Final = 0.002
_ENDS: Final = frozenset({"SESSION_TAKEN_OVER", "SESSION_UNKNOWN", RELOADING})


@dataclass(frozen=True)
class StreamTerms:
    """What a stream was granted.

    Attributes:
        channels: numbers in a row of its network.
        widths: what else a row may have, where a pipeline says so.
        window_rows: most rows under way unanswered.
        window_bytes: most memory for them.
    """

    mode: StreamMode
    channels: int
    window_rows: int
    window_bytes: int
    max_frame_rows: int
    return_outputs: bool
    idle_seconds: float
    widths: range | None = None

    def check_shape(self, shape: Sequence[int], *, field: str) -> None:
        """Refuse inputs by their shape.

        Raises:
            DomainError: TENSOR_INVALID, WIDTH_MISMATCH, or LIMIT_REACHED: too many rows.
        """
        check_shape(shape, self.widths or self.channels, field=field)
        if shape[0] > self.max_frame_rows:
            raise _too_much("rows", shape[0], self.max_frame_rows)

    def check_bytes(self, byte_count: int) -> None:
        """Refuse a frame that no window is large enough for.

        Raises:
            ResourceExhausted: LIMIT_REACHED.
        """
        if byte_count > self.window_bytes:
            raise _too_much("bytes", byte_count, self.window_bytes)


@dataclass(frozen=True)
class SessionTerms:
    """The session of a stream that learns.

    Attributes:
        token: with which the client goes on after a break.
        last_sequence: of its last frame; durable when the stream opens.
    """

    hold: Hold
    token: str
    last_sequence: int


@dataclass(frozen=True)
class Kept:
    """How far the journal is.

    Attributes:
        rows: learned rows of the network that no crash can take.
        sequence: last sequence of the session that no crash can take.
    """

    rows: int
    sequence: int


@dataclass(frozen=True)
class Answered:
    """The results of a frame."""

    sequence: int
    results: RowResults | Duplicate
    new_labels: Sequence[str]
    kept: Kept
    scores: ScoreReport | None = None


@dataclass(frozen=True)
class Progress:
    """Nothing happened for a while, or the journal has caught up."""

    learned_rows: int
    kept: Kept


@dataclass(frozen=True)
class Closed:
    """All is learned and kept."""

    network: Network


Event = Answered | Refused | Progress | Closed


class LearnStream:
    """A stream that is open."""

    def __init__(
        self,
        live: LiveNetwork,
        authority: Authority,
        terms: StreamTerms,
        session: SessionTerms | None,
        pace: Pace,
        *,
        scorer: StreamScorer | None = None,
        share: Share,
        clock: Clock,
    ) -> None:
        self.terms = terms
        self.session = session
        self.network = live.now()
        self.ended = asyncio.Event()
        self._live = live
        self._manner = Manner(session.hold if session else None, scorer)
        self._durability = Durability(live.journal, session.last_sequence if session else 0)
        self._authority = authority
        self._share = share
        self._pace = pace
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._protocol = StreamProtocol()
        self._protocol.open(terms.window_rows, terms.window_bytes)
        self._protocol.in_session = session is not None
        self._waiting: Waiting = Waiting()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._labels_told = len(self.network.labels)
        self._is_hung_up = False
        self._broken: Exception | None = None
        self._end: DomainError | None = None
        self._last_event = self._loop.time()

    @property
    def user(self) -> str:
        """Who streams."""
        return self._authority.principal.name

    @property
    def caller(self) -> Caller:
        """Who streams now, after the last renewal."""
        return self._authority.caller

    async def check_network(self) -> None:
        """Refuse to go on for somebody who may not use the network any more.

        Raises:
            DomainError: What `Authority.network` raises.
        """
        await self._authority.network()

    @property
    def uid(self) -> str:
        """The uid of the stream's network."""
        return self.network.uid

    # The side that reads.

    async def room(self) -> None:
        """Wait until window, memory for all streams and rows per second let another frame in."""
        while not (self._protocol.has_room and self._share.may_grow):
            self._room.clear()
            await self._share.changed(self._room)
        if self._pace.seconds_ahead() > 0:
            await self._pace.caught_up()

    def offer(self, frame: Frame) -> None:
        """Take a frame.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._protocol.frame(frame.sequence, frame.row_count, frame.byte_count)
        self._share.add(frame.byte_count)
        self._pace.take(frame.row_count)
        self._waiting.append(frame)
        self._wake.set()

    def open_again(self) -> None:
        """Refuse a second open.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._protocol.open(0, 0)

    async def authenticate(self, token: str) -> None:
        """Take a fresh token; a bad one is answered by a fault, and the old one stays.

        Raises:
            InvalidArgument: STREAM_PROTOCOL.
        """
        self._protocol.authentication()
        try:
            await self._authority.renew(token)
        except DomainError as error:
            self._protocol.waits(0, 0)
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
        unwatch = self._live.journal.watch(self._wake.set)
        try:
            async for events in self._work():
                yield events
        finally:
            unwatch()
        if self._broken is not None:
            raise self._broken
        if self.session is not None:
            await self._live.journal.flush()
        if self._protocol.phase is Phase.CLOSING:
            yield [Closed(self._live.now())]

    async def _work(self) -> AsyncIterator[Sequence[Event]]:
        at_work: Piece | None = None
        while True:
            piece = await self._queue(behind=at_work)
            if at_work is not None:
                await at_work.finished()
                if at_work.taken:
                    self._live.owner.took(at_work.worked_rows, at_work.seconds)
                    yield self._events_of(at_work)
                    self._written(at_work)
            at_work = piece
            if at_work is None:
                if not self._waiting or self._must_end():
                    self._raise_end()
                    if self._is_hung_up:
                        return
                await self._wait()
                if self._has_news() or self._is_idle():
                    yield [self._progress()]

    def _must_end(self) -> bool:
        return self._end is not None or self._seconds_left() <= 0

    def _raise_end(self) -> None:
        if self._end is not None:
            raise self._end
        self._authority.check(self._now())

    async def _queue(self, *, behind: Piece | None) -> Piece | None:
        """Queue the next piece if there is, or will be, something for it to take."""
        # A piece that has begun leaves what comes from now on to the next one.
        has_begun = behind is not None and behind.has_begun
        if self._must_end() or not (self._waiting or has_begun):
            return None
        if self.session is not None:
            # What cannot be made durable is not learned in the first place.
            await self._live.journal.room()
        owner = self._live.owner
        if behind is None and (piece := piece_at_once(owner, self._waiting, self._manner)):
            return piece
        return await queue_piece(owner, self._waiting, self._manner)

    def _events_of(self, piece: Piece) -> Sequence[Event]:
        self._last_event = self._loop.time()
        return [event for taken in piece.taken if (event := self._event(taken)) is not None]

    def _event(self, taken: Taken) -> Event | None:
        item, outcome = taken.item, taken.outcome
        if isinstance(item, Refused):
            return replace(item, durable_sequence=self._durability.told())
        if isinstance(outcome, DomainError) and outcome.reason in _ENDS:
            # The session is another stream's, forgotten or broken; nothing more will be learned.
            self._end = outcome
            return None
        if taken.position is not None:
            self._durability.add(taken.position, item.sequence)
        if isinstance(outcome, DomainError):
            return Refused(item.sequence, outcome, self._durability.told())
        # What was learned while this answer waited does not belong to it.
        kept = self._kept(most_rows=outcome.learned_rows)
        if isinstance(outcome, Duplicate):
            return Answered(item.sequence, outcome, (), kept)
        return Answered(item.sequence, outcome, self._new_labels(outcome), kept, taken.scores)

    def _new_labels(self, results: RowResults) -> Sequence[str]:
        if results.labels_after <= self._labels_told:
            return ()
        book = self._live.owner.learner.labels
        new = book.since(self._labels_told)[: results.labels_after - self._labels_told]
        self._labels_told = results.labels_after
        return new

    def _kept(self, *, most_rows: int) -> Kept:
        return Kept(min(self._live.kept_rows, most_rows), self._durability.told())

    def _written(self, piece: Piece) -> None:
        for taken in piece.taken:
            item = taken.item
            if isinstance(item, Frame):
                self._protocol.answered(item.row_count, item.byte_count)
                self._share.add(-item.byte_count)
            else:
                self._protocol.answered(0, 0)
        self._room.set()

    async def _wait(self) -> None:
        """Sleep until something comes, or the time for a progress message or the token is up."""
        if self._waiting or self._is_hung_up or self._end is not None or self._has_news():
            return
        self._wake.clear()
        silence = _NEWS_SECONDS if self._durability.has_news else self.terms.idle_seconds
        quiet = self._last_event + silence - self._loop.time()
        timer = self._loop.call_later(max(min(quiet, self._seconds_left()), 0.0), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    def _has_news(self) -> bool:
        """Tell whether the client should hear of the journal now: a next answer may come first."""
        if not self._durability.has_news:
            return False
        return self._is_hung_up or self._loop.time() - self._last_event >= _NEWS_SECONDS

    def _is_idle(self) -> bool:
        is_quiet = self._loop.time() - self._last_event >= self.terms.idle_seconds
        return is_quiet and not self._waiting and not self._is_hung_up

    def _progress(self) -> Progress:
        self._last_event = self._loop.time()
        learned_rows = self._live.owner.learner.learned_rows
        return Progress(learned_rows, self._kept(most_rows=learned_rows))

    def _now(self) -> float:
        return self._clock().timestamp()

    def _seconds_left(self) -> float:
        return self._authority.seconds_left(self._now())


def _too_much(unit: str, actual: int, limit: int) -> ResourceExhausted:
    return ResourceExhausted(
        f"the frame has {actual} {unit}; at most {limit} go into one",
        reason="LIMIT_REACHED",
        metadata={"limit": str(limit), "actual": str(actual)},
    )
