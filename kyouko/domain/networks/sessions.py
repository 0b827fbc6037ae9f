"""Sessions: who sends rows in order, and how far each has come, over any number of streams.

All of it changes in the network's own thread only, in the order of the journal, so that a
replay comes to the same end.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.networks.rows import RowResults
from kyouko.domain.networks.session_keys import is_of_task
from kyouko.domain.networks.waiting import FRAME_BYTES, WaitingRows, pack, unpack
from mesh.errors import Aborted, FailedPrecondition

MOST_SESSIONS: Final = 256
# Tasks of a network run one after the other: only the last ones can be of interest again.
MOST_TASKS: Final = 16
MOST_MESSAGE_IDS: Final = 4096
MOST_WAITING_BYTES: Final = 32 * 2**20
# For the messages remembered in all sessions of a network: of ten sessions, all.
MOST_ID_BYTES: Final = 8 * 2**20
# What Python keeps of a message.
ID_BYTES: Final = 192
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tally:
    """Sums over the rows of a session; see `RowResults`."""

    scored_rows: int = 0
    loss: float = 0.0
    correct_rows: int = 0
    absolute_error: float = 0.0

    def plus(self, results: RowResults) -> "Tally":
        """Return the sums with more rows."""
        return Tally(
            self.scored_rows + results.scored_rows,
            self.loss + results.loss_sum,
            self.correct_rows + results.correct_rows,
            self.absolute_error + results.absolute_error,
        )


@dataclass
class Session:
    """Frames in order.

    Attributes:
        user: whose session it is, `users/{user}`, or `tasks/{task}`.
        since: when the user was made, which tells them from a later one of the name; 0 where
            it was not noted.
        last_sequence: of the last frame that was learned, let pass, or refused for good; of a
            task the rows it has done, over all epochs.
        horizon_rows: rows that may get their targets later.
        waiting: such frames, by sequence, oldest first.
        late_frames: frames whose targets came too late.
        holder: the stream that may send, by number; a replay knows of none.
        tally: what a task has come to.
    """

    key: bytes
    user: str
    last_sequence: int = 0
    horizon_rows: int = 0
    late_frames: int = 0
    waiting: "OrderedDict[int, WaitingRows]" = field(default_factory=OrderedDict)
    waiting_rows: int = 0
    holder: int = 0
    since: int = 0
    tally: Tally = field(default_factory=Tally)
    _ids: "OrderedDict[int, None]" = field(default_factory=OrderedDict)

    @property
    def is_task(self) -> bool:
        """Whether its rows come from a stored data set."""
        return is_of_task(self.user)

    def is_of(self, user: str, since: int) -> bool:
        """Tell whether it is somebody's; of before it was noted, whoever has name and token."""
        return user == self.user and self.since in (0, since)

    @property
    def message_id_count(self) -> int:
        """How many messages are remembered."""
        return len(self._ids)

    @property
    def message_ids(self) -> Sequence[int]:
        """The messages remembered, hashed, oldest first."""
        return list(self._ids)

    def knows(self, message_id: str) -> bool:
        """Tell whether a message of the source has come before."""
        return bool(message_id) and _hash_of(message_id) in self._ids

    def remember(self, message_id: str) -> None:
        """Remember a message of the source, and forget the oldest one for it."""
        self.remember_hash(_hash_of(message_id))

    def remember_hash(self, number: int) -> None:
        """Remember a message by its hash."""
        self._ids[number] = None
        if len(self._ids) > MOST_MESSAGE_IDS:
            self._ids.popitem(last=False)

    def forget_messages(self, most: int) -> int:
        """Forget the oldest messages, so many at most; returns how many."""
        count = min(most, len(self._ids))
        for _ in range(count):
            self._ids.popitem(last=False)
        return count

    def wait_for_targets(self, sequence: int, rows: WaitingRows) -> None:
        """Keep the rows of a frame until their targets come, and let the oldest ones go."""
        if self.horizon_rows and rows.row_count:
            self.waiting[sequence] = rows
            self.waiting_rows += rows.row_count
            self.forget_beyond(self.horizon_rows)

    def forget_beyond(self, rows: int) -> None:
        """Let the oldest rows go that are more than so many."""
        while self.waiting_rows > rows:
            self.forget_oldest()

    def forget_oldest(self) -> int:
        """Let the frame go that waits longest; returns its rows."""
        _, oldest = self.waiting.popitem(last=False)
        self.waiting_rows -= oldest.row_count
        return oldest.row_count

    def rows_of(self, sequence: int) -> WaitingRows:
        """Return the rows of an earlier frame that waits for its targets.

        Raises:
            FailedPrecondition: LABEL_TOO_LATE.
        """
        if sequence not in self.waiting:
            raise _too_late(sequence, next(iter(self.waiting), None))
        return self.waiting[sequence]

    def got_targets(self, sequence: int) -> None:
        """Let the rows of a frame go."""
        self.waiting_rows -= self.waiting.pop(sequence).row_count

    def held_by(self, holder: int) -> None:
        """Refuse a stream that another one has taken the session from.

        Raises:
            Aborted: SESSION_TAKEN_OVER.
        """
        if self.holder != holder:
            raise taken_over(self.last_sequence)


