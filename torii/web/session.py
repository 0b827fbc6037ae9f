"""One websocket from its opening request to its end, whatever is said on it."""

import asyncio
import uuid
from contextlib import suppress

import structlog
from google.rpc import status_pb2
from websockets.exceptions import ConnectionClosed

from mesh import status
from mesh.errors import DomainError, Unavailable
from torii.clients.learning import StreamFailedError
from torii.domain.guests import Guest
from torii.web.closing import close_code, shortened
from torii.web.visit import Conversation, Visit, ended

_log = structlog.get_logger(__name__)
_NORMAL_CLOSE_CODE = 1000
# How long a client that does not read may hold up the end of its websocket.
_LAST_WORDS_SECONDS = 5.0


class Session:
    """Runs one websocket from its opening request to its end."""

    def __init__(self, visit: Visit, conversation: Conversation) -> None:
        self._visit = visit
        self._socket = visit.socket
        self._conversation = conversation

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
            self._visit.handshake.check()
            token = self._visit.handshake.token()
            if token is not None:
                await self._visit.trust(token)
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
        stopping = asyncio.create_task(self._visit.terms.stopping.wait())
        try:
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                raise _shutting_down()
            await serving
        finally:
            await ended(serving, stopping)

    async def _serve(self) -> None:
        if self._socket.refusal is not None:
            raise self._socket.refusal
        await self._conversation.serve()

    async def _fail(self, reason: status_pb2.Status) -> status_pb2.Status:
        words = self._conversation.last_words(reason)
        if words is not None:
            with suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await self._socket.send(words)
        await self._close(close_code(reason), reason.message)
        return reason

    async def _close(self, code: int, reason: str) -> None:
        await self._socket.close(code, shortened(reason))


def _shutting_down() -> Unavailable:
    return Unavailable(
        "torii is stopping; open the websocket again in a moment",
        reason="SHUTTING_DOWN",
        metadata={"service": "torii"},
    )
