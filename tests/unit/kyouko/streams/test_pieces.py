"""Pieces of a stream's work, as they run in the network's thread."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Labels, Learner, RowResults, Rows
from kyouko.domain.networks.ledger import Ledger
from kyouko.domain.networks.owner import Owner
from kyouko.domain.networks.workers import Workers
from kyouko.domain.streams import pieces
from kyouko.domain.streams.pieces import (
    Frame,
    Hold,
    Manner,
    Refused,
    Waiting,
    piece_at_once,
    queue_piece,
)
from kyouko.domain.template import resolve
from kyouko.templates import shipped_templates
from mesh.errors import InvalidArgument
from tests.contract.kyouko.in_memory import MemoryJournal

PROBLEM = InvalidArgument("no good")
HOLD = Hold(b"k" * 16, 1)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pieces end by their rows alone, however busy the machine is."""
    monkeypatch.setattr(pieces, "_PIECE_SECONDS", 60.0)


@pytest.fixture
async def owner() -> AsyncIterator[Owner]:
    """Return the owner of a new network of three channels."""
    structure = resolve(shipped_templates()["flat"].template, channels=3)
    with Workers(1, "kernels") as executor:
        ledger = Ledger(Learner(structure, None), None)
        ledger.write_to(MemoryJournal({}, 0))
        ledger.open_session(
            HOLD.key, "users/alice", since=0, is_new=True, horizon=0, holder=HOLD.holder
        )
        made = Owner(ledger, executor)
        yield made
        await made.close()


def frame(sequence: int, rows: int = 2, label: str = "a") -> Frame:
    """Return a frame of equal rows with one label."""
    inputs = np.ones((rows, 3), np.float32)
    return Frame(sequence, rows, Rows(inputs, Labels([label] * rows)))


async def test_a_piece_takes_what_is_there_when_its_turn_comes(owner: Owner) -> None:
    """A frame that came after the piece was queued is in it, one after its end is not."""
    waiting = Waiting()
    piece = await queue_piece(owner, waiting, Manner(HOLD))
    waiting.append(frame(1))

    await piece.finished()
    waiting.append(frame(2))

    assert [1] == [taken.item.sequence for taken in piece.taken]
    assert 1 == len(waiting)


async def test_each_item_has_its_own_outcome_in_order(owner: Owner) -> None:
    """A fault of another message, a frame that could not be read, one that does not fit."""
    waiting = Waiting(
        [
            frame(1),
            Refused(None, PROBLEM),
            Frame(2, 5, PROBLEM),
            frame(3, label=""),
            frame(4),
        ]
    )
    piece = await queue_piece(owner, waiting, Manner(HOLD))

    await piece.finished()

    outcomes = [taken.outcome for taken in piece.taken]
    assert [True, False, False, False, True] == [
        isinstance(outcome, RowResults) for outcome in outcomes
    ]
    assert [PROBLEM, PROBLEM] == outcomes[1:3]
    assert 4 == owner.learner.learned_rows


async def test_a_piece_is_bounded(owner: Owner) -> None:
    """What is more than 512 rows is left to the next piece."""
    waiting = Waiting(frame(sequence, rows=200) for sequence in range(1, 11))
    owner.learner.learn(Rows(np.ones((1, 3), np.float32), Labels(["a"])), Arrival.STREAMED)
    piece = await queue_piece(owner, waiting, Manner())

    await piece.finished()

    assert 1 <= len(piece.taken) <= 3
    assert 10 == len(piece.taken) + len(waiting)


async def test_predicting_teaches_nothing(owner: Owner) -> None:
    """Frames with labels are scored and not learned."""
    piece = await queue_piece(owner, Waiting([frame(1)]), Manner())

    await piece.finished()

    assert 0 == owner.learner.learned_rows
    assert isinstance(piece.taken[0].outcome, RowResults)


async def test_a_short_piece_needs_no_thread(owner: Owner) -> None:
    """One frame of a network whose rows are quickly learned is learned where it is asked for."""
    waiting = Waiting([frame(1)])
    owner.took(1000, 0.001)

    piece = piece_at_once(owner, waiting, Manner(HOLD))

    assert piece is not None
    assert [1] == [taken.item.sequence for taken in piece.taken]
    assert 2 == piece.rows == owner.learner.learned_rows
    assert not piece.has_begun
    await piece.finished()


@pytest.mark.parametrize(
    ("sequences", "rows", "seconds"),
    [((1,), 0, 0.0), ((1,), 1, 0.01), ((1, 2), 1000, 0.001), ((), 1000, 0.001)],
    ids=["nobody knows how long", "long", "several frames", "nothing"],
)
async def test_other_pieces_need_a_thread(
    owner: Owner, sequences: tuple[int, ...], rows: int, seconds: float
) -> None:
    """What may take long, or would make others wait, is not done at once."""
    waiting = Waiting(frame(sequence) for sequence in sequences)
    if rows:
        owner.took(rows, seconds)

    piece = piece_at_once(owner, waiting, Manner(HOLD))

    assert piece is None
    assert len(sequences) == len(waiting)
    assert 0 == owner.learner.learned_rows


async def test_nothing_is_done_at_once_while_a_thread_is_at_work(owner: Owner) -> None:
    """One works on a network at a time, and what was queued before goes first."""
    owner.took(1000, 0.001)
    waiting = Waiting([frame(1)])
    queued = await queue_piece(owner, waiting, Manner(HOLD))

    piece = piece_at_once(owner, waiting, Manner(HOLD))
    await queued.finished()

    assert piece is None
    assert [1] == [taken.item.sequence for taken in queued.taken]


async def test_one_slow_piece_says_little_about_the_next(owner: Owner) -> None:
    """A piece during which another process had the processor does not make the others long."""
    owner.took(1, 0.0001)
    owner.took(1, 1.0)

    assert owner.is_short(1)
    for _ in range(100):
        owner.took(1, 1.0)
    assert not owner.is_short(1)


async def test_frames_that_cost_nothing_make_no_row_look_short(owner: Owner) -> None:
    """However many rows come again or are refused, those to be learned keep their price."""
    waiting = Waiting([frame(1), frame(1, rows=500), Frame(2, 5, PROBLEM)])
    piece = await queue_piece(owner, waiting, Manner(HOLD))
    await piece.finished()
    owner.took(1, 0.01)

    for _ in range(100):
        owner.took(0, 0.000001)

    assert (3, 2) == (len(piece.taken), piece.worked_rows)
    assert not owner.is_short(1)
