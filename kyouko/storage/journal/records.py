"""Records as bytes: a head with checksums, then the payload.

All numbers are little-endian; docs/durability.md has the tables. The checksum of a head goes on
from a seed that the file chose by chance, so no sender can make rows that look like a record of
the file they end up in.
"""

import struct
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import google_crc32c
import numpy as np

Part = bytes | memoryview

MARKER: Final = b"\xf3JR\x01"
MAX_PAYLOAD_BYTES: Final = 2**32 - 1
# marker, checksum of the rest of the head
_HEAD: Final = struct.Struct("<4sI")
# payload length, payload checksum, position
_BODY: Final = struct.Struct("<IIQ")
RECORD_BYTES: Final = _HEAD.size + _BODY.size
# Below this a copy is faster than a view that the checksum library understands.
_COPIED_BYTES: Final = 4096


class RecordError(Exception):
    """Bytes are not the record that is expected there."""


def size_of(part: Part) -> int:
    """Return how many bytes a part has."""
    return part.nbytes if isinstance(part, memoryview) else len(part)


def checksum(part: Part, before: int = 0) -> int:
    """Return the CRC32C of some bytes, going on from that of others; does not copy large ones."""
    readable: Any = part
    if isinstance(part, memoryview):
        readable = bytes(part) if part.nbytes <= _COPIED_BYTES else np.frombuffer(part, np.uint8)
    return int(google_crc32c.extend(before, readable))


def record_head(position: int, size: int, parts: Sequence[Part], seed: int) -> bytes:
    """Return what stands before a record's payload."""
    payload_checksum = 0
    for part in parts:
        payload_checksum = checksum(part, payload_checksum)
    body = _BODY.pack(size, payload_checksum, position)
    return _HEAD.pack(MARKER, google_crc32c.extend(seed, body)) + body


def checked_head(head: bytes, seed: int) -> tuple[int, int, int] | None:
    """Return payload length, payload checksum and position, if the head is whole."""
    if len(head) < RECORD_BYTES:
        return None
    marker, head_checksum = _HEAD.unpack_from(head)
    body = head[_HEAD.size :]
    if marker != MARKER or google_crc32c.extend(seed, body) != head_checksum:
        return None
    size, payload_checksum, position = _BODY.unpack(body)
    return size, payload_checksum, position


def read_record(file: BinaryIO, position: int, seed: int) -> bytes | None:
    """Return the payload of the next record, which has this position; None at the end.

    Raises:
        RecordError: Something else stands there.
    """
    head = file.read(RECORD_BYTES)
    if not head:
        return None
    if len(head) < RECORD_BYTES:
        raise RecordError(f"record {position} is cut off")
    found = checked_head(head, seed)
    if found is None or found[2] != position:
        raise RecordError(f"record {position} has a damaged head")
    size, payload_checksum, _ = found
    payload = file.read(size)
    if len(payload) < size:
        raise RecordError(f"record {position} is cut off")
    if google_crc32c.value(payload) != payload_checksum:
        raise RecordError(f"record {position} is damaged")
    return payload
