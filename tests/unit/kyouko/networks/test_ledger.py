"""The ledger: frames are learned once, and a replay of its journal is the network itself."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Labels, Learner, RowResults, Rows
from kyouko.domain.networks.ledger import Duplicate, Ledger, Submission, TaskMark
from kyouko.domain.networks.network import SnapshotContent
from kyouko.domain.networks.session_keys import key_of_task, user_of_task
from kyouko.domain.networks.sessions import (
    ID_BYTES,
    MOST_ID_BYTES,
    MOST_MESSAGE_IDS,
    MOST_SESSIONS,
    MOST_TASKS,
    SessionBook,
)
from kyouko.domain.networks.waiting import FRAME_BYTES, WaitingRows
from kyouko.domain.template import resolve
from kyouko.templates import shipped_templates
from mesh.errors import Aborted, DomainError, FailedPrecondition, InvalidArgument
from tests.contract.kyouko.in_memory import MemoryJournal

STRUCTURE = resolve(shipped_templates()["flat"].template, channels=3)
KEY, OTHER = b"k" * 16, b"o" * 16
ALICE = "users/alice"
SINCE = 2**51


class Book:
    """A ledger with its journal."""

    def __init__(self) -> None:
        self.records: dict[int, bytes] = {}
        self.ledger = Ledger(Learner(STRUCTURE, None), None)
        self.ledger.write_to(MemoryJournal(self.records, 0))

    def open(
        self, *, holder: int = 1, key: bytes = KEY, horizon: int = 0, since: int = SINCE
    ) -> int:
        """Take a session for a stream, made if it is new."""
        is_new = key not in {session["key"] for session in self.keys()}
        return self.ledger.open_session(
            key, ALICE, since=since, is_new=is_new, horizon=horizon, holder=holder
        )

    def keys(self) -> Sequence[dict[str, bytes]]:
        """Return the keys of all sessions."""
        return [
            {"key": bytes.fromhex(each["key"])} for each in self.ledger.sessions.export().header
        ]

    def in_life(self, life: str) -> Ledger:
        """Return the ledger as this process has it, or as a new one makes it."""
        if life == "the same process":
            return self.ledger
        again = self.replayed(self.ledger.export().content if life == "a snapshot" else None)
        again.write_to(MemoryJournal(self.records, len(self.records)))
        return again

    def replayed(self, after: SnapshotContent | None = None) -> Ledger:
        """Return what a new process would make of a snapshot and the journal."""
        again = Ledger(Learner(STRUCTURE, after), after)
        for position, data in self.records.items():
            if position > again.position:
                again.replay(position, data)
        return again


@pytest.fixture
async def book() -> Book:
    """Return a new network whose journal is a dictionary."""
    return Book()


def frame(sequence: int, *, holder: int = 1, label: str | None = "a", **more: Any) -> Submission:
    """Return a frame of two rows that are different for every sequence."""
    inputs = np.random.default_rng(sequence).normal(size=(2, 3)).astype(np.float32)
    target = Labels([label] * 2) if label is not None else None
    return Submission(KEY, holder, sequence, Rows(inputs, target), **more)


def late(sequence: int, target_sequence: int) -> Submission:
    """Return the targets of an earlier frame."""
    rows = Rows(np.empty((0, 0), np.float32), Labels(["b", "c"]))
    return Submission(KEY, 1, sequence, rows, target_sequence=target_sequence)


def same(one: Ledger, other: Ledger) -> bool:
    """Tell whether two networks are the same, to the bit, sessions and all."""
    first, second = one.export().content, other.export().content
    arrays = [(first.engine.arrays, second.engine.arrays)]
    arrays.append((first.sessions.arrays, second.sessions.arrays))
    return (
        first.engine.header == second.engine.header
        and first.labels == second.labels
        and first.journal_position == second.journal_position
        and first.sessions.header == second.sessions.header
        and all(a.keys() == b.keys() for a, b in arrays)
        and all(a[name].tobytes() == b[name].tobytes() for a, b in arrays for name in a)
    )


async def test_a_frame_is_learned_once(book: Book) -> None:
    """What comes again is acknowledged, and nothing changes."""
    book.open()
    book.ledger.take(frame(1))

    again = book.ledger.take(frame(1, label="b"))

    assert Duplicate(2) == again
    assert (2, ("a",)) == (book.ledger.learner.learned_rows, book.ledger.learner.labels.labels)


async def test_a_gap_is_refused_and_does_not_count(book: Book) -> None:
    """The error says which one is expected; that one is taken then."""
    book.open()
    book.ledger.take(frame(1))

    with pytest.raises(FailedPrecondition) as gap:
        book.ledger.take(frame(3))

    assert ("SEQUENCE_GAP", {"expected": "2", "actual": "3"}) == (
        gap.value.reason,
        gap.value.metadata,
    )
    assert isinstance(book.ledger.take(frame(2)), RowResults)


async def test_a_refused_frame_keeps_its_sequence(book: Book) -> None:
    """It is answered by its error, and the next one follows; so in a replay."""
    book.open()
    problem = InvalidArgument("no good")

    refused = book.ledger.take(Submission(KEY, 1, 1, problem))
    wrong = book.ledger.take(frame(2, label=""))
    learned = book.ledger.take(frame(3))

    assert (problem, True, True) == (
        refused,
        isinstance(wrong, DomainError),
        isinstance(learned, RowResults),
    )
    assert same(book.ledger, book.replayed())


async def test_the_second_stream_takes_over(book: Book) -> None:
    """The first one can send no more, and the second one goes on where it was."""
    book.open(holder=1)
    book.ledger.take(frame(1))

    last_sequence = book.open(holder=2)

    assert 1 == last_sequence
    with pytest.raises(Aborted) as taken:
        book.ledger.take(frame(2, holder=1))
    assert "SESSION_TAKEN_OVER" == taken.value.reason
    assert isinstance(book.ledger.take(frame(2, holder=2)), RowResults)


@pytest.mark.parametrize("life", ["the same process", "a replay", "a snapshot"])
@pytest.mark.parametrize(
    ("key", "user", "since"),
    [(b"x" * 16, ALICE, SINCE), (KEY, "users/bob", SINCE), (KEY, ALICE, SINCE + 1)],
)
async def test_nobody_gets_the_session_of_another(
    book: Book, key: bytes, user: str, since: int, life: str
) -> None:
    """Neither with a token of elsewhere, nor as somebody else, be it of the same name."""
    book.open()
    ledger = book.in_life(life)

    with pytest.raises(FailedPrecondition) as unknown:
        ledger.open_session(key, user, since=since, is_new=False, horizon=0, holder=2)
    last = ledger.open_session(KEY, ALICE, since=SINCE, is_new=False, horizon=0, holder=3)

    assert "SESSION_UNKNOWN" == unknown.value.reason
    assert 0 == last


@pytest.mark.parametrize("life", ["the same process", "a replay", "a snapshot"])
async def test_sessions_of_before_users_were_told_apart_live_on(book: Book, life: str) -> None:
    """They are of who goes on with them first, with their name and token, and of no later one."""
    book.open(since=0)
    book.ledger.take(frame(1))
    header = [dict(each) for each in book.ledger.export().content.sessions.header]
    ledger = book.in_life(life)

    last = ledger.open_session(KEY, ALICE, since=SINCE, is_new=False, horizon=0, holder=2)
    with pytest.raises(FailedPrecondition) as unknown:
        ledger.open_session(KEY, ALICE, since=SINCE + 1, is_new=False, horizon=0, holder=3)

    assert "since" not in header[0]
    assert 1 == last
    assert "SESSION_UNKNOWN" == unknown.value.reason


async def test_a_message_that_comes_again_is_not_learned_again(book: Book) -> None:
    """Its frame has a sequence of its own and is acknowledged, also by a restored network."""
    book.open()
    book.ledger.take(frame(1, message_id="m1"))
    book.ledger.take(frame(2, message_id="m2"))

    again = book.ledger.take(frame(3, message_id="m1"))
    restored = book.replayed(book.ledger.export().content)

    assert Duplicate(4) == again
    assert restored.sessions.find(KEY).knows("m2")
    assert not restored.sessions.find(KEY).knows("m3")


async def test_late_targets_teach_the_rows_they_belong_to(book: Book) -> None:
    """As if the rows came with them; targets of what does not wait are refused and counted."""
    book.open(horizon=4)
    for sequence in (1, 2, 3):
        book.ledger.take(frame(sequence, label=None))

    learned = book.ledger.take(late(4, 2))
    too_late = book.ledger.take(late(5, 1))
    twice = book.ledger.take(late(6, 2))
    never = book.ledger.take(late(7, 40))

    assert isinstance(learned, RowResults)
    assert (2, ("b", "c")) == (learned.learned_rows, book.ledger.learner.labels.labels)
    for refused in (too_late, twice, never):
        assert isinstance(refused, FailedPrecondition)
        assert ("LABEL_TOO_LATE", "3") == (refused.reason, refused.metadata["oldest"])
    assert 3 == book.ledger.sessions.find(KEY).late_frames
    assert same(book.ledger, book.replayed())


async def test_rows_of_no_session_are_in_the_journal_too(book: Book) -> None:
    """Stored rows, of which the network learns differently, are replayed as stored ones."""
    inputs = np.random.default_rng(7).normal(size=(600, 3))
    book.ledger.learn(Rows(inputs, Labels(list(range(3)) * 200)), Arrival.STORED)

    assert same(book.ledger, book.replayed())


@pytest.mark.parametrize("pieces_in_snapshot", [0, 1, 3])
async def test_a_task_is_found_where_it_was(book: Book, pieces_in_snapshot: int) -> None:
    """A replay knows the rows it has done, and its sums, to the bit."""
    key, user = key_of_task("uid", "task", 7), user_of_task("task")
    snapshot = None
    book.ledger.begin_task(key, user)
    for number in range(3):
        if number == pieces_in_snapshot:
            snapshot = book.ledger.export().content
        rows = np.random.default_rng(number).normal(size=(5, 3))
        book.ledger.learn(Rows(rows, Labels([0, 1, 0, 1, 0])), Arrival.STORED, task=key)

    again = book.replayed(snapshot)

    mark = book.ledger.begin_task(key, user)
    assert (15, 15) == (mark.done_rows, mark.tally.scored_rows)
    assert mark == again.begin_task(key, user)
    assert same(book.ledger, again)


async def test_tasks_and_streams_do_not_displace_one_another(book: Book) -> None:
    """Many tasks leave the sessions of streams as they are; of themselves the last ones stay."""
    book.open()
    keys = [key_of_task("uid", "task", number) for number in range(MOST_TASKS + 1)]
    for number, key in enumerate(keys):
        book.ledger.begin_task(key, user_of_task(f"task-{number}"))
        row = Rows(np.ones((1, 3), np.float32), Labels(["a"]))
        book.ledger.learn(row, Arrival.STORED, task=key)
    for number in range(MOST_SESSIONS - 1):
        book.open(key=number.to_bytes(16, "little"))

    known = [book.ledger.sessions.has(key) for key in [KEY, *keys]]
    oldest = book.ledger.begin_task(keys[0], user_of_task("task-0"))

    assert [True, False, *[True] * MOST_TASKS] == known
    assert TaskMark(0, oldest.tally) == oldest


async def test_no_stream_gets_the_session_of_a_task(book: Book) -> None:
    """Not even who knows its key: a task's session belongs to no user."""
    key = key_of_task("uid", "task", 7)
    book.ledger.begin_task(key, user_of_task("task"))

    with pytest.raises(FailedPrecondition) as refused:
        book.ledger.open_session(key, ALICE, since=0, is_new=False, horizon=0, holder=1)

    assert "SESSION_UNKNOWN" == refused.value.reason


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from("lpgdmtox"), min_size=1, max_size=30),
    st.integers(0, 29),
)
async def test_a_replay_is_the_network_itself(steps: list[str], snapshot_after: int) -> None:
    """Whatever happened, and from whatever snapshot: learned, passed, gap, duplicate, ..."""
    book = Book()
    book.open(horizon=6)
    sequence, snapshot = 0, None
    for number, step in enumerate(steps):
        if number == snapshot_after:
            snapshot = book.ledger.export().content
        if step == "o":
            book.open(horizon=6)
            continue
        if step == "g":
            with pytest.raises(FailedPrecondition):
                book.ledger.take(frame(sequence + 2))
            continue
        if step == "d":
            if sequence:
                book.ledger.take(frame(sequence))
            continue
        sequence += 1
        book.ledger.take(
            {
                "l": frame(sequence, label="abc"[sequence % 3]),
                "p": frame(sequence, label=None),
                "m": frame(sequence, message_id=f"m{sequence % 3}"),
                "t": late(sequence, max(1, sequence - 2)),
                "x": frame(sequence, label="y" * 1000),
            }[step]
        )

    assert same(book.ledger, book.replayed(snapshot))
    assert same(book.ledger, book.replayed(None))


