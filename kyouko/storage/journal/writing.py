"""Writes the segments of one journal; used by one thread only.

After a failed sync nobody knows which of the bytes since the last good one are on the disk, and
asking again does not tell. So that file is never written to again: it ends, for good, where it
was durable, and a new segment begins with the records that were not.
"""

import errno
import os
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from kyouko.storage.journal.pending import PendingRecord
from kyouko.storage.journal.problems import problem_of
from kyouko.storage.journal.records import RECORD_BYTES, Part, record_head, size_of
from kyouko.storage.journal.segment import HEADER_BYTES, new_header, segment_name

_log = structlog.get_logger(__name__)
_MOST_VECTORS: Final = 1024
# Parts up to this length share a vector: one each would cost more than the copy.
_SHORT_BYTES: Final = 4096
# What is made durable at once: more would only delay the news of the first records.
_MOST_BYTES_AT_ONCE: Final = 8 * 2**20
# The disk took nothing more, but what it took before is as good as ever.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass
class Segment:
    """A file of a journal.

    Attributes:
        last: position of its last durable record; `first - 1` when there is none.
        size: the bytes up to there.
        seed: what its checksums go on from; None when it is not written to any more.
    """

    path: Path
    first: int
    last: int
    size: int
    seed: int | None = None


class OpenFiles:
    """Files that are open for writing: the ones used last, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._descriptors: OrderedDict[Path, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._descriptors)

    def get(self, path: Path) -> int:
        """Return a file's descriptor; opens it when it is not open."""
        descriptor = self._descriptors.get(path)
        if descriptor is None:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            self.put(path, descriptor)
        else:
            self._descriptors.move_to_end(path)
        return descriptor

    def put(self, path: Path, descriptor: int) -> None:
        """Keep a file that was opened elsewhere."""
        self.close(path)
        self._descriptors[path] = descriptor
        while len(self._descriptors) > self._limit:
            self.close(next(iter(self._descriptors)))

    def close(self, path: Path) -> None:
        """Close a file if it is open. Nothing depends on this: durable is what was synced."""
        descriptor = self._descriptors.pop(path, None)
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


class SegmentWriter:
    """The segments of one journal, oldest first, and their end.

    Args:
        segments: what is there; the last one is continued if it has a seed.
        base: the position on which the next record builds.
    """

    def __init__(
        self,
        folder: Path,
        segments: Sequence[Segment],
        *,
        base: int,
        segment_bytes: int,
        files: OpenFiles,
    ) -> None:
        self._folder = folder
        self._segments = list(segments)
        self._base = base
        self._segment_bytes = segment_bytes
        self._files = files

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments, oldest first; a copy that stays as it is."""
        return tuple(self._segments)

    def store(self, records: Sequence[PendingRecord]) -> int:
        """Make the first of these records durable; returns how many.

        Raises:
            OSError: None of them is; nothing that was durable before is harmed.
        """
        current = self._continued(records[0])
        room = self._segment_bytes - (current.size if current else HEADER_BYTES)
        count = _fitting(records, min(room, _MOST_BYTES_AT_ONCE))
        if current:
            self._extend(current, records[:count])
        else:
            self._begin(records[:count])
        self._base = records[count - 1].position
        return count

    def release(self, through: int) -> None:
        """Delete the segments whose records are all at or below a position.

        Raises:
            OSError: One could not be deleted; those after it are there too.
        """
        while self._segments and self._segments[0].last <= through:
            segment = self._segments[0]
            self._files.close(segment.path)
            segment.path.unlink(missing_ok=True)
            del self._segments[0]

    def close(self) -> None:
        """Let go of the open file."""
        for segment in self._segments:
            self._files.close(segment.path)

    def _continued(self, record: PendingRecord) -> Segment | None:
        """Return the segment that a record still fits into and follows on."""
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.seed is None or segment.last + 1 != record.position:
            return None
        is_empty = segment.last < segment.first
        if is_empty or segment.size + RECORD_BYTES + record.size <= self._segment_bytes:
            return segment
        self._files.close(segment.path)
        return None

    def _extend(self, segment: Segment, records: Sequence[PendingRecord]) -> None:
        assert segment.seed is not None  # noqa: S101 - `_continued` sees to it
        vectors = _vectors(records, segment.seed)
        try:
            descriptor = self._files.get(segment.path)
        except FileNotFoundError:
            segment.seed = None
            raise
        try:
            end = _write(descriptor, vectors, segment.size)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                self._abandon(segment, descriptor)
            raise
        try:
            os.fdatasync(descriptor)
        except OSError:
            self._abandon(segment, descriptor)
            raise
        segment.size, segment.last = end, records[-1].position

    def _begin(self, records: Sequence[PendingRecord]) -> None:
        """Write a new segment; it appears under its name when its first records are durable."""
        first = records[0].position
        header_bytes, header = new_header(self._folder.name, first, self._base)
        path = self._folder / segment_name(first)
        self._make_folder()
        unfinished = path.with_suffix(".new")
        descriptor = os.open(
            unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        try:
            vectors = [memoryview(header_bytes), *_vectors(records, header.seed)]
            size = _write(descriptor, vectors, 0)
            os.fsync(descriptor)
            unfinished.rename(path)
            sync_folder(self._folder)
        except BaseException:
            os.close(descriptor)
            unfinished.unlink(missing_ok=True)
            raise
        self._files.put(path, descriptor)
        # A segment of that name had no durable record; this one has taken its place.
        self._segments = [segment for segment in self._segments if segment.path != path]
        last = records[-1].position
        self._segments.append(Segment(path, first, last, size, header.seed))

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder.parent)

    def _abandon(self, segment: Segment, descriptor: int) -> None:
        segment.seed = None
        try:
            os.ftruncate(descriptor, segment.size)
        except OSError as error:
            # The next segment says where this one ends, so that is only a matter of room.
            _log.warning(
                "cannot cut a journal file", path=str(segment.path), problem=problem_of(error)
            )
        self._files.close(segment.path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fitting(records: Sequence[PendingRecord], room: int) -> int:
    """Return how many records fit; the first one always does."""
    for count, record in enumerate(records):
        room -= RECORD_BYTES + record.size
        if room < 0:
            return max(count, 1)
    return len(records)


def _vectors(records: Sequence[PendingRecord], seed: int) -> list[memoryview]:
    """Return the bytes of records as they are written; only short parts are copied."""
    vectors: list[memoryview] = []
    short: list[Part] = []
    for record in records:
        short.append(record_head(record.position, record.size, record.parts, seed))
        for part in record.parts:
            if size_of(part) <= _SHORT_BYTES:
                short.append(part)
            else:
                vectors += [memoryview(b"".join(short)), memoryview(part).cast("B")]
                short = []
    vectors.append(memoryview(b"".join(short)))
    return vectors


def _write(descriptor: int, vectors: list[memoryview], offset: int) -> int:
    """Write all of it, however little the system takes at a time; returns where it ends."""
    start = 0
    while start < len(vectors):
        written = os.pwritev(descriptor, vectors[start : start + _MOST_VECTORS], offset)
        if written == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        offset += written
        while start < len(vectors) and written >= vectors[start].nbytes:
            written -= vectors[start].nbytes
            start += 1
        if written:
            vectors[start] = vectors[start][written:]
    return offset
