"""Checks messages against the field rules of their contract."""

import protovalidate
from google.protobuf.message import Message

from mesh.errors import FieldViolation, InvalidArgument


def check(message: Message, *, prefix: str = "") -> None:
    """Check a message in full.

    Args:
        message: The message.
        prefix: Put before every field path, such as `open.`.

    Raises:
        InvalidArgument: FIELD_INVALID, with all violations together.
    """
    violations = [
        FieldViolation(prefix + _path(violation), violation.proto.message)
        for violation in protovalidate.collect_violations(message)
    ]
    if violations:
        raise InvalidArgument(
            "; ".join(f"{v.field or 'request'}: {v.description}" for v in violations),
            metadata={"violations": str(len(violations))},
            violations=violations,
        )


def _path(violation: protovalidate.Violation) -> str:
    path = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        path += ("." if path else "") + element.field_name
        subscript = element.subscript
        if subscript is not None:
            path += f"[{getattr(subscript, 'value', subscript)}]"
    return path