async def test_what_counts_as_use_of_a_session_is_in_the_journal(book: Book) -> None:
    """A duplicate keeps no session alive, so a replay forgets the same one."""
    book.open()
    book.ledger.take(frame(1))
    for number in range(MOST_SESSIONS - 1):
        book.open(key=number.to_bytes(16, "little"))
    book.ledger.take(frame(1))

    book.open(key=b"n" * 16)

    with pytest.raises(FailedPrecondition):
        book.ledger.take(frame(2))
    assert same(book.ledger, book.replayed())


async def test_a_smaller_horizon_lets_rows_go_at_once(book: Book) -> None:
    """So their targets are as late for the network as for one that comes from its snapshot."""
    book.open(horizon=10)
    for sequence in (1, 2, 3):
        book.ledger.take(frame(sequence, label=None))
    book.open(horizon=2)

    late_one = book.ledger.take(late(4, 1))
    restored = book.replayed(book.ledger.export().content)

    assert isinstance(late_one, DomainError)
    assert same(book.ledger, restored)


async def test_empty_frames_do_not_wait(book: Book) -> None:
    """They have no rows that targets could belong to."""
    book.open(horizon=1)
    for sequence in range(1, 20):
        empty = Rows(np.empty((0, 3), np.float32))
        book.ledger.take(Submission(KEY, 1, sequence, empty))

    assert 0 == len(book.ledger.sessions.find(KEY).waiting)


