"""Values that nobody should send, by the type of their field, and messages full of them."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "../../../etc/passwd",
    "..",
    "/",
    "//",
    "projects/../users/admin",
    "projects/-",
    "projects/%2e%2e/networks/x",
    "projects/garden/networks/roses/",
    "projects//networks/",
    "users/" + "a" * 300,
    "x" * 70_000,
    "\u202egnp.exe",
    "ﷺ" * 40,
    "\U0001f600" * 20,
    "é",
    "e\u0301",
    "\ufeff",
    "\uffff",
    "' OR 1=1 --",
    "'; DROP TABLE users; --",
    "%s%n%x",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "\r\nx-evil: 1",
    "-1",
    "1e309",
    "NaN",
    "null",
    "a: &a [*a]",
    "inputs: [{name: a, channels: 99999999999999999999}]",
    "!!python/object/apply:os.system [id]",
    "{" * 2000,
    "[" * 2000,
    "a and (" * 300,
    'state = "RUNNING" AND',
)
_INTEGERS = (0, 1, -1, 2, 7, 127, 128, 255, 2**15, 2**31 - 1, -(2**31), 2**32 - 1)
_LONG = (2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, -(2**31) - 1)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-320, 5e-324, 1e38, 1e308, -1e308)
_NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
_LARGEST_FLOAT32 = 3e38
_DEEPEST = 6
_MOST_ITEMS = 3
# Now and then a list is long.
_LONG_LIST = 3000

_BOUNDS: Mapping[int, tuple[int, int]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def text(rng: random.Random) -> str:
    """Return a text that is none of the expected ones."""
    if rng.random() < 0.2:
        return "".join(chr(rng.randrange(0x20, 0x3000)) for _ in range(rng.randrange(40)))
    return rng.choice(_TEXTS)


def fill(message: Any, rng: random.Random, *, share: float, depth: int = 0) -> None:
    """Set some fields of a message, and of those in it, to hostile values.

    Args:
        message: Changed in place.
        rng: Where chance comes from.
        share: How many of the fields.
        depth: How deep the message lies in others.
    """
    for item in message.DESCRIPTOR.fields:
        if rng.random() >= share:
            continue
        if item.is_repeated and item.message_type and item.message_type.GetOptions().map_entry:
            _fill_map(message, item, rng)
        elif item.message_type is not None:
            if depth < _DEEPEST:
                _fill_nested(message, item, rng, share, depth)
        elif item.is_repeated:
            most = _LONG_LIST if rng.random() < 0.02 else _MOST_ITEMS
            short = item.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
            count = rng.randrange(min(most, 50) if short else most)
            getattr(message, item.name).extend(value(item, rng) for _ in range(count))
        else:
            setattr(message, item.name, value(item, rng))


def _fill_nested(
    message: Any, item: FieldDescriptor, rng: random.Random, share: float, depth: int
) -> None:
    target = getattr(message, item.name)
    if item.is_repeated:
        for _ in range(rng.randrange(_MOST_ITEMS)):
            fill(target.add(), rng, share=share, depth=depth + 1)
    else:
        target.SetInParent()
        fill(target, rng, share=share, depth=depth + 1)


def _fill_map(message: Any, item: Any, rng: random.Random) -> None:
    entry = item.message_type
    key, held = value(entry.fields_by_name["key"], rng), entry.fields_by_name["value"]
    target = getattr(message, item.name)
    if held.message_type is None:
        target[key] = value(held, rng)
    else:
        target[key].SetInParent()


def value(item: FieldDescriptor, rng: random.Random) -> Any:
    """Return a hostile value that a field of this type can hold."""
    return _MAKERS.get(item.cpp_type, _integer)(item, rng)


def _integer(item: FieldDescriptor, rng: random.Random) -> int:
    low, high = _BOUNDS[item.cpp_type]
    return rng.choice([n for n in (*_INTEGERS, *_LONG, low, high) if low <= n <= high])


def _float(item: FieldDescriptor, rng: random.Random) -> float:
    chosen = rng.choice((*_FLOATS, *_NOT_FINITE))
    if item.cpp_type == FieldDescriptor.CPPTYPE_FLOAT and abs(chosen) > _LARGEST_FLOAT32:
        return _LARGEST_FLOAT32 if abs(chosen) < float("inf") else chosen
    return chosen


def _enum(item: FieldDescriptor, rng: random.Random) -> int:
    known = [number for number in item.enum_type.values_by_number if number]
    return rng.choice([*known, *known, 0, 77, -1, 2**31 - 1])


def _words(item: FieldDescriptor, rng: random.Random) -> str | bytes:
    if item.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.choice((0, 1, 3, 4, 16, 63, 64, 1000, 100_000)))
    return text(rng)


_MAKERS: Mapping[int, Callable[[FieldDescriptor, random.Random], Any]] = {
    FieldDescriptor.CPPTYPE_FLOAT: _float,
    FieldDescriptor.CPPTYPE_DOUBLE: _float,
    FieldDescriptor.CPPTYPE_ENUM: _enum,
    FieldDescriptor.CPPTYPE_BOOL: lambda item, rng: rng.random() < 0.5,
    FieldDescriptor.CPPTYPE_STRING: _words,
}


def one_field(message: Message, rng: random.Random) -> None:
    """Set one field of a message, or of one in it, to a hostile value."""
    target: Any = message
    for _ in range(_DEEPEST):
        fields = list(target.DESCRIPTOR.fields)
        if not fields:
            return
        item = rng.choice(fields)
        if item.message_type is None:
            if item.is_repeated:
                getattr(target, item.name).append(value(item, rng))
            else:
                setattr(target, item.name, value(item, rng))
            return
        if item.is_repeated and item.message_type.GetOptions().map_entry:
            _fill_map(target, item, rng)
            return
        target = getattr(target, item.name)
        if item.is_repeated:
            target = target.add()
        else:
            target.SetInParent()
