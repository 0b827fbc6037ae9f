"""The format of journal files: a header, then records one after the other.

All numbers are little-endian; docs/durability.md has the tables.
"""

import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import google_crc32c

from kyouko.storage.journal.problems import LOST_BYTES, problem_of
from kyouko.storage.journal.records import (
    MARKER,
    RECORD_BYTES,
    RecordError,
    checked_head,
    read_record,
)

MAGIC: Final = b"HANAMIJ\0"
VERSION: Final = 1
SUFFIX: Final = ".journal"

# magic, version, first position, base position, random bytes, uid
_FILE_BODY: Final = struct.Struct("<8sIQQ16s64s16x")
_CHECKSUM: Final = struct.Struct("<I")
HEADER_BYTES: Final = _FILE_BODY.size + _CHECKSUM.size
_READ_BUFFER_BYTES: Final = 2**18


class SegmentError(Exception):
    """A file is no segment of the journal it is found in."""


@dataclass(frozen=True)
class SegmentHeader:
    """The beginning of a segment.

    Attributes:
        first: the position of its first record.
        base: the position on whose state its records build: that of the record before, or of
            the snapshot or the last good record from which the network went on.
        seed: what the checksums of its records go on from.
    """

    first: int
    base: int
    seed: int


def segment_name(first: int) -> str:
    """Return the name of the segment that begins with a position."""
    return f"{first:020d}{SUFFIX}"


def new_header(uid: str, first: int, base: int) -> tuple[bytes, SegmentHeader]:
    """Return the first bytes of a new segment, and what they say."""
    salt = secrets.token_bytes(16)
    body = _FILE_BODY.pack(MAGIC, VERSION, first, base, salt, uid.encode("ascii"))
    # Not the checksum of all bytes: with its own checksum at the end that of anything is the same.
    seed = google_crc32c.value(body)
    return body + _CHECKSUM.pack(seed), SegmentHeader(first, base, seed)


def read_header(path: Path, uid: str) -> SegmentHeader:
    """Return the header of a segment.

    Raises:
        SegmentError: It has none, or that of another journal.
        OSError: It cannot be read now.
    """
    try:
        with path.open("rb") as file:
            data = file.read(HEADER_BYTES)
    except OSError as error:
        if error.errno not in LOST_BYTES:
            raise
        raise SegmentError(f"the header cannot be read: {problem_of(error)}") from error
    if len(data) < HEADER_BYTES:
        raise SegmentError("the header is cut off")
    body = data[: _FILE_BODY.size]
    seed = google_crc32c.value(body)
    if _CHECKSUM.unpack(data[_FILE_BODY.size :])[0] != seed:
        raise SegmentError("the header is damaged")
    magic, version, first, base, _, name = _FILE_BODY.unpack(body)
    if (magic, version) != (MAGIC, VERSION):
        raise SegmentError(f"not a journal of version {VERSION}: {magic!r}, version {version}")
    if (name.rstrip(b"\0"), segment_name(first)) != (uid.encode("ascii"), path.name):
        raise SegmentError("the header belongs to another file")
    return SegmentHeader(first, base, seed)


class SegmentReader:
    """Reads the records of a segment in order, up to the first that is not in order.

    Attributes:
        last: the position of the last good record; `first - 1` before there is one.
        end: the offset behind it.
        problem: why there are no more; empty at the end of the file.
        is_unreadable: whether the disk refused to give the bytes.
    """

    def __init__(self, path: Path, header: SegmentHeader) -> None:
        self._path = path
        self._header = header
        self.last = header.first - 1
        self.end = HEADER_BYTES
        self.problem = ""
        self.is_unreadable = False

    def records(self, through: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield positions and payloads up to a position, the end or the first problem."""
        try:
            with self._path.open("rb", buffering=_READ_BUFFER_BYTES) as file:
                file.seek(self.end)
                while through is None or self.last < through:
                    payload = read_record(file, self.last + 1, self._header.seed)
                    if payload is None:
                        return
                    self.last += 1
                    self.end += RECORD_BYTES + len(payload)
                    yield self.last, payload
        except RecordError as error:
            self.problem = str(error)
        except OSError as error:
            if error.errno not in LOST_BYTES:
                raise
            self.is_unreadable = True
            self.problem = f"cannot be read: {problem_of(error)}"

    def finds_records_behind(self) -> bool:
        """Tell whether a whole record stands anywhere behind the last good one."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.end)
                data = file.read()
        except OSError as error:
            if error.errno not in LOST_BYTES:
                raise
            return True
        place = data.find(MARKER)
        while place >= 0:
            if self._is_record(data, place):
                return True
            place = data.find(MARKER, place + 1)
        return False

    def _is_record(self, data: bytes, place: int) -> bool:
        found = checked_head(data[place : place + RECORD_BYTES], self._header.seed)
        if found is None or found[2] <= self.last:
            return False
        start = place + RECORD_BYTES
        payload = data[start : start + found[0]]
        return len(payload) == found[0] and google_crc32c.value(payload) == found[1]
