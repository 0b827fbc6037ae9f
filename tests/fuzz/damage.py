"""Bytes that are no message, or not the one that is expected: every kind of damage by its name."""

import random
from collections.abc import Callable, Mapping

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from tests.fuzz import hostile

_VARINT, _FIXED64, _BYTES, _OPEN_GROUP, _CLOSE_GROUP, _FIXED32 = range(6)
_NO_SUCH_WIRE_TYPE = 7
_INVALID_TEXTS = (b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"a\x80", b"\xe2")
_LENGTHS = (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 10, 2**20)
_ODD_NUMBERS = (0, 18_999, 19_000, 19_999, 2**29 - 1, 2**29, 999)
_DEPTHS = (30, 99, 101, 1000, 20_000)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _some_number(kind: Descriptor, rng: random.Random) -> int:
    return rng.choice([item.number for item in kind.fields] or [1])


def _random(valid: Message, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 2, 5, 20, 100, 1000, 10_000)))


def _nothing(valid: Message, rng: random.Random) -> bytes:
    return b""


def _unchanged(valid: Message, rng: random.Random) -> bytes:
    return valid.SerializeToString()


def _one_field(valid: Message, rng: random.Random) -> bytes:
    hostile.one_field(valid, rng)
    return valid.SerializeToString()


def _several_fields(valid: Message, rng: random.Random) -> bytes:
    for _ in range(rng.randrange(2, 6)):
        hostile.one_field(valid, rng)
    return valid.SerializeToString()


def _all_fields(valid: Message, rng: random.Random) -> bytes:
    hostile.fill(valid, rng, share=rng.choice((0.3, 0.7, 1.0)))
    return valid.SerializeToString()


def _truncated(valid: Message, rng: random.Random) -> bytes:
    whole = _some_content(valid, rng)
    return whole[: rng.randrange(len(whole))] if whole else b"\x0a"


def _flipped(valid: Message, rng: random.Random) -> bytes:
    damaged = bytearray(_some_content(valid, rng) or b"\x0a\x01a")
    for _ in range(rng.choice((1, 1, 2, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _spliced(valid: Message, rng: random.Random) -> bytes:
    whole = _some_content(valid, rng) or b"\x0a\x01a"
    begin, end = sorted((rng.randrange(len(whole) + 1), rng.randrange(len(whole) + 1)))
    return rng.choice((whole[:begin] + whole[end:], whole[:end] + whole[begin:], whole * 3))


def _wrong_wire_type(valid: Message, rng: random.Random) -> bytes:
    damaged = valid.SerializeToString() if rng.random() < 0.5 else b""
    for _ in range(rng.randrange(1, 4)):
        wire_type = rng.randrange(_NO_SUCH_WIRE_TYPE + 1)
        content = {
            _VARINT: _varint(rng.getrandbits(64)),
            _FIXED64: rng.randbytes(8),
            _BYTES: _varint(3) + rng.randbytes(3),
            _FIXED32: rng.randbytes(4),
        }.get(wire_type, b"")
        damaged += _tag(_some_number(valid.DESCRIPTOR, rng), wire_type) + content
    return damaged


def _huge_length(valid: Message, rng: random.Random) -> bytes:
    number = _some_number(valid.DESCRIPTOR, rng)
    return _tag(number, _BYTES) + _varint(rng.choice(_LENGTHS)) + rng.randbytes(rng.randrange(20))


def _deep(valid: Message, rng: random.Random) -> bytes:
    depth, number = rng.choice(_DEPTHS), _some_number(valid.DESCRIPTOR, rng)
    if rng.random() < 0.3:
        return _tag(number, _OPEN_GROUP) * depth + _tag(number, _CLOSE_GROUP) * depth
    if rng.random() < 0.3:
        return _tag(number, _OPEN_GROUP) * depth
    content = b""
    for _ in range(min(depth, 1000)):
        content = _tag(number, _BYTES) + _varint(len(content)) + content
    return content


def _invalid_text(valid: Message, rng: random.Random) -> bytes:
    number = _some_number(valid.DESCRIPTOR, rng)
    content = rng.choice(_INVALID_TEXTS) * rng.choice((1, 100))
    return valid.SerializeToString() + _tag(number, _BYTES) + _varint(len(content)) + content


def _unknown_fields(valid: Message, rng: random.Random) -> bytes:
    number = rng.choice(_ODD_NUMBERS)
    added = _tag(number, _BYTES) + _varint(4) + b"evil"
    return valid.SerializeToString() + added * rng.choice((1, 1000))


def _endless_varint(valid: Message, rng: random.Random) -> bytes:
    return _tag(_some_number(valid.DESCRIPTOR, rng), _VARINT) + b"\xff" * rng.choice(
        (9, 10, 11, 99)
    )


def _some_content(valid: Message, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        hostile.fill(valid, rng, share=0.5)
    return valid.SerializeToString()


# Each takes a message that keeps the contract, and may change it.
KINDS: Mapping[str, Callable[[Message, random.Random], bytes]] = {
    "random bytes": _random,
    "empty": _nothing,
    "as the contract wants it": _unchanged,
    "one hostile value": _one_field,
    "several hostile values": _several_fields,
    "hostile values everywhere": _all_fields,
    "truncated": _truncated,
    "bits flipped": _flipped,
    "cut and pasted": _spliced,
    "wrong wire types": _wrong_wire_type,
    "huge lengths": _huge_length,
    "nested deeply": _deep,
    "invalid UTF-8": _invalid_text,
    "unknown fields": _unknown_fields,
    "endless numbers": _endless_varint,
}
# Those that are refused at the first byte teach little: hostile values get further.
_WEIGHTS = (1, 1, 2, 6, 4, 3, 2, 3, 2, 2, 1, 1, 1, 1, 1)


def some_kind(rng: random.Random) -> str:
    """Return the name of a kind of damage."""
    return rng.choices(list(KINDS), _WEIGHTS)[0]
