"""Reads messages off the wire; what is no message becomes an error that a caller understands.

Left alone, gRPC ends the call with UNKNOWN and tells the caller of our classes, and never
answers a call whose one message does not come.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from mesh.errors import InvalidArgument

# A caller of a unary call sends the message along with it.
_PATIENCE_SECONDS = 30.0


async def single_message(context: Any) -> Message | InvalidArgument:
    """Return the one message of a call, or what is wrong with it.

    That is not raised: who has no right to call is told so, and no more.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            message = await context.read()
    except InvalidArgument as error:
        return error
    except TimeoutError:
        return _malformed(f"no message came within {_PATIENCE_SECONDS:g} seconds")
    if message is grpc.aio.EOF:
        return _malformed("the call came without a message")
    return message  # type: ignore[no-any-return]


def decoder(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a decoder that refuses bytes as an error of their sender.

    It is used within a call, where such errors are turned into statuses.
    """

    def decoded(data: bytes) -> Any:
        try:
            return decode(data)
        except DecodeError as error:
            raise _malformed(
                "the bytes are no message of the contract, or hold text that is not UTF-8"
            ) from error

    return decoded


def _malformed(problem: str) -> InvalidArgument:
    return InvalidArgument(problem, reason="MESSAGE_MALFORMED")
