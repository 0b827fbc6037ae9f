"""Opens learning streams on kyouko and passes their messages through as bytes."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog
from google.rpc import status_pb2
from grpc_status import rpc_status

from mesh import status
from mesh.clients import call_metadata, unavailable
from mesh.errors import ResourceExhausted
from torii.contracts import LEARN_METHOD

_log = structlog.get_logger(__name__)
_UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class StreamFailedError(Exception):
    """Kyouko ended the stream with a status that is not OK."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class LearnStream:
    """One open stream. Writing and reading may go on at the same time."""

    def __init__(self, call: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        self._call = call

    async def write(self, message: bytes) -> bool:
        """Send a message; waits while kyouko cannot keep up.

        Returns:
            False when the stream has ended; `read` tells how.
        """
        try:
            await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False
        return True

    async def read(self) -> bytes | None:
        """Return the next message; None at the end in good order.

        Raises:
            StreamFailedError: The end with an error.
        """
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise StreamFailedError(_status_of(error)) from error
        return message if isinstance(message, bytes) else None


class LearningClient:
    """Kyouko's LearningService.Learn, without looking into its messages."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
            LEARN_METHOD, request_serializer=None, response_deserializer=None
        )

    @asynccontextmanager
    async def open(self, token: str, *, origin: str) -> AsyncIterator[LearnStream]:
        """Open a stream in the name of a token's user; cancels it at the end.

        Args:
            token: The user's.
            origin: The user's address.
        """
        call = self._method(metadata=call_metadata(token, forwarded_for=origin))
        try:
            yield LearnStream(call)
        finally:
            call.cancel()


# What gRPC says, in its own process, of a message that came when the call had just ended.
_NOT_SENT = "Internal error from Core"


def _status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    rich = rpc_status.from_call(error)
    if rich is not None:
        found: status_pb2.Status = rich
        return found
    if error.code() in _UNREACHABLE or error.details() == _NOT_SENT:
        return status.status_of(unavailable("kyouko"))
    if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return status.status_of(
            ResourceExhausted(
                f"kyouko refused the message: {error.details()}", reason="LIMIT_REACHED"
            )
        )
    incident = uuid.uuid4().hex
    _log.error(
        "kyouko's stream failed",
        incident=incident,
        code=error.code().name,
        details=error.details(),
    )
    return status.internal_status(incident)