async def test_rows_that_wait_are_bounded_over_all_sessions() -> None:
    """The session unused for longest loses its oldest ones first, and all knows what it has."""
    sessions = SessionBook(row_bytes=100, most_waiting_bytes=3 * (2 * 100 + FRAME_BYTES) - 1)
    rows = WaitingRows.all_of(np.zeros((2, 3), np.float32))
    first = sessions.open(b"1" * 16, ALICE, 100)
    second = sessions.open(b"2" * 16, ALICE, 100)
    for sequence in (1, 2):
        sessions.wait_for_targets(first, sequence, rows)
    sessions.wait_for_targets(second, 1, rows)

    assert ([2], [1]) == (list(first.waiting), list(second.waiting))
    assert (2, 2) == (first.waiting_rows, second.waiting_rows)
    assert 2 * (2 * 100 + FRAME_BYTES) == sessions.memory_bytes


async def test_what_waits_counts_as_memory_of_its_network(book: Book) -> None:
    """Frames of a single narrow row count for what Python keeps of them, until they are gone."""
    book.open(horizon=2000)
    book.ledger.take(frame(1))
    told = book.ledger.statistics().memory_bytes
    rows = np.random.default_rng(3).normal(size=(2000, 3)).astype(np.float32)
    tracemalloc.start()

    for sequence in range(2, 2002):
        row = np.frombuffer(rows[sequence - 2].tobytes(), np.float32).reshape(1, 3)
        book.ledger.take(Submission(KEY, 1, sequence, Rows(row), message_id=f"message {sequence}"))
        # Journals give their records away when they are on the disk.
        book.records.clear()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    grown = book.ledger.statistics().memory_bytes - told
    kept = book.ledger.export().statistics.memory_bytes - told
    most = book.ledger.sessions.most_memory_bytes()
    book.open(horizon=0)

    assert taken / 2 < grown <= most
    assert taken < 1.1 * grown
    assert grown == kept
    assert book.ledger.statistics().memory_bytes - told < grown / 2


