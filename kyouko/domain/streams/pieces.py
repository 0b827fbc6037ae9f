"""The part of a stream's work that runs in the network's own thread.

A piece takes its frames when its turn comes, not when it is queued: with one
piece queued behind the one at work, the network goes on without a pause, and
hands over what has come meanwhile in one go.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Learner, RowResults, Rows
from kyouko.domain.networks.owner import Owner
from mesh.errors import DomainError

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
    """

    sequence: int
    row_count: int
    rows: Rows | DomainError
    byte_count: int = 0


@dataclass(frozen=True)
class Refused:
    """The fault of a frame, or of another message (sequence None)."""

    sequence: int | None
    error: DomainError


Waiting = deque[Frame | Refused]
Outcome = RowResults | DomainError


@dataclass
class Piece:
    """Frames that were taken, each with what came of it; faults of other messages with theirs.

    Attributes:
        taken: what was taken so far; grows in the network's thread.
        done: resolved when no more will be taken.
    """

    taken: list[tuple[Frame | Refused, Outcome]] = field(default_factory=list)
    done: "asyncio.Future[None] | None" = None

    async def finished(self) -> None:
        """Wait until the piece has come to its end."""
        if self.done is not None:
            await self.done


async def queue_piece(owner: Owner, waiting: Waiting, mode: StreamMode) -> Piece:
    """Queue a piece that will take what is waiting when its turn comes."""
    piece = Piece()
    piece.done = await owner.submit(lambda learner: _work(learner, waiting, mode, piece))
    return piece


def _work(learner: Learner, waiting: Waiting, mode: StreamMode, piece: Piece) -> None:
    ends_at = time.perf_counter() + _PIECE_SECONDS
    rows = 0
    while rows < _PIECE_ROWS and time.perf_counter() < ends_at:
        try:
            item = waiting.popleft()
        except IndexError:
            return
        piece.taken.append((item, _outcome(learner, item, mode)))
        rows += item.row_count if isinstance(item, Frame) else 0


def _outcome(learner: Learner, item: Frame | Refused, mode: StreamMode) -> Outcome:
    if isinstance(item, Refused):
        return item.error
    if isinstance(item.rows, DomainError):
        return item.rows
    try:
        if mode is StreamMode.LEARN:
            return learner.learn(item.rows, Arrival.STREAMED)
        return learner.predict(item.rows)
    except DomainError as error:
        return error
