"""A network at work: its learner, its sessions, and the journal of all that changes them.

Every change takes the same way, live and in a replay, and the journal has them in the order
in which they happened: so what a replay makes of a snapshot is, bit for bit, what was lost.
A change that breaks off half-way, by a lack of memory or a mistake of ours, leaves a network
that nobody knows: it is broken then, changes no more, and has to be loaded again.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import structlog

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.entries import (
    NO_SESSION,
    Entry,
    EntryKind,
    decode,
    encode,
    storable,
)
from kyouko.domain.networks.learner import Learner, RowResults, Rows
from kyouko.domain.networks.network import NetworkStatistics, SnapshotContent
from kyouko.domain.networks.sessions import Session, SessionBook, SessionsState, Tally
from kyouko.domain.networks.waiting import WaitingRows, count_row_bytes
from kyouko.domain.pipeline.lags import widest_row
from mesh.errors import DomainError, FailedPrecondition, InternalError, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
RELOADING: Final = "NETWORK_RELOADING"
# A frame that breaks its network each time must not do so for ever.
_MOST_BREAKS: Final = 3
_log = structlog.get_logger(__name__)


class Appendable(Protocol):
    """The side of a journal that a ledger writes to; see `kyouko.ports.NetworkJournal`."""

    @property
    def last_position(self) -> int:
        """The position of the newest record."""

    @property
    def durable_position(self) -> int:
        """The position up to which no crash can take anything."""

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Take a record; returns its position."""


@dataclass(frozen=True)
class Submission:
    """A frame of a session.

    Attributes:
        holder: the stream that sends it, by number.
        rows: inputs and targets, or the error of a frame that cannot be used. Of a frame with
            late targets the inputs are empty.
        target_sequence: the earlier frame that the targets belong to; 0 if they are its own.
    """

    key: bytes
    holder: int
    sequence: int
    rows: Rows | DomainError
    target_sequence: int = 0
    message_id: str = ""


@dataclass(frozen=True)
class Duplicate:
    """The frame, or its message, has been learned before."""

    learned_rows: int


Outcome = RowResults | Duplicate | DomainError


@dataclass(frozen=True)
class TaskMark:
    """How far a network has come with a task.

    Attributes:
        done_rows: over all epochs.
        tally: sums over these rows.
    """

    done_rows: int
    tally: Tally


@dataclass(frozen=True)
class Exported:
    """What a snapshot is made of, at one moment."""

    content: SnapshotContent
    statistics: NetworkStatistics
    passed_rows: int


def _whole(
    change: "Callable[Concatenate[Ledger, P], T]",
) -> "Callable[Concatenate[Ledger, P], T]":
    """Let a change be made as a whole, be refused, or break the network for good."""

    @wraps(change)
    def changing(ledger: "Ledger", /, *args: P.args, **options: P.kwargs) -> T:
        ledger.check_whole()
        try:
            return change(ledger, *args, **options)
        except DomainError:
            raise
        except BaseException as error:
            ledger.is_broken = True
            _log.exception("a change broke off", position=ledger.position, error=repr(error))
            raise broken_network() from error

    return changing