async def test_a_session_counts_the_rows_that_may_come_to_wait() -> None:
    """As many as its horizon says, each in a frame of its own, up to what all may take."""
    sessions = SessionBook(row_bytes=100, most_waiting_bytes=10_000, most_id_bytes=0)
    before = sessions.most_memory_bytes(key=KEY, horizon_rows=2)
    sessions.open(KEY, ALICE, 2)

    assert (2 * (100 + FRAME_BYTES), before) == (before, sessions.most_memory_bytes())
    assert 3 * before // 2 == sessions.most_memory_bytes(key=KEY, horizon_rows=3)
    assert 2 * before == sessions.most_memory_bytes(key=b"2" * 16, horizon_rows=2)
    assert 10_000 == sessions.most_memory_bytes(key=b"2" * 16, horizon_rows=50)


async def test_a_session_counts_the_messages_that_may_come() -> None:
    """Of every session of a stream as many as it remembers, up to what all may take."""
    sessions = SessionBook(row_bytes=100)
    of_one = MOST_MESSAGE_IDS * ID_BYTES
    empty, first = sessions.most_memory_bytes(), sessions.most_memory_bytes(key=KEY)
    for number in range(20):
        sessions.open(f"{number:016}".encode(), ALICE, 0)
        sessions.open(f"task {number:011}".encode(), "tasks/one", 0)
    many = sessions.most_memory_bytes()

    assert (0, of_one, MOST_ID_BYTES // ID_BYTES * ID_BYTES) == (empty, first, many)


async def test_messages_of_all_sessions_have_a_bound(book: Book) -> None:
    """Beyond it the oldest ones go of the session used longest ago; so in a replay."""
    book.ledger.sessions = SessionBook(row_bytes=100, most_id_bytes=5 * ID_BYTES)
    again = Ledger(Learner(STRUCTURE, None), None)
    again.sessions = SessionBook(row_bytes=100, most_id_bytes=5 * ID_BYTES)
    for key in (KEY, OTHER):
        book.open(key=key)
    for sequence in (1, 2, 3, 4):
        book.ledger.take(frame(sequence, message_id=f"message {sequence}"))
    other = [replace(frame(number, message_id=f"other {number}"), key=OTHER) for number in (1, 2)]
    for each in other:
        book.ledger.take(each)
    for position, data in book.records.items():
        again.replay(position, data)

    both = [book.ledger.sessions.find(key).message_id_count for key in (KEY, OTHER)]
    assert [3, 2] == both
    assert 5 * ID_BYTES == book.ledger.sessions.memory_bytes
    assert not book.ledger.sessions.find(KEY).knows("message 1")
    assert same(book.ledger, again)
