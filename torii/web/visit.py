"""What every conversation on a websocket can rely on: who it is, and the first words in time."""

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from google.rpc import status_pb2

from mesh.access import Principal
from mesh.errors import DeadlineExceeded
from mesh.tokens import TokenVerifier
from torii.clients.learning import LearningClient
from torii.domain.guests import Guest, Guests
from torii.domain.handshake import Handshake
from torii.web.socket import LearnSocket


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


@dataclass(frozen=True)
class Visit:
    """One websocket, with its opening request; `origin` is the address of its client."""

    socket: LearnSocket
    handshake: Handshake
    terms: SessionTerms
    origin: str = ""

    @property
    def guest(self) -> Guest:
        """Whose websocket it is."""
        return self.socket.guest

    async def trust(self, token: str, *, max_message_bytes: int | None = None) -> Principal:
        """Let the token's user speak, in messages of a size; returns the user."""
        principal = await self.terms.verifier.verify(token)
        self.guest.name = principal.name
        size = self.terms.max_message_bytes if max_message_bytes is None else max_message_bytes
        self.socket.trust(max_message_bytes=size)
        return principal

    def check_share(self) -> None:
        """Refuse a user of too many websockets.

        Raises:
            ResourceExhausted: LIMIT_REACHED.
        """
        self.terms.guests.check_share(self.guest)

    async def first_message(self) -> str | bytes:
        """Wait for the first message, for a while.

        Raises:
            DeadlineExceeded: DEADLINE_EXCEEDED.
        """
        seconds = self.terms.first_message_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self.socket.next_message()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"the first message did not come within {seconds:g} seconds",
                reason="DEADLINE_EXCEEDED",
                metadata={"timeout_seconds": f"{seconds:g}"},
            ) from error


class Conversation(Protocol):
    """What is said on a websocket; made for one visit, and served once."""

    async def serve(self) -> None:
        """Talk until the end.

        Raises:
            DomainError: The client is at fault, or what is needed is not there.
            StreamFailedError: Kyouko ended its stream with an error.
        """

    def last_words(self, reason: status_pb2.Status) -> str | bytes | None:
        """Return the last message of one that failed; None where the protocol has none."""


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until_one_ends(upward: "asyncio.Task[None]", downward: "asyncio.Task[None]") -> None:
    """Wait until one side of a bridge ends, and end the other.

    `upward` raises when the client is at fault or gone; when it just ends, kyouko
    has ended the stream, and `downward` knows why.
    """
    try:
        await asyncio.wait((upward, downward), return_when=asyncio.FIRST_COMPLETED)
        if not downward.done():
            await upward
        await downward
    finally:
        await ended(upward, downward)
