"""One websocket: its messages go to kyouko, kyouko's answers come back."""

import asyncio
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from google.rpc import status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb
from websockets.exceptions import ConnectionClosed

from mesh import status
from mesh.errors import DeadlineExceeded, DomainError, Unavailable
from mesh.tokens import TokenVerifier, token_invalid
from torii.clients.learning import LearningClient, LearnStream, StreamFailedError
from torii.domain.guests import Guest, Guests
from torii.domain.handshake import Handshake
from torii.web.closing import close_code, shortened
from torii.web.forms import Binary, Form, MisspeltError, Text
from torii.web.socket import LearnSocket

_log = structlog.get_logger(__name__)
_NORMAL_CLOSE_CODE = 1000
# How long a client that does not read may hold up the end of its websocket.
_LAST_WORDS_SECONDS = 5.0


@dataclass(frozen=True)
class SessionTerms:
    """What all sessions share.

    Attributes:
        verifier: Verifies tokens, before kyouko hears of the session.
        kyouko: Opens streams.
        stopping: Set when torii stops.
        guests: Who has a websocket open.
        first_message_seconds: How long a new websocket may be silent.
        max_message_bytes: The largest message of those whose token is good.
        max_json_bytes: The largest of these when it is text.
    """

    verifier: TokenVerifier
    kyouko: LearningClient
    stopping: asyncio.Event
    guests: Guests
    first_message_seconds: float
    max_message_bytes: int
    max_json_bytes: int


class LearnSession:
    """Runs one websocket from its opening request to its end."""

    def __init__(self, socket: LearnSocket, handshake: Handshake, terms: SessionTerms) -> None:
        self._socket = socket
        self._handshake = handshake
        self._terms = terms
        self._form: Form = Binary()

    @property
    def guest(self) -> Guest:
        """Whose websocket it is."""
        return self._socket.guest

    async def prepare(self) -> None:
        """Look at the opening request and its token, before any message can come.

        What is wrong with them is told when the websocket is open: browsers
        show nothing of an answer that comes before.
        """
        try:
            self._handshake.check()
            token = self._handshake.token()
            if token is not None:
                await self._trust(token)
        except DomainError as error:
            self._socket.refusal = error

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
        except MisspeltError as error:
            return await self._fail(status.status_of(error.cause))
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
        if self._socket.refusal is not None:
            raise self._socket.refusal
        token = self._handshake.token()
        first: bytes | None
        if token is not None:
            self._terms.guests.check_share(self.guest)
        first, request = await self._first_message()
        if request.WhichOneof("message") == "authentication":
            # The proof that the client could not give with the handshake.
            token, first = request.authentication.access_token, None
            await self._trust(token)
            self._terms.guests.check_share(self.guest)
        if token is None:
            raise token_invalid("missing")
        async with self._terms.kyouko.open(token) as stream:
            if first is not None:
                await stream.write(first)
            await self._bridge(stream)

    async def _trust(self, token: str) -> None:
        principal = await self._terms.verifier.verify(token)
        self.guest.name = principal.name
        self._socket.trust(max_message_bytes=self._terms.max_message_bytes)

    async def _first_message(self) -> tuple[bytes, pb.LearnRequest]:
        seconds = self._terms.first_message_seconds
        try:
            async with asyncio.timeout(seconds):
                message = await self._socket.next_message()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"the first message did not come within {seconds:g} seconds",
                reason="DEADLINE_EXCEEDED",
                metadata={"timeout_seconds": f"{seconds:g}"},
            ) from error
        if isinstance(message, str):
            self._form = Text(max_bytes=self._terms.max_json_bytes)
        return await self._form.read(message)

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
            received = await self._socket.next_message()
            try:
                message, _ = await self._form.read(received)
            except MisspeltError as error:
                # Nobody types without mistakes; it is as if the message had not come.
                await self._socket.send(self._form.fault(status.status_of(error.cause)))
                continue
            if not await stream.write(message):
                return

    async def _to_client(self, stream: LearnStream) -> None:
        while (message := await stream.read()) is not None:
            await self._socket.send(await self._form.write(message))

    async def _fail(self, reason: status_pb2.Status) -> status_pb2.Status:
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._socket.send(self._form.fault(reason))
        await self._close(close_code(reason), reason.message)
        return reason

    async def _close(self, code: int, reason: str) -> None:
        await self._socket.close(code, shortened(reason))


async def _ended(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _shutting_down() -> Unavailable:
    return Unavailable(
        "torii is stopping; open the websocket again in a moment",
        reason="SHUTTING_DOWN",
        metadata={"service": "torii"},
    )
