"""Contract messages as JSON for programs: the contract's names, numbers as numbers.

The standard JSON form writes 64-bit numbers as text; here they stay numbers,
which is what scripts expect.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message


def as_json(message: Message) -> Any:
    """Return a message as what `json.dumps` takes; fields that are unset are left out."""
    from google.protobuf import duration_pb2, timestamp_pb2

    if isinstance(message, timestamp_pb2.Timestamp):
        return message.ToJsonString()
    if isinstance(message, duration_pb2.Duration):
        return message.ToNanoseconds() / 1e9
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        return {"type": getattr(message, "type_url", "")}
    return {
        field.name: _field(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if _is_shown(field, message)
    }


def _is_shown(field: Any, message: Message) -> bool:
    """Show what has presence when it is set, and all plain values, zero or not."""
    return not field.has_presence or message.HasField(field.name)


def _field(field: Any, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(value)
    if field.is_repeated:
        return [_value(field, item) for item in value]
    return _value(field, value)


def _value(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return as_json(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float) and value != value:
        return None
    return value
