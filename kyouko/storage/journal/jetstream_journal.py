"""The journal of one network in NATS JetStream; see `kyouko.ports.NetworkJournal`.

Records that gather while a message is under way make the next one. One message of a journal is
under way at a time, each says which one it follows: so the order in the stream is that of the
records whatever is lost or sent twice, and a second writer is found out at its first message.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import nats.errors
import structlog
from nats.js.errors import APIError, ServiceUnavailableError

from kyouko.ports import JournalDamage, JournalRecord
from kyouko.storage.journal.batches import BatchReader, Place, encode, fitting
from kyouko.storage.journal.claim import Claim, NotClaimed
from kyouko.storage.journal.jetstream_messages import Overtaken, Subject
from kyouko.storage.journal.pending import PendingRecords
from kyouko.storage.journal.problems import journal_unavailable
from kyouko.storage.journal.waiting import Changes, Watchers

_log = structlog.get_logger(__name__)
_FIRST_RETRY_SECONDS: Final = 0.05
_MOST_RETRY_SECONDS: Final = 1.0
_FAILURES: Final = (nats.errors.Error, OSError, Overtaken, NotClaimed)


@dataclass(frozen=True)
class Sending:
    """How messages are sent.

    Attributes:
        flush_seconds: how long records are gathered.
        answer_seconds: how long an answer is waited for before the message is sent again.
        patience_seconds: how long the server may be away before callers are told.
        message_bytes: the longest message.
    """

    flush_seconds: float
    answer_seconds: float
    patience_seconds: float
    message_bytes: int


@dataclass(frozen=True)
class Surroundings:
    """What all journals of a process share.

    Attributes:
        claim: what says whether this process may write.
        is_full: whether too many bytes wait for the server.
        shrunk: told when fewer do.
        left: told, by uid, that a journal is closed.
    """

    sending: Sending
    changes: Changes
    claim: Claim
    is_full: Callable[[], bool]
    shrunk: Callable[[], None]
    left: Callable[[str], None]


@dataclass
class _Batch:
    """A batch on its way: its messages, and the number of those that have arrived."""

    count: int
    last: int
    identity: str
    messages: Sequence[bytes]
    arrived: int = 0


class JetStreamJournal:
    """Queues records in the appending thread, and sends them on the event loop."""

    def __init__(
        self, uid: str, subject: Subject, found: BatchReader, end: int, surroundings: Surroundings
    ) -> None:
        self.uid = uid
        self._subject = subject
        self._damage = found.damage
        self._base = found.last
        self._places: deque[Place] = deque(found.places)
        self._end = end
        self._sending = surroundings.sending
        self._surroundings = surroundings
        self._changes = surroundings.changes
        self._watchers = Watchers()
        self._loop = asyncio.get_running_loop()
        self._pending = PendingRecords(found.highest, wake=self._wake)
        self._writer = secrets.token_hex(8)
        self._batch: _Batch | None = None
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._sent_at = float("-inf")
        self._failing_since: float | None = None
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._is_closed = False

    @property
    def damage(self) -> JournalDamage | None:
        """What could not be read when the journal was opened."""
        return self._damage

    @property
    def last_position(self) -> int:
        """The position of the newest record, durable or not."""
        return self._pending.last_position

    @property
    def durable_position(self) -> int:
        """The position up to which no crash can take anything."""
        return self._pending.durable_position

    @property
    def pending(self) -> PendingRecords:
        """What is not durable yet."""
        return self._pending

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Take a record, given in parts that nobody changes; returns its position."""
        if self._is_closed:
            raise RuntimeError(f"the journal of {self.uid} is closed")
        return self._pending.append(parts)

    async def room(self) -> None:
        """Wait until few enough bytes wait for the server that more may be appended."""
        await self._changes.until_room(self._pending, self._surroundings.is_full)

    async def flush(self) -> None:
        """Wait until all that was appended is durable."""
        self._hurry.set()
        await self._changes.until_durable(self._pending)

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever `durable_position` has moved, or sending fails."""
        return self._watchers.add(notify)

    async def read(self, after: int) -> AsyncIterator[JournalRecord]:
        """Yield the durable records after a position, in order."""
        reader = BatchReader(self._subject.stream, after=after)
        try:
            async for sequence, data in self._subject.messages(self._end):
                for record in reader.take(sequence, data):
                    yield record
        except nats.errors.Error as error:
            raise journal_unavailable(problem_with_nats(error)) from error

    async def release(self, through: int) -> None:
        """Delete the messages that hold nothing but records up to a position."""
        before = None
        # The newest message stays: it says how far the journal has come.
        while len(self._places) > 1 and self._places[0].last <= through:
            self._places.popleft()
            before = self._places[0].sequence
        if before is None:
            return
        try:
            self._surroundings.claim.check()
            await self._subject.forget(before=before)
        except (nats.errors.Error, NotClaimed) as error:
            problem = problem_with_nats(error)
            _log.warning("cannot delete journal messages", journal=self.uid, problem=problem)

    async def close(self) -> None:
        """Make everything durable if possible."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self.flush()
        except Exception as error:
            _log.error(
                "records are lost with a journal that cannot be written to",
                journal=self.uid,
                after=self.durable_position,
                through=self.last_position,
                problem=repr(error),
            )
        await self.discard()

    async def discard(self) -> None:
        """Stop sending, whatever is not durable."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._surroundings.left(self.uid)

    def notify(self) -> None:
        """Call those who watch."""
        self._watchers.notify()

    def fail(self, problem: str) -> None:
        """Tell everybody why nothing can be made durable."""
        self._pending.problem = problem
        _log.error("a journal cannot be written to", journal=self.uid, problem=problem)
        self._changes.publish([self])

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._send_all(), name=f"journal {self.uid}")

    async def _send_all(self) -> None:
        while self._pending.collect():
            await self._gathered()
            try:
                await self._send_batch(self._batch or self._next_batch())
            except Exception as error:
                await self._failed(error)
            else:
                self._succeeded()

    async def _gathered(self) -> None:
        """Wait until the flush interval is over, or somebody is in a hurry."""
        seconds = self._sent_at + self._sending.flush_seconds - time.monotonic()
        if seconds > 0 and self._batch is None:
            try:
                await asyncio.wait_for(self._hurry.wait(), seconds)
            except TimeoutError:
                return

    def _next_batch(self) -> _Batch:
        self._hurry.clear()
        self._sent_at = time.monotonic()
        records = self._pending.collect()
        records = records[: fitting(records, self._sending.message_bytes)]
        messages = encode(records, base=self._base, most_bytes=self._sending.message_bytes)
        identity = f"{self.uid}-{self._writer}-{records[0].position}"
        self._batch = _Batch(len(records), records[-1].position, identity, messages)
        return self._batch

    async def _send_batch(self, batch: _Batch) -> None:
        for number, message in enumerate(batch.messages):
            if number < batch.arrived:
                continue
            self._surroundings.claim.check()
            self._end = await self._subject.write(
                message,
                message_id=f"{batch.identity}-{number}",
                behind=self._end,
                seconds=self._sending.answer_seconds,
            )
            if number == 0:
                self._places.append(Place(self._end, batch.last))
            batch.arrived += 1
        self._batch = None
        self._base = batch.last
        self._pending.stored(batch.count)

    def _succeeded(self) -> None:
        if self._pending.problem:
            _log.info("a journal can be written to again", journal=self.uid)
        self._pending.problem = ""
        self._failing_since = None
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._surroundings.shrunk()
        self._changes.publish([self])

    async def _failed(self, error: Exception) -> None:
        if not isinstance(error, _FAILURES):
            _log.exception("a journal cannot be written to", journal=self.uid)
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        is_lasting = now - self._failing_since >= self._sending.patience_seconds
        if (is_lasting or not _passes(error)) and not self._pending.problem:
            self.fail(problem_with_nats(error))
        await asyncio.sleep(self._retry_seconds)
        self._retry_seconds = min(2 * self._retry_seconds, _MOST_RETRY_SECONDS)


def _passes(error: Exception) -> bool:
    """Tell whether an error is of a kind that the start of a server brings along."""
    if isinstance(error, NotClaimed):
        return not error.is_final
    return not isinstance(error, APIError | Overtaken) or isinstance(error, ServiceUnavailableError)


def problem_with_nats(error: BaseException) -> str:
    """Return what an error of the client means, for people."""
    if isinstance(error, APIError) and error.description:
        return f"NATS refuses: {error.description}"
    if isinstance(error, Overtaken | NotClaimed):
        return str(error)
    if isinstance(error, TimeoutError):
        return "NATS does not answer"
    return f"NATS: {str(error).removeprefix('nats: ') or type(error).__name__}"
