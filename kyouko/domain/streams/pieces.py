"""The part of a stream's work that is the network's own.

A piece takes its frames when its turn comes, not when it is queued: with one
piece queued behind the one at work, the network goes on without a pause, and
hands over what has come meanwhile in one go. A piece runs in a thread, unless it
is so short that changing threads would take longer than the piece.
"""

import asyncio
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import structlog

from kyouko.domain.networks.learner import RowResults, Rows
from kyouko.domain.networks.ledger import Ledger, Outcome, Submission
from kyouko.domain.networks.owner import Owner
from kyouko.domain.scoring import ScoreReport, StreamScorer, truth_of
from mesh.errors import DomainError

_log = structlog.get_logger(__name__)
# A piece ends after about this much: long enough that handing over costs nothing, short enough
# that answers flow and other streams get their turn.
_PIECE_ROWS: Final = 512
_PIECE_SECONDS: Final = 0.005


class StreamMode(StrEnum):
    """What a stream may do to its network."""

    LEARN = "LEARN"
    PREDICT = "PREDICT"


@dataclass(frozen=True)
class Frame:
    """A frame as it came; `rows` is the error of one that cannot be used.

    Attributes:
        byte_count: memory that it takes.
        target_sequence: the earlier frame that its targets belong to; 0 if they are its own.
        message_id: what its source calls it, if anything.
    """

    sequence: int
    row_count: int
    rows: Rows | DomainError
    byte_count: int = 0
    target_sequence: int = 0
    message_id: str = ""


@dataclass(frozen=True)
class Hold:
    """The right of a stream to send the frames of a session.

    Attributes:
        key: the session's.
        holder: number of the stream.
    """

    key: bytes
    holder: int


@dataclass(frozen=True)
class Refused:
    """The fault of a frame, or of another message (sequence None).

    Attributes:
        durable_sequence: last sequence of the session that no crash can take, as it is told.
    """

    sequence: int | None
    error: DomainError
    durable_sequence: int = 0


Waiting = deque[Frame | Refused]


@dataclass(frozen=True)
class Taken:
    """What was taken, and what came of it.

    Attributes:
        position: in the journal, of the last change up to here; None if the frame did not count.
        scores: what else there is to say of the rows, if the stream asks for it.
    """

    item: Frame | Refused
    outcome: Outcome
    position: int | None = None
    scores: ScoreReport | None = None


@dataclass(frozen=True)
class Manner:
    """How a stream wants its frames treated.

    Attributes:
        hold: of the session, to learn in; rows are predicted only without one.
        scorer: says more of the rows than the predictions; used in the network's turn.
    """

    hold: Hold | None = None
    scorer: StreamScorer | None = None


@dataclass
class Piece:
    """Frames that were taken, in order, and faults of other messages.

    Attributes:
        taken: what was taken so far; grows in the network's turn.
        rows: how many rows that is.
        worked_rows: how many of them the network took; those of a frame that was refused, or
            had been learned before, cost next to nothing.
        seconds: how long that took.
        done: resolved when no more will be taken.
    """

    taken: list[Taken] = field(default_factory=list)
    rows: int = 0
    worked_rows: int = 0
    seconds: float = 0.0
    done: "asyncio.Future[None] | None" = None

    @property
    def has_begun(self) -> bool:
        """Whether it is at work in a thread, and may take nothing more."""
        return self.done is not None and bool(self.taken)

    async def finished(self) -> None:
        """Wait until the piece has come to its end."""
        if self.done is not None:
            await self.done


async def queue_piece(owner: Owner, waiting: Waiting, manner: Manner) -> Piece:
    """Queue a piece that will take what is waiting when its turn comes."""
    piece = Piece()
    piece.done = await owner.submit(lambda ledger: _work(ledger, waiting, manner, piece))
    return piece


def piece_at_once(owner: Owner, waiting: Waiting, manner: Manner) -> Piece | None:
    """Work without a thread on what is waiting, if that is little and nothing else is to do."""
    if len(waiting) != 1 or not owner.is_short(_rows_of(waiting[0])):
        return None
    piece = Piece()
    owner.at_once(lambda ledger: _work(ledger, waiting, manner, piece))
    return piece


def _work(ledger: Ledger, waiting: Waiting, manner: Manner, piece: Piece) -> None:
    started = now = time.perf_counter()
    while waiting and piece.rows < _PIECE_ROWS and now - started < _PIECE_SECONDS:
        # The stream only ever appends, so what was there a moment ago still is.
        item = waiting.popleft()
        taken = _take(ledger, item, manner)
        piece.taken.append(taken)
        piece.rows += _rows_of(item)
        if isinstance(taken.outcome, RowResults):
            piece.worked_rows += len(taken.outcome.outputs)
        now = time.perf_counter()
    piece.seconds = now - started


def _rows_of(item: Frame | Refused) -> int:
    # A frame without rows is work too.
    return max(item.row_count, 1) if isinstance(item, Frame) else 1


def _take(ledger: Ledger, item: Frame | Refused, manner: Manner) -> Taken:
    if isinstance(item, Refused):
        return Taken(item, item.error)
    try:
        if manner.hold is not None:
            outcome, position = ledger.take(_submission(item, manner.hold)), ledger.position
        elif isinstance(item.rows, DomainError):
            return Taken(item, item.rows)
        else:
            outcome, position = ledger.learner.predict(item.rows), None
    except DomainError as error:
        return Taken(item, error)
    return Taken(item, outcome, position, _scores(ledger, item, outcome, manner.scorer))


def _scores(
    ledger: Ledger, frame: Frame, outcome: Outcome, scorer: StreamScorer | None
) -> ScoreReport | None:
    if scorer is None or not isinstance(outcome, RowResults) or not isinstance(frame.rows, Rows):
        return None
    if scorer.has_failed:
        return None
    try:
        return _score(ledger, frame.rows, outcome, scorer, is_late=bool(frame.target_sequence))
    except Exception as error:
        # The rows are learned, and their answer must not be lost for what is said beside it.
        incident = uuid.uuid4().hex
        _log.exception("scoring failed", incident=incident, error=repr(error))
        return scorer.fail(incident)


def _score(
    ledger: Ledger, rows: Rows, outcome: RowResults, scorer: StreamScorer, *, is_late: bool
) -> ScoreReport:
    inputs = None if is_late else rows.inputs
    if outcome.foretold is not None:
        # The truth of what was said some rows ago is in the rows themselves.
        foretold = outcome.foretold
        return scorer.score(outcome, foretold.actual, inputs, said=foretold.predicted)
    return scorer.score(outcome, truth_of(rows, ledger.learner.labels), inputs)


def _submission(frame: Frame, hold: Hold) -> Submission:
    return Submission(
        hold.key,
        hold.holder,
        frame.sequence,
        frame.rows,
        target_sequence=frame.target_sequence,
        message_id=frame.message_id,
    )
