"""The two forms of messages on a websocket: protobuf as bytes, and JSON as text.

The first message of a websocket decides which one it speaks.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb

from mesh.errors import DomainError, InvalidArgument, ResourceExhausted
from torii.convert import fault_frame
from torii.plain_json import PlainJson

# From this size on JSON is read and written aside, so that it holds nobody else up.
_LARGE_BYTES: Final = 2**15
T = TypeVar("T")


class MisspeltError(Exception):
    """A message that somebody got wrong, and may send again; `cause` says how."""

    def __init__(self, cause: DomainError) -> None:
        super().__init__(cause.message)
        self.cause = cause


class Form(Protocol):
    """How messages look on one websocket."""

    async def read(self, message: str | bytes) -> tuple[bytes, pb.LearnRequest]:
        """Return a message as kyouko takes it, with its content.

        Raises:
            MisspeltError: It is none, but what follows may be.
            InvalidArgument: STREAM_PROTOCOL: it is none.
            ResourceExhausted: LIMIT_REACHED: it is too large.
        """

    async def write(self, message: bytes) -> str | bytes:
        """Return an answer of kyouko's as it goes to the client."""

    def fault(self, reason: status_pb2.Status) -> str | bytes:
        """Return a fault that belongs to no frame."""


class Binary:
    """One protobuf message in each binary message."""

    async def read(self, message: str | bytes) -> tuple[bytes, pb.LearnRequest]:
        """Return a message as it is, with its content; takes about 2 microseconds."""
        if isinstance(message, str):
            raise _protocol_error("a binary message, as the first one was", "text")
        try:
            request = pb.LearnRequest.FromString(message)
        except DecodeError as error:
            raise _protocol_error("a hanami.kyouko.v1.LearnRequest", "other bytes") from error
        if request.WhichOneof("message") is None:
            raise _protocol_error("a hanami.kyouko.v1.LearnRequest", "an empty message")
        return message, request

    async def write(self, message: bytes) -> bytes:
        """Return the answer as it is."""
        return message

    def fault(self, reason: status_pb2.Status) -> bytes:
        """Return the fault as bytes."""
        return fault_frame(reason)


class Text:
    """One JSON object in each text message; see `torii.plain_json`."""

    def __init__(self, *, max_bytes: int) -> None:
        """Take the size of the largest text: JSON takes far more to read than bytes."""
        self._max_bytes = max_bytes
        self._json = PlainJson()

    async def read(self, message: str | bytes) -> tuple[bytes, pb.LearnRequest]:
        """Return a message that was spelt as JSON."""
        if isinstance(message, bytes):
            raise _protocol_error("text, as the first one was", "a binary message")
        if len(message) > self._max_bytes:
            raise ResourceExhausted(
                f"a text has {self._max_bytes} characters at most, but {len(message)} came; "
                "send fewer rows, or binary messages",
                reason="LIMIT_REACHED",
                metadata={"limit": str(self._max_bytes), "actual": str(len(message))},
            )
        try:
            request = await _aside(len(message), lambda: self._json.read(message))
        except DomainError as error:
            raise MisspeltError(error) from error
        return request.SerializeToString(), request

    async def write(self, message: bytes) -> str:
        """Return the answer as JSON."""
        response = pb.LearnResponse.FromString(message)
        return await _aside(len(message), lambda: self._json.write(response))

    def fault(self, reason: status_pb2.Status) -> str:
        """Return the fault as JSON."""
        return self._json.write(pb.LearnResponse(fault=pb.LearnFault(status=reason)))


async def _aside(size: int, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if size >= _LARGE_BYTES else work()


def _protocol_error(expected: str, actual: str) -> InvalidArgument:
    return InvalidArgument(
        f"every websocket message has to be {expected}, but {actual} came",
        reason="STREAM_PROTOCOL",
        metadata={"expected": expected, "actual": actual},
    )
