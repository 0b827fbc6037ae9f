"""The end of a websocket in its close frame."""

from google.rpc import status_pb2

# Close codes from here to 4999 are for applications to choose.
_FIRST_CLOSE_CODE = 4000
_LONGEST_REASON_BYTES = 123


def close_code(reason: status_pb2.Status) -> int:
    """Return the close code of a status that is not OK."""
    code: int = reason.code
    return _FIRST_CLOSE_CODE + code


def shortened(reason: str) -> str:
    """Return as much of a close reason as a close frame can hold."""
    encoded = reason.encode()
    if len(encoded) <= _LONGEST_REASON_BYTES:
        return reason
    return encoded[: _LONGEST_REASON_BYTES - 3].decode(errors="ignore") + "..."
