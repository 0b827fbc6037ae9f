"""The journal of one network in files; see `kyouko.ports.NetworkJournal` for its promises."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from kyouko.ports import JournalDamage, JournalRecord
from kyouko.storage.journal.flusher import Flusher
from kyouko.storage.journal.problems import journal_unavailable, problem_of
from kyouko.storage.journal.recovery import Recovered
from kyouko.storage.journal.segment import (
    MAX_PAYLOAD_BYTES,
    Part,
    SegmentReader,
    read_header,
)
from kyouko.storage.journal.waiting import Changes, Watchers
from kyouko.storage.journal.writing import PendingRecord, Segment, SegmentWriter

_log = structlog.get_logger(__name__)
# What Python keeps of a record that waits, besides its bytes.
_OVERHEAD_BYTES: Final = 512
_READ_BYTES: Final = 4 * 2**20
_READ_RECORDS: Final = 1024


@dataclass(frozen=True)
class Surroundings:
    """What all journals of a process share.

    Attributes:
        is_full: whether too many bytes wait for the disk.
        left: told, by uid, that a journal is closed.
    """

    flusher: Flusher
    changes: Changes
    is_full: Callable[[], bool]
    left: Callable[[str], None]


class FileJournal:
    """Queues records in the appending thread, and leaves the disk to the flusher's.

    `_queue` and `_is_waiting` are the border between the two. A record is queued before the
    flag is looked at, and the flag is lowered before the queue is emptied, so none is overlooked.
    """

    def __init__(
        self, uid: str, found: Recovered, writer: SegmentWriter, surroundings: Surroundings
    ) -> None:
        self.uid = uid
        self._damage = found.damage
        self._writer = writer
        self._flusher = surroundings.flusher
        self._changes = surroundings.changes
        self._is_full = surroundings.is_full
        self._left = surroundings.left
        self._watchers = Watchers()
        self._queue: deque[PendingRecord] = deque()
        self._unstored: list[PendingRecord] = []
        self._is_waiting = False
        self._is_closed = False
        self._last_position = found.last_position
        self._durable_position = found.last_position
        self._appended_bytes = 0
        self._stored_bytes = 0
        self._problem = ""

    @property
    def damage(self) -> JournalDamage | None:
        """What could not be read when the journal was opened."""
        return self._damage

    @property
    def last_position(self) -> int:
        """The position of the newest record, durable or not."""
        return self._last_position

    @property
    def durable_position(self) -> int:
        """The position up to which no crash can take anything."""
        return self._durable_position

    @property
    def pending_bytes(self) -> int:
        """The memory that is held by what is not durable yet."""
        return self._appended_bytes - self._stored_bytes

    @property
    def problem(self) -> str:
        """Why nothing can be written; empty while it can."""
        return self._problem

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Take a record, given in parts that nobody changes; returns its position."""
        if self._is_closed:
            raise RuntimeError(f"the journal of {self.uid} is closed")
        size = sum(map(_size, parts))
        if size > MAX_PAYLOAD_BYTES:
            raise ValueError(f"a record of {size} bytes is larger than {MAX_PAYLOAD_BYTES}")
        position = self._last_position + 1
        self._queue.append(PendingRecord(position, parts, size))
        self._appended_bytes += size + _OVERHEAD_BYTES
        self._last_position = position
        if not self._is_waiting:
            self._is_waiting = True
            self._flusher.order(self._gather)
        return position

    async def room(self) -> None:
        """Wait until few enough bytes wait for the disk that more may be appended."""
        while True:
            self._raise_problem()
            if not self._is_full():
                return
            await self._changes.next()

    async def flush(self) -> None:
        """Wait until all that was appended is durable."""
        target = self._last_position
        if self._durable_position < target:
            self._flusher.order(self._flusher.hurry)
        while self._durable_position < target:
            self._raise_problem()
            await self._changes.next()

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever `durable_position` has moved, or writing fails."""
        return self._watchers.add(notify)

    async def read(self, after: int) -> AsyncIterator[JournalRecord]:
        """Yield the durable records after a position, in order."""
        through = self._durable_position
        for segment in self._writer.segments:
            if segment.last > after:
                async for record in self._read_segment(segment, after, through):
                    yield record

    async def release(self, through: int) -> None:
        """Delete the files that hold nothing but records up to a position."""
        try:
            await self._perform(lambda: self._writer.release(through))
        except OSError as error:
            _log.warning("cannot delete journal files", journal=self.uid, problem=problem_of(error))

    async def close(self) -> None:
        """Make everything durable if possible, and let go of the file."""
        if self._is_closed:
            return
        self._is_closed = True
        # A round of its own, whatever the state of the disk was a moment ago.
        await self._perform(self._store_last)
        await self.discard()

    async def discard(self) -> None:
        """Let go of the file, without a look at what is not durable."""
        self._is_closed = True
        await self._perform(self._leave)
        self._left(self.uid)

    def notify(self) -> None:
        """Call those who watch."""
        self._watchers.notify()

    def store(self) -> str:
        """Make all that was appended durable; returns the problem that prevents it, or ""."""
        self._is_waiting = False
        while self._queue:
            self._unstored.append(self._queue.popleft())
        try:
            while self._unstored:
                self._stored(self._writer.store(self._unstored))
        except Exception as error:
            self._failed(error)
        else:
            if self._problem:
                _log.info("a journal can be written to again", journal=self.uid)
            self._problem = ""
        return self._problem

    def _gather(self) -> None:
        self._flusher.gather(self)

    def _stored(self, count: int) -> None:
        done = self._unstored[:count]
        del self._unstored[:count]
        self._durable_position = done[-1].position
        self._stored_bytes += sum(record.size + _OVERHEAD_BYTES for record in done)

    def _failed(self, error: Exception) -> None:
        problem = problem_of(error)
        if not isinstance(error, OSError):
            _log.exception("a journal cannot be written to", journal=self.uid)
        elif problem != self._problem:
            _log.error("a journal cannot be written to", journal=self.uid, problem=problem)
        self._problem = problem

    def _store_last(self) -> None:
        if self.store():
            _log.error(
                "records are lost with a journal that cannot be written to",
                journal=self.uid,
                after=self._durable_position,
                through=self._last_position,
            )

    def _leave(self) -> None:
        self._flusher.forget(self)
        self._writer.close()

    async def _perform(self, work: Callable[[], None]) -> None:
        await asyncio.wrap_future(self._flusher.perform(work))

    def _raise_problem(self) -> None:
        if self._problem:
            raise journal_unavailable(self._problem)

    async def _read_segment(
        self, segment: Segment, after: int, through: int
    ) -> AsyncIterator[JournalRecord]:
        try:
            header = await asyncio.to_thread(read_header, segment.path, self.uid)
            reader = SegmentReader(segment.path, header)
            records = reader.records(min(segment.last, through))
            while batch := await asyncio.to_thread(_some, records):
                for position, data in batch:
                    if position > after:
                        yield JournalRecord(position, data)
        except FileNotFoundError:
            if segment in self._writer.segments:
                raise journal_unavailable(f"{segment.path.name} is gone") from None
            return  # Released meanwhile.
        except OSError as error:
            raise journal_unavailable(problem_of(error)) from error
        if reader.problem:
            raise journal_unavailable(f"{segment.path.name}: {reader.problem}")


def _size(part: Part) -> int:
    return part.nbytes if isinstance(part, memoryview) else len(part)


def _some(records: Iterator[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the next records, not too many at once."""
    batch = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record[1])
        if size >= _READ_BYTES or len(batch) >= _READ_RECORDS:
            break
    return batch