class SessionBook:
    """The sessions of one network; beyond a number the one unused for longest is forgotten.

    Streams and tasks are counted apart, so that none of them takes the place of the others.
    A session is used when the journal gets an entry of it, and by nothing else: so a replay
    forgets the same ones.
    """

    def __init__(
        self,
        limit: int = MOST_SESSIONS,
        *,
        row_bytes: int,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
        most_id_bytes: int = MOST_ID_BYTES,
    ) -> None:
        """Make an empty book.

        Args:
            limit: most sessions of streams.
            row_bytes: what a row takes that waits for its targets.
            most_waiting_bytes: what all of them take, with what Python keeps of their frames.
            most_id_bytes: what the messages remembered take.
        """
        self._limit = limit
        self._row_bytes = row_bytes
        self._most_waiting_bytes = most_waiting_bytes
        self._most_ids = most_id_bytes // ID_BYTES
        self._id_count = 0
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, key: bytes, user: str, horizon_rows: int, *, since: int = 0) -> Session:
        """Return the session of a key, made if it is new."""
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = Session(key, user)
            self._forget_beyond_limit(session)
        session.since = session.since or since
        session.horizon_rows = horizon_rows
        session.forget_beyond(horizon_rows)
        self.used(session)
        return session

    def _forget_beyond_limit(self, newest: Session) -> None:
        alike = [each for each in self._sessions.values() if each.is_task is newest.is_task]
        if len(alike) > (MOST_TASKS if newest.is_task else self._limit):
            self._id_count -= self._sessions.pop(alike[0].key).message_id_count

    def has(self, key: bytes) -> bool:
        """Tell whether a session is known."""
        return key in self._sessions

    def find(self, key: bytes) -> Session:
        """Return a session.

        Raises:
            FailedPrecondition: SESSION_UNKNOWN.
        """
        session = self._sessions.get(key)
        if session is None:
            raise unknown_session()
        return session

    def used(self, session: Session) -> None:
        """Note that a session was used just now."""
        self._sessions.move_to_end(session.key)

    def remember(self, session: Session, message_id: str) -> None:
        """Remember a message; those of sessions unused for longest go when it is too many."""
        if message_id:
            before = session.message_id_count
            session.remember(message_id)
            self._count_ids(session.message_id_count - before)

    def _count_ids(self, more: int) -> None:
        self._id_count += more
        if self._id_count > self._most_ids:
            for each in self._sessions.values():
                self._id_count -= each.forget_messages(self._id_count - self._most_ids)
                if self._id_count <= self._most_ids:
                    return

    def wait_for_targets(self, session: Session, sequence: int, rows: WaitingRows) -> None:
        """Keep the rows of a frame; those of sessions unused for longest go when it is too many."""
        if not session.horizon_rows:
            return
        session.wait_for_targets(sequence, rows)
        excess = sum(map(self._waiting_bytes, self._sessions.values())) - self._most_waiting_bytes
        for each in self._sessions.values():
            while excess > 0 and each.waiting:
                excess -= each.forget_oldest() * self._row_bytes + FRAME_BYTES
            if excess <= 0:
                return

    @property
    def memory_bytes(self) -> int:
        """What the sessions hold now; may be asked for by any thread, also while they change."""
        return sum(
            self._waiting_bytes(each) + each.message_id_count * ID_BYTES
            for each in tuple(self._sessions.values())
        )

    def most_memory_bytes(self, *, key: bytes = b"", horizon_rows: int = 0) -> int:
        """Return what they may come to hold, if the session of a key, or of none, is opened."""
        sessions = tuple(self._sessions.values())
        rows = horizon_rows + sum(each.horizon_rows for each in sessions if each.key != key)
        waiting = min(rows * (self._row_bytes + FRAME_BYTES), self._most_waiting_bytes)
        streams = {each.key for each in sessions if not each.is_task}
        ids = len(streams | {key} if key else streams) * MOST_MESSAGE_IDS
        return waiting + min(ids, self._most_ids) * ID_BYTES

    def _waiting_bytes(self, session: Session) -> int:
        return session.waiting_rows * self._row_bytes + len(session.waiting) * FRAME_BYTES

    def check(self, key: bytes, user: str, since: int) -> None:
        """Refuse a key that is not of this user's session.

        Raises:
            FailedPrecondition: SESSION_UNKNOWN.
        """
        session = self._sessions.get(key)
        if session is None or not session.is_of(user, since):
            raise unknown_session()

    def export(self) -> "SessionsState":
        """Copy all sessions, least recently used first."""
        header: list[dict[str, Any]] = []
        arrays = {}
        for number, session in enumerate(self._sessions.values()):
            header.append(
                {
                    "key": session.key.hex(),
                    "user": session.user,
                    "last_sequence": session.last_sequence,
                    "horizon_rows": session.horizon_rows,
                    "late_frames": session.late_frames,
                }
            )
            if session.since:
                header[-1]["since"] = session.since
            if session.is_task:
                header[-1]["tally"] = asdict(session.tally)
            if session.message_ids:
                arrays[f"{number}/message_ids"] = np.array(session.message_ids, np.int64)
            for name, array in pack(session.waiting).items():
                arrays[f"{number}/{name}"] = array
        return SessionsState(tuple(header), arrays)

    @classmethod
    def restore(cls, state: "SessionsState", *, row_bytes: int) -> "SessionBook":
        """Return the book that was exported.

        Raises:
            ValueError: The state is none of a book.
        """
        book = cls(row_bytes=row_bytes)
        try:
            for number, item in enumerate(state.header):
                session = book.open(bytes.fromhex(item["key"]), item["user"], item["horizon_rows"])
                session.since = int(item.get("since", 0))
                session.last_sequence = int(item["last_sequence"])
                session.late_frames = int(item["late_frames"])
                session.tally = Tally(**item.get("tally", {}))
                for message_id in state.arrays.get(f"{number}/message_ids", ()):
                    session.remember_hash(int(message_id))
                book._count_ids(session.message_id_count)
                for sequence, rows in unpack(_arrays_of(state.arrays, number)):
                    session.wait_for_targets(sequence, rows)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the sessions of a network: {error!r}") from error
        return book


