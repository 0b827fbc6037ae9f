"""Reads messages off the wire; bytes that are none become an error that a caller understands.

Left alone, gRPC ends the call with UNKNOWN and tells the caller of our classes.
"""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from mesh.errors import InvalidArgument

Decoder = Callable[[bytes], Any]


class Unreadable:
    """Stands for the request of a call whose bytes are no such message."""


def kept(decode: Decoder) -> Decoder:
    """Return a decoder of single requests that fails later, in `readable`.

    gRPC decodes them before anybody is asked for a token.
    """

    def decoded(data: bytes) -> Any:
        try:
            return decode(data)
        except DecodeError:
            return Unreadable()

    return decoded


def refusing(decode: Decoder) -> Decoder:
    """Return a decoder for the messages of a stream, which are decoded within the call."""

    def decoded(data: bytes) -> Any:
        try:
            return decode(data)
        except DecodeError as error:
            raise _malformed() from error

    return decoded


def readable(request: Any) -> None:
    """Refuse a request that could not be decoded.

    Raises:
        InvalidArgument: MESSAGE_MALFORMED.
    """
    if isinstance(request, Unreadable):
        raise _malformed()


def _malformed() -> InvalidArgument:
    return InvalidArgument(
        "the bytes are no message of the contract, or hold text that is not UTF-8",
        reason="MESSAGE_MALFORMED",
    )