class Ledger:
    """Changes one network. Not for two threads at once; its owner sees to that.

    Attributes:
        position: of the last change in the journal.
        is_broken: whether a change broke off half-way; memory and journal may differ then.
        breaks: how often frames broke the network, by session and sequence; whoever loads it
            again hands them on.
    """

    def __init__(self, learner: Learner, content: SnapshotContent | None) -> None:
        self.learner = learner
        state = SessionsState() if content is None else content.sessions
        row_bytes = count_row_bytes(widest_row(learner.structure))
        self.sessions = SessionBook.restore(state, row_bytes=row_bytes)
        self.position = 0 if content is None else content.journal_position
        self.is_broken = False
        self.breaks: Counter[tuple[bytes, int]] = Counter()
        self._journal: Appendable | None = None
        # Learned rows by position, of what may not be durable yet; read by the event loop.
        self._undurable: deque[tuple[int, int]] = deque()
        self._durable_rows = learner.learned_rows

    def replay(self, position: int, data: bytes) -> None:
        """Do again what a record of the journal says.

        Raises:
            ValueError: It is no record of a network such as this.
        """
        entry = decode(data)
        try:
            self._redo(entry)
        except DomainError as error:
            raise ValueError(f"record {position} does not fit the network: {error}") from error
        self.position = position
        self._durable_rows = self.learner.learned_rows

    def write_to(self, journal: Appendable) -> None:
        """Write all changes from now on to a journal."""
        self._journal = journal

    def check_whole(self) -> None:
        """Refuse to go on with a network of which a change broke off.

        Raises:
            Unavailable: NETWORK_RELOADING.
        """
        if self.is_broken:
            raise broken_network()

    @property
    def durable_rows(self) -> int:
        """Learned rows that no crash can take; asked by the event loop alone."""
        self.forget_durable()
        return self._durable_rows

    def forget_durable(self) -> None:
        """Forget where the durable changes are; called by the event loop alone, now and then."""
        if self._journal is not None:
            durable = self._journal.durable_position
            while self._undurable and self._undurable[0][0] <= durable:
                self._durable_rows = self._undurable.popleft()[1]

    def export(self) -> Exported:
        """Copy all that the network needs to go on.

        Raises:
            Unavailable: NETWORK_RELOADING.
        """
        self.check_whole()
        content = replace(
            self.learner.export(),
            sessions=self.sessions.export(),
            journal_position=self.position,
        )
        return Exported(content, self.statistics(), self.learner.passed_rows)

    def statistics(self) -> NetworkStatistics:
        """Return how far the network has grown, and what it holds; may be called while it works."""
        found = self.learner.statistics()
        return replace(found, memory_bytes=found.memory_bytes + self.sessions.memory_bytes)

    @_whole
    def open_session(
        self, key: bytes, user: str, *, since: int, is_new: bool, horizon: int, holder: int
    ) -> int:
        """Give a session to a stream of a user made then; returns its last sequence.

        Raises:
            FailedPrecondition: SESSION_UNKNOWN.
            Unavailable: NETWORK_RELOADING, as of every change.
        """
        if not is_new:
            self.sessions.check(key, user, since)
        session = self.sessions.open(key, user, horizon, since=since)
        session.holder = holder
        self._append(Entry(EntryKind.OPENED, key, user=user, since=since, horizon_rows=horizon))
        return session.last_sequence

    @_whole
    def begin_task(self, key: bytes, user: str) -> TaskMark:
        """Return where a task goes on: at its first row, unless some are learned already."""
        if not self.sessions.has(key):
            self.sessions.open(key, user, 0)
            self._append(Entry(EntryKind.OPENED, key, user=user))
        session = self.sessions.find(key)
        return TaskMark(session.last_sequence, session.tally)

    @_whole
    def learn(self, rows: Rows, arrival: Arrival, *, task: bytes = NO_SESSION) -> RowResults:
        """Learn the next rows of a task, or rows that belong to no session.

        Raises:
            DomainError: The rows cannot be learned; the network is as it was.
        """
        session = self.sessions.find(task) if any(task) else None
        rows = _with_storable(rows)
        results = self.learner.learn(rows, arrival)
        kind = EntryKind.PASSED if rows.target is None else EntryKind.LEARNED
        sequence = session.last_sequence + len(rows.inputs) if session is not None else 0
        entry = Entry(kind, task, sequence, rows, arrival)
        if session is not None:
            self._note(session, entry)
            session.tally = session.tally.plus(results)
        self._append(entry)
        return results

    @_whole
    def take(self, frame: Submission) -> Outcome:
        """Learn a frame of a session once and never again, or refuse it for good.

        Raises:
            DomainError: SEQUENCE_GAP, SESSION_UNKNOWN, SESSION_TAKEN_OVER: it is not its turn.
        """
        session = self.sessions.find(frame.key)
        session.held_by(frame.holder)
        if frame.sequence <= session.last_sequence:
            return Duplicate(self.learner.learned_rows)
        _check_next(session, frame.sequence)
        if session.knows(frame.message_id):
            self._skip(session, frame, EntryKind.SKIPPED)
            return Duplicate(self.learner.learned_rows)
        if self.breaks and self.breaks[frame.key, frame.sequence] >= _MOST_BREAKS:
            self._skip(session, frame, EntryKind.SKIPPED)
            return _breaks_each_time(frame.sequence)
        try:
            return self._learn(session, frame)
        except DomainError as error:
            is_late = error.reason == "LABEL_TOO_LATE"
            self._skip(session, frame, EntryKind.LATE if is_late else EntryKind.SKIPPED)
            return error
        except BaseException:
            self.breaks[frame.key, frame.sequence] += 1
            raise

    def _learn(self, session: Session, frame: Submission) -> RowResults:
        if isinstance(frame.rows, DomainError):
            raise frame.rows
        rows = _with_storable(frame.rows)
        waiting = None
        if frame.target_sequence:
            kind = EntryKind.TARGETED
            results = self._learn_late(session, frame.target_sequence, rows)
        else:
            kind = self._kind_of(session, rows)
            results, waiting = self._learn_rows(session, rows, Arrival.STREAMED)
        entry = Entry(
            kind,
            session.key,
            frame.sequence,
            None if kind is EntryKind.SKIPPED else rows,
            target_sequence=frame.target_sequence,
            message_id=frame.message_id,
        )
        self._note(session, entry, waiting)
        self._append(entry)
        return results

    def _learn_rows(
        self, session: Session | None, rows: Rows, arrival: Arrival
    ) -> tuple[RowResults, WaitingRows | None]:
        """Learn rows, or let them pass; returns also what is to wait for targets."""
        if rows.target is None and session is not None and session.horizon_rows:
            return self.learner.let_wait(rows)
        return self.learner.learn(rows, arrival), None

    def _learn_late(self, session: Session, target_sequence: int, rows: Rows) -> RowResults:
        waiting = session.rows_of(target_sequence)
        results = self.learner.learn_late(waiting, rows)
        session.got_targets(target_sequence)
        return results

    def _kind_of(self, session: Session, rows: Rows) -> EntryKind:
        if rows.target is not None:
            return EntryKind.LEARNED
        leaves_mark = session.horizon_rows or self.learner.structure.has_past
        return EntryKind.PASSED if leaves_mark else EntryKind.SKIPPED

    def _skip(self, session: Session, frame: Submission, kind: EntryKind) -> None:
        entry = Entry(kind, session.key, frame.sequence)
        self._note(session, entry)
        self._append(entry)

    def _note(self, session: Session, entry: Entry, waiting: WaitingRows | None = None) -> None:
        """Take down in the session what happened to a frame of it."""
        self.sessions.used(session)
        session.last_sequence = entry.sequence
        self.sessions.remember(session, entry.message_id)
        if entry.kind is EntryKind.LATE:
            session.late_frames += 1
        if waiting is not None:
            self.sessions.wait_for_targets(session, entry.sequence, waiting)

    def _redo(self, entry: Entry) -> None:
        if entry.kind is EntryKind.OPENED:
            horizon = entry.horizon_rows
            self.sessions.open(entry.session, entry.user, horizon, since=entry.since)
            return
        session = self.sessions.find(entry.session) if any(entry.session) else None
        waiting = None
        if entry.kind is EntryKind.TARGETED and session is not None and entry.rows is not None:
            self._learn_late(session, entry.target_sequence, entry.rows)
        elif entry.kind in (EntryKind.LEARNED, EntryKind.PASSED) and entry.rows is not None:
            results, waiting = self._learn_rows(session, entry.rows, entry.arrival)
            if session is not None and session.is_task:
                session.tally = session.tally.plus(results)
        if session is not None:
            self._note(session, entry, waiting)

    def _append(self, entry: Entry) -> None:
        if self._journal is None:
            raise RuntimeError("a network learns without a journal")
        self.position = self._journal.append(encode(entry))
        self._undurable.append((self.position, self.learner.learned_rows))


def _with_storable(rows: Rows) -> Rows:
    inputs = storable(rows.inputs)
    return rows if inputs is rows.inputs else replace(rows, inputs=inputs)


def _check_next(session: Session, sequence: int) -> None:
    expected = session.last_sequence + 1
    if sequence != expected:
        raise FailedPrecondition(
            f"the next sequence of this session is {expected}, but {sequence} came",
            reason="SEQUENCE_GAP",
            metadata={"expected": str(expected), "actual": str(sequence)},
        )


def _breaks_each_time(sequence: int) -> InternalError:
    return InternalError(
        f"learning the frame {sequence} broke off {_MOST_BREAKS} times by a mistake of ours, of "
        "which the log has the story; it is left out, and the network is as if it had never come",
        reason="INTERNAL",
        metadata={"sequence": str(sequence)},
    )


def broken_network() -> Unavailable:
    """Return the error of a network of which a change broke off."""
    return Unavailable(
        "a change of the network broke off; it is loaded again as its snapshot and journal have "
        "it, try again in a moment",
        reason=RELOADING,
    )