@dataclass(frozen=True)
class SessionsState:
    """Sessions as a snapshot holds them."""

    header: Sequence[Mapping[str, Any]] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)


def unknown_session() -> FailedPrecondition:
    """Return the error of a resume token that is good for nothing."""
    return FailedPrecondition(
        "no session of this network and user has this resume token (any more); open without one"
        " to begin a new session",
        reason="SESSION_UNKNOWN",
        metadata={"field": "open.resume_token"},
    )


def taken_over(last_sequence: int) -> Aborted:
    """Return the error of a stream whose session has gone to another one."""
    return Aborted(
        "another stream goes on with this session",
        reason="SESSION_TAKEN_OVER",
        metadata={"last_sequence": str(last_sequence)},
    )


def _hash_of(message_id: str) -> int:
    digest = hashlib.blake2b(message_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _arrays_of(arrays: Mapping[str, Array], number: int) -> Mapping[str, Array]:
    """Return the arrays of one session, without its number in their names."""
    start = f"{number}/"
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }


def _too_late(sequence: int, oldest: int | None) -> FailedPrecondition:
    waiting = "none waits" if oldest is None else f"the oldest that waits is {oldest}"
    return FailedPrecondition(
        f"the frame {sequence} does not wait for targets (any more); {waiting}",
        reason="LABEL_TOO_LATE",
        metadata={"target_sequence": str(sequence), "oldest": str(oldest or 0)},
    )
