"""Records as messages of a stream: batches, cut into parts where a message is too short for one.

A message is a head and a part of the batch's records, in the form that files have too. Batches
name the position on which they build, so whatever is missing between two of them shows.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import google_crc32c
import structlog

from kyouko.ports import JournalDamage, JournalRecord
from kyouko.storage.journal.pending import PendingRecord
from kyouko.storage.journal.records import RECORD_BYTES, RecordError, read_record, record_head

_log = structlog.get_logger(__name__)
MAGIC: Final = b"HJB\x01"
# magic, first, last and base position, number of this part, parts
_BODY: Final = struct.Struct("<4sQQQII")
_CHECKSUM: Final = struct.Struct("<I")
HEAD_BYTES: Final = _BODY.size + _CHECKSUM.size


class MessageError(Exception):
    """A message is no part of a batch."""


@dataclass(frozen=True)
class BatchHead:
    """What stands before each part of a batch.

    Attributes:
        base: the position on whose state its records build.
        part: the number of this part, from 0.
    """

    first: int
    last: int
    base: int
    part: int
    parts: int


def fitting(records: Sequence[PendingRecord], most_bytes: int) -> int:
    """Return how many records fit into a message; the first one always counts."""
    room = most_bytes - HEAD_BYTES
    for count, record in enumerate(records):
        room -= RECORD_BYTES + record.size
        if room < 0:
            return max(count, 1)
    return len(records)


def encode(records: Sequence[PendingRecord], *, base: int, most_bytes: int) -> list[bytes]:
    """Return the messages of a batch."""
    pieces: list[bytes | memoryview] = []
    for record in records:
        pieces.append(record_head(record.position, record.size, record.parts, 0))
        pieces += record.parts
    content = memoryview(b"".join(pieces))
    most = most_bytes - HEAD_BYTES
    first, last = records[0].position, records[-1].position
    parts = -(-len(content) // most)
    return [
        _head(BatchHead(first, last, base, part, parts)) + content[part * most : (part + 1) * most]
        for part in range(parts)
    ]


def decode_head(data: bytes) -> BatchHead:
    """Return the head of a message.

    Raises:
        MessageError: It has none.
    """
    body = data[: _BODY.size]
    if len(data) < HEAD_BYTES or not body.startswith(MAGIC):
        raise MessageError("a message that is no part of a journal")
    if _CHECKSUM.unpack_from(data, _BODY.size)[0] != google_crc32c.value(body):
        raise MessageError("the head of a message is damaged")
    _, first, last, base, part, parts = _BODY.unpack(body)
    return BatchHead(first, last, base, part, parts)


def _head(head: BatchHead) -> bytes:
    body = _BODY.pack(MAGIC, head.first, head.last, head.base, head.part, head.parts)
    return body + _CHECKSUM.pack(google_crc32c.value(body))


@dataclass(frozen=True)
class Place:
    """Where a batch begins in the stream, and the position it ends with."""

    sequence: int
    last: int


class BatchReader:
    """Takes the messages of a journal in order, and finds what is good, missing or damaged.

    A batch counts when it builds on what is known. One that does not is left out, and so are
    those that build on it: they follow damage. A batch appended after the damage was found
    builds on the last good record again, and counts.

    Attributes:
        last: the last good record; the snapshot's position before there is one.
        highest: no position up to here may come again.
        damage: the first damage that the snapshot is not beyond.
        places: where each batch begins, whatever it is worth.
    """

    def __init__(self, stream: str, *, after: int) -> None:
        self._stream = stream
        self._after = after
        self.last = after
        self.highest = after
        self.damage: JournalDamage | None = None
        self.places: list[Place] = []
        self._suspicion = ""
        self._heads: list[BatchHead] = []
        self._chunks: list[bytes] = []

    def take(self, sequence: int, data: bytes) -> Iterator[JournalRecord]:
        """Take a message; yields the good records that are complete with it."""
        try:
            head = decode_head(data)
        except MessageError as error:
            self._suspicion = str(error)
            self.highest += len(data) // RECORD_BYTES + 1
            self.places.append(Place(sequence, self.highest))
            return
        self.highest = max(self.highest, head.last)
        if head.part == 0:
            self.places.append(Place(sequence, head.last))
            self._heads, self._chunks = [], []
        self._heads.append(head)
        self._chunks.append(data[HEAD_BYTES:])
        if [one.part for one in self._heads] == list(range(head.parts)):
            yield from self._batch(sequence, head)

    def end(self) -> None:
        """Take note that there are no more messages."""
        if self._suspicion:
            self._damaged(self._place_of_last(), self._suspicion)

    def _batch(self, sequence: int, head: BatchHead) -> Iterator[JournalRecord]:
        content = io.BytesIO(b"".join(self._chunks))
        self._heads, self._chunks = [], []
        if head.last <= self._after:
            return
        if head.base > self.last:
            missing = f"records from {self.last + 1} to {head.base} are missing"
            self._damaged(sequence, self._suspicion or missing)
            return
        self._suspicion = ""
        if self.damage and head.first <= self._after + 1:
            self.damage = None
        yield from self._records(sequence, head, content)

    def _records(
        self, sequence: int, head: BatchHead, content: io.BytesIO
    ) -> Iterator[JournalRecord]:
        try:
            for position in range(head.first, head.last + 1):
                payload = read_record(content, position, 0)
                if payload is None:
                    raise RecordError(f"record {position} is missing")
                if position > self.last:
                    self.last = position
                    yield JournalRecord(position, payload)
        except RecordError as error:
            self._damaged(sequence, str(error))

    def _damaged(self, sequence: int, problem: str) -> None:
        self._suspicion = ""
        if self.damage is None:
            self.damage = JournalDamage(f"{self._stream}, message {sequence}", self.last, problem)

    def _place_of_last(self) -> int:
        return self.places[-1].sequence
