"""Direct IO of the Hanami prototype on a websocket, carried by a learning stream."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from google.rpc import status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb

from mesh import status
from mesh.access import Principal
from mesh.errors import DomainError, InvalidArgument, Unavailable
from mesh.tokens import token_invalid
from torii.clients.learning import LearnStream, StreamFailedError
from torii.convert_direct import (
    Introduction,
    acknowledgement,
    frame_message,
    introduction_answer,
    introduction_of,
    layout_of,
    part_of,
    row_answers,
)
from torii.domain.direct_io import Assembly
from torii.web.visit import Visit, until_one_ends

# The prototype's own limit.
MAX_MESSAGE_BYTES: Final = 128 * 1024
_ATTEMPTS: Final = 3


@dataclass(frozen=True)
class _Session:
    """A stream that is open, whose it is, and how it began."""

    stream: LearnStream
    principal: Principal
    opened: pb.LearnOpened


class DirectConversation:
    """Takes rows in parts, and answers one after the other."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._socket = visit.socket
        self._uuid = str(uuid.uuid4())
        self._results: asyncio.Queue[pb.LearnResult] = asyncio.Queue(1)
        self._labels: list[str] = []

    async def serve(self) -> None:
        """Talk until the end."""
        async with AsyncExitStack() as stack:
            session = await self._introduced(stack)
            self._labels = list(session.opened.network.labels)
            await until_one_ends(
                asyncio.create_task(self._to_kyouko(session)),
                asyncio.create_task(self._from_kyouko(session.stream)),
            )

    def last_words(self, reason: status_pb2.Status) -> None:
        """Return nothing: the protocol has no message for errors, only the close frame."""

    async def _introduced(self, stack: AsyncExitStack) -> _Session:
        """Answer introductions until one is good."""
        for attempt in range(_ATTEMPTS):
            message = await self._visit.first_message()
            try:
                introduction = introduction_of(message)
                session = await stack.enter_async_context(self._opened(introduction))
            except StreamFailedError as error:
                problem = error.status
            except DomainError as error:
                problem = status.status_of(error)
            else:
                await self._socket.send(introduction_answer(uuid=self._uuid))
                return session
            await self._socket.send(introduction_answer(problem=problem.message))
            if attempt + 1 == _ATTEMPTS:
                raise StreamFailedError(problem)
        raise AssertionError("the last attempt either succeeds or raises")

    @asynccontextmanager
    async def _opened(self, introduction: Introduction) -> AsyncIterator[_Session]:
        if not introduction.token:
            raise token_invalid("missing")
        principal = await self._visit.trust(introduction.token, max_message_bytes=MAX_MESSAGE_BYTES)
        self._visit.check_share()
        visit = self._visit
        async with visit.terms.kyouko.open(introduction.token, origin=visit.origin) as stream:
            opening = pb.LearnOpen(
                network=introduction.network, mode=pb.LEARN_MODE_LEARN, return_outputs=True
            )
            await stream.write(pb.LearnRequest(open=opening).SerializeToString())
            yield _Session(stream, principal, (await _next(stream)).opened)

    async def _to_kyouko(self, session: _Session) -> None:
        layout = layout_of(session.opened.network)
        assembly = Assembly(layout)
        sequence = 0
        while True:
            message = await self._socket.next_message()
            if isinstance(message, str):
                await self._renew(session, introduction_of(message))
                continue
            part = part_of(message)
            row = assembly.take(part)
            if row is None:
                await self._socket.send(acknowledgement(part))
                continue
            sequence += 1
            if not await session.stream.write(frame_message(row, sequence, layout)):
                return
            result = await self._results.get()
            for answer in row_answers(row, result, layout, self._labels):
                await self._socket.send(answer)

    async def _from_kyouko(self, stream: LearnStream) -> None:
        while True:
            response = await _next(stream)
            if response.HasField("fault"):
                raise StreamFailedError(response.fault.status)
            if response.HasField("result"):
                self._labels += response.result.new_labels
                await self._results.put(response.result)

    async def _renew(self, session: _Session, introduction: Introduction) -> None:
        principal = await self._visit.terms.verifier.verify(introduction.token)
        if principal.name != session.principal.name:
            raise InvalidArgument(
                "the token is somebody else's",
                reason="STREAM_PROTOCOL",
                metadata={"expected": session.principal.name, "actual": principal.name},
            )
        fresh = pb.LearnAuthentication(access_token=introduction.token)
        await session.stream.write(pb.LearnRequest(authentication=fresh).SerializeToString())
        await self._socket.send(introduction_answer(uuid=self._uuid))


async def _next(stream: LearnStream) -> pb.LearnResponse:
    message = await stream.read()
    if message is None:
        # Nobody has asked for the end.
        raise Unavailable(
            "kyouko has ended the stream",
            reason="DEPENDENCY_UNAVAILABLE",
            metadata={"dependency": "kyouko"},
        )
    return pb.LearnResponse.FromString(message)
