"""One websocket: its messages go to kyouko, kyouko's answers come back."""

import asyncio
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from mesh import status
from mesh.errors import DeadlineExceeded, DomainError, InvalidArgument, Unavailable
from mesh.tokens import TokenVerifier, token_invalid
from torii.clients.learning import LearningClient, LearnStream, StreamFailedError
from torii.convert import fault_frame
from torii.domain.handshake import Handshake

_log = structlog.get_logger(__name__)
# Close codes from here to 4999 are for applications to choose.
_FIRST_CLOSE_CODE = 4000
_NORMAL_CLOSE_CODE = 1000
_LONGEST_REASON_BYTES = 123
# How long a client that does not read may hold up the end of its websocket.
_LAST_WORDS_SECONDS = 5.0


@dataclass(frozen=True)
class SessionTerms:
    """What all sessions share.

    Attributes:
        verifier: Verifies tokens, before kyouko hears of the session.
        kyouko: Opens streams.
        stopping: Set when torii stops.
        first_message_seconds: How long a new websocket may be silent.
    """

    verifier: TokenVerifier
    kyouko: LearningClient
    stopping: asyncio.Event
    first_message_seconds: float


class LearnSession:
    """Runs one websocket from its opening to its end."""

    def __init__(self, socket: ServerConnection, handshake: Handshake, terms: SessionTerms) -> None:
        self._socket = socket
        self._handshake = handshake
        self._terms = terms

    async def run(self) -> status_pb2.Status:
        """Serve the websocket; returns how it ended.

        The client gets the reason of a failure in a last message before the
        close, because browsers show close codes only.
        """
        try:
            await self._serve_until_stop()
        except ConnectionClosed:
            return status_pb2.Status()
        except StreamFailedError as error:
            return await self._fail(error.status)
        except DomainError as error:
            return await self._fail(status.status_of(error))
        except Exception as error:
            incident = uuid.uuid4().hex
            _log.exception("unexpected error", incident=incident, error=repr(error))
            return await self._fail(status.internal_status(incident))
        await self._close(_NORMAL_CLOSE_CODE, "")
        return status_pb2.Status()

    async def _serve_until_stop(self) -> None:
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(self._terms.stopping.wait())
        try:
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                raise _shutting_down()
            await serving
        finally:
            await _ended(serving, stopping)

    async def _serve(self) -> None:
        self._handshake.check()
        token = self._handshake.token()
        if token is not None:
            await self._terms.verifier.verify(token)
        first: bytes | None
        first, request = await self._first_message()
        if request.WhichOneof("message") == "authentication":
            # The proof that the client could not give with the handshake.
            token, first = request.authentication.access_token, None
            await self._terms.verifier.verify(token)
        if token is None:
            raise token_invalid("missing")
        async with self._terms.kyouko.open(token) as stream:
            if first is not None:
                await stream.write(first)
            await self._bridge(stream)

    async def _first_message(self) -> tuple[bytes, pb.LearnRequest]:
        seconds = self._terms.first_message_seconds
        try:
            async with asyncio.timeout(seconds):
                message = await self._socket.recv()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"the first message did not come within {seconds:g} seconds",
                reason="DEADLINE_EXCEEDED",
                metadata={"timeout_seconds": f"{seconds:g}"},
            ) from error
        return _checked(message)

    async def _bridge(self, stream: LearnStream) -> None:
        """Pass messages both ways until one side ends, at the pace of the slower one."""
        upward = asyncio.create_task(self._to_kyouko(stream))
        downward = asyncio.create_task(self._to_client(stream))
        try:
            await asyncio.wait((upward, downward), return_when=asyncio.FIRST_COMPLETED)
            if not downward.done():
                # Raises when the client is at fault or gone; else kyouko ended the
                # stream, and the other direction knows why.
                await upward
            await downward
        finally:
            await _ended(upward, downward)

    async def _to_kyouko(self, stream: LearnStream) -> None:
        while True:
            message, _ = _checked(await self._socket.recv())
            if not await stream.write(message):
                return

    async def _to_client(self, stream: LearnStream) -> None:
        while (message := await stream.read()) is not None:
            await self._socket.send(message)

    async def _fail(self, reason: status_pb2.Status) -> status_pb2.Status:
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._socket.send(fault_frame(reason))
        await self._close(_FIRST_CLOSE_CODE + reason.code, reason.message)
        return reason

    async def _close(self, code: int, reason: str) -> None:
        await self._socket.close(code, shortened(reason))


async def _ended(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def shortened(reason: str) -> str:
    """Return as much of a close reason as a close frame can hold."""
    encoded = reason.encode()
    if len(encoded) <= _LONGEST_REASON_BYTES:
        return reason
    return encoded[: _LONGEST_REASON_BYTES - 3].decode(errors="ignore") + "..."


def _checked(message: str | bytes) -> tuple[bytes, pb.LearnRequest]:
    """Return a message with its content; takes about 2 microseconds.

    Raises:
        InvalidArgument: STREAM_PROTOCOL: it is text, or no LearnRequest.
    """
    if isinstance(message, str):
        raise _protocol_error("a binary message", "text")
    try:
        request = pb.LearnRequest.FromString(message)
    except DecodeError as error:
        raise _protocol_error("a hanami.kyouko.v1.LearnRequest", "other bytes") from error
    if request.WhichOneof("message") is None:
        raise _protocol_error("a hanami.kyouko.v1.LearnRequest", "an empty message")
    return message, request


def _protocol_error(expected: str, actual: str) -> InvalidArgument:
    return InvalidArgument(
        f"every websocket message has to be {expected}, but {actual} came",
        reason="STREAM_PROTOCOL",
        metadata={"expected": expected, "actual": actual},
    )


def _shutting_down() -> Unavailable:
    return Unavailable(
        "torii is stopping; open the websocket again in a moment",
        reason="SHUTTING_DOWN",
        metadata={"service": "torii"},
    )
