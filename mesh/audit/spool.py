"""Records that wait in files: bounded, in order, and still there after a kill.

A record is whole in the page cache when `append` returns, so it survives the end of
the process, however it ends. It is not synced: what a machine had written in its last
seconds before a power cut may be gone.
"""

import os
import struct
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)
# The length of the content, its checksum, and what kind of record it is.
_HEADER = struct.Struct("<IIB")
_SUFFIX = ".spool"


@dataclass(frozen=True)
class Batch:
    """Some records, oldest first, as (kind, content), and where they end."""

    records: Sequence[tuple[int, bytes]]
    segment: int
    end: int


class Spool:
    """A queue in a folder: `append` at one end, `peek` and `drop` at the other.

    The folder belongs to one process. Segments are files with growing numbers; the
    last one is written, the first one is read, and goes when all of it is dropped.
    Any thread may append; one task reads.
    """

    def __init__(self, folder: Path, *, max_bytes: int, segment_bytes: int = 2**20) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._sizes = {
            int(path.stem): path.stat().st_size for path in sorted(folder.glob(f"*{_SUFFIX}"))
        }
        self._read_at = 0
        self._writing = max(self._sizes, default=0)
        self._file = -1
        # Never after what another process wrote: its last record may be torn.
        self._next_segment()

    @property
    def size_bytes(self) -> int:
        """What the files hold together."""
        return sum(self._sizes.values())

    @property
    def is_empty(self) -> bool:
        """Whether every record has been dropped."""
        first = min(self._sizes)
        return first == self._writing and self._sizes[first] <= self._read_at

    def append(self, kind: int, content: bytes) -> bool:
        """Add a record; returns False when there is no room for it."""
        record = _HEADER.pack(len(content), zlib.crc32(content), kind) + content
        with self._lock:
            if self.size_bytes + len(record) > self._max_bytes:
                return False
            if self._sizes[self._writing] >= self._segment_bytes:
                self._next_segment()
            return self._write(record)

    def peek(self, *, max_records: int, max_bytes: int) -> Batch:
        """Return the oldest records; an empty batch when there are none.

        Args:
            max_records: The most records to return, at least 1.
            max_bytes: Of their contents together; a single record may be larger.
        """
        with self._lock:
            segment = min(self._sizes)
            while segment != self._writing and self._sizes[segment] <= self._read_at:
                self._remove(segment)
                segment = min(self._sizes)
            begin, size = self._read_at, self._sizes[segment]
        with self._path(segment).open("rb") as file:
            file.seek(begin)
            data = file.read(min(size - begin, max_bytes + self._segment_bytes))
        records, length = _records_in(data, max_records=max_records, max_bytes=max_bytes)
        if not records and data:
            # Nothing can be read from here on: a record was torn, or the disk is damaged.
            _log.warning("waiting records are damaged", segment=segment, lost_bytes=len(data))
            length = size - begin
        return Batch(records, segment, begin + length)

    def drop(self, batch: Batch) -> None:
        """Remove the records of a batch, which has to be the one peeked last."""
        with self._lock:
            self._read_at = batch.end
            if self._sizes[batch.segment] > batch.end:
                return
            if batch.segment != self._writing:
                self._remove(batch.segment)
            elif batch.end > 0:
                os.ftruncate(self._file, 0)
                self._sizes[batch.segment] = self._read_at = 0

    def close(self) -> None:
        """Close the file; what has not been dropped stays for the next start."""
        with self._lock:
            os.close(self._file)
            if self._sizes[self._writing] == 0:
                self._path(self._writing).unlink()

    def _write(self, record: bytes) -> bool:
        before = self._sizes[self._writing]
        try:
            written = os.write(self._file, record)
        except OSError:
            written = 0
        if written < len(record):
            os.ftruncate(self._file, before)
            return False
        self._sizes[self._writing] = before + written
        return True

    def _next_segment(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._writing += 1
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path(self._writing), flags, 0o600)
        self._sizes[self._writing] = 0

    def _remove(self, segment: int) -> None:
        self._path(segment).unlink()
        del self._sizes[segment]
        self._read_at = 0

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:012d}{_SUFFIX}"


def _records_in(
    data: bytes, *, max_records: int, max_bytes: int
) -> tuple[list[tuple[int, bytes]], int]:
    """Return the whole records at the beginning of some bytes, and how long they are."""
    records: list[tuple[int, bytes]] = []
    at = total = 0
    while len(records) < max_records and at + _HEADER.size <= len(data):
        length, checksum, kind = _HEADER.unpack_from(data, at)
        content = data[at + _HEADER.size : at + _HEADER.size + length]
        if len(content) < length or zlib.crc32(content) != checksum:
            break
        if records and total + length > max_bytes:
            break
        records.append((kind, content))
        total += length
        at += _HEADER.size + length
    return records, at
