"""Learning on a websocket: its messages go to kyouko, kyouko's answers come back."""

import asyncio

from google.rpc import status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb

from mesh import status
from mesh.tokens import token_invalid
from torii.clients.learning import LearnStream
from torii.web.forms import Binary, Form, MisspeltError, Text
from torii.web.visit import Visit, until_one_ends


class LearnConversation:
    """Passes the messages of one websocket to kyouko, and the answers back."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._socket = visit.socket
        self._form: Form = Binary()

    async def serve(self) -> None:
        """Talk until the end."""
        token = self._visit.handshake.token()
        first: bytes | None
        if token is not None:
            self._visit.check_share()
        first, request = await self._first_message()
        if request.WhichOneof("message") == "authentication":
            # The proof that the client could not give with the handshake.
            token, first = request.authentication.access_token, None
            await self._visit.trust(token)
            self._visit.check_share()
        if token is None:
            raise token_invalid("missing")
        async with self._visit.terms.kyouko.open(token, origin=self._visit.origin) as stream:
            if first is not None:
                await stream.write(first)
            await self._bridge(stream)

    def last_words(self, reason: status_pb2.Status) -> str | bytes:
        """Return a fault without a sequence."""
        return self._form.fault(reason)

    async def _first_message(self) -> tuple[bytes, pb.LearnRequest]:
        message = await self._visit.first_message()
        if isinstance(message, str):
            self._form = Text(max_bytes=self._visit.terms.max_json_bytes)
        try:
            return await self._form.read(message)
        except MisspeltError as error:
            raise error.cause from error

    async def _bridge(self, stream: LearnStream) -> None:
        """Pass messages both ways until one side ends, at the pace of the slower one."""
        await until_one_ends(
            asyncio.create_task(self._to_kyouko(stream)),
            asyncio.create_task(self._to_client(stream)),
        )

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
