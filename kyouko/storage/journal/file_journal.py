"""The journal of one network in files; see `kyouko.ports.NetworkJournal` for its promises."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from kyouko.ports import JournalDamage, JournalRecord
from kyouko.storage.journal.flusher import Flusher
from kyouko.storage.journal.pending import PendingRecords
from kyouko.storage.journal.problems import journal_unavailable, problem_of
from kyouko.storage.journal.recovery import Recovered
from kyouko.storage.journal.segment import SegmentReader, read_header
from kyouko.storage.journal.waiting import Changes, Watchers
from kyouko.storage.journal.writing import Segment, SegmentWriter

_log = structlog.get_logger(__name__)
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
    """Queues records in the appending thread, and leaves the disk to the flusher's."""

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
        self._pending = PendingRecords(found.last_position, wake=self._wake)
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
        """Wait until few enough bytes wait for the disk that more may be appended."""
        await self._changes.until_room(self._pending, self._is_full)

    async def flush(self) -> None:
        """Wait until all that was appended is durable."""
        if self.durable_position < self.last_position:
            self._flusher.order(self._flusher.hurry)
        await self._changes.until_durable(self._pending)

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever `durable_position` has moved, or writing fails."""
        return self._watchers.add(notify)

    async def read(self, after: int) -> AsyncIterator[JournalRecord]:
        """Yield the durable records after a position, in order."""
        through = self.durable_position
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
        try:
            records = self._pending.collect()
            # What is appended meanwhile is for the next round: others wait too.
            while records:
                self._pending.stored(self._writer.store(records))
        except Exception as error:
            self._failed(error)
        else:
            if self._pending.problem:
                _log.info("a journal can be written to again", journal=self.uid)
            self._pending.problem = ""
        return self._pending.problem

    def _wake(self) -> None:
        self._flusher.order(self._gather)

    def _gather(self) -> None:
        self._flusher.gather(self)

    def _failed(self, error: Exception) -> None:
        problem = problem_of(error)
        if not isinstance(error, OSError):
            _log.exception("a journal cannot be written to", journal=self.uid)
        elif problem != self._pending.problem:
            _log.error("a journal cannot be written to", journal=self.uid, problem=problem)
        self._pending.problem = problem

    def _store_last(self) -> None:
        if self.store():
            _log.error(
                "records are lost with a journal that cannot be written to",
                journal=self.uid,
                after=self.durable_position,
                through=self.last_position,
            )

    def _leave(self) -> None:
        self._flusher.forget(self)
        self._writer.close()

    async def _perform(self, work: Callable[[], None]) -> None:
        await asyncio.wrap_future(self._flusher.perform(work))

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
