"""One call of `Learn`: its opening, the messages both ways, the tokens it lives on, its end.

What the messages mean, and what follows when a call is lost, is the matter of `exchange`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import grpc
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import learning_service_pb2_grpc

from hanami_sdk.connection import Connection
from hanami_sdk.errors import HanamiError, Unavailable
from hanami_sdk.quota_warnings import warn_of_quotas

Outbox = asyncio.Queue["pb.LearnRequest | None"]

_LEAST_SECONDS_BETWEEN_TOKENS = 5.0


class LearnCall:
    """A call that is being made; `make` begins one."""

    def __init__(self, connection: Connection, call: Any) -> None:
        self._connection = connection
        self._call = call

    @classmethod
    async def make(cls, connection: Connection) -> LearnCall:
        """Begin a call."""
        stub = learning_service_pb2_grpc.LearningServiceStub(connection.channel)
        return cls(connection, stub.Learn(metadata=await connection.call_metadata()))

    async def open(self, opening: pb.LearnOpen) -> pb.LearnOpened:
        """Ask for terms and return what the server grants; without any the call is dropped."""
        try:
            with self._connection.translated():
                with contextlib.suppress(asyncio.InvalidStateError):
                    await self._call.write(pb.LearnRequest(open=opening))
                first = await self._call.read()
            if isinstance(first, pb.LearnResponse) and first.HasField("opened"):
                return first.opened
            raise Unavailable("The server ended the stream before it was open.")
        except BaseException:
            self.drop()
            raise

    async def talk(self, outbox: Outbox, take: Callable[[pb.LearnResponse], None]) -> HanamiError:
        """Send what is in the outbox and hand over what comes; returns how the call ended."""
        helpers = [
            asyncio.create_task(self._write(outbox)),
            asyncio.create_task(self._stay_authenticated(outbox)),
        ]
        try:
            with self._connection.translated():
                while isinstance(response := await self._call.read(), pb.LearnResponse):
                    take(response)
        except HanamiError as error:
            return error
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        return Unavailable("The server ended the stream.")

    def drop(self) -> None:
        """End the call at once."""
        self._call.cancel()

    async def ended(self) -> None:
        """Wait until the call is really over."""
        if await self._call.code() is grpc.StatusCode.OK:
            await warn_of_quotas(self._call)

    async def _write(self, outbox: Outbox) -> None:
        """Send what is in the outbox, one message after the other."""
        try:
            with self._connection.translated():
                while (message := await outbox.get()) is not None:
                    await self._call.write(message)
                await self._call.done_writing()
        except (HanamiError, asyncio.InvalidStateError):
            # The call has ended; the reader learns why and tells everybody.
            return

    async def _stay_authenticated(self, outbox: Outbox) -> None:
        """Send a fresh token before the one in use ends, as long as the call lives."""
        session = self._connection.session
        while (seconds := session.seconds_until_renewal()) is not None:
            # A clock that is ahead, or a mesh that is away, must not make a busy loop.
            await asyncio.sleep(max(seconds, _LEAST_SECONDS_BETWEEN_TOKENS))
            try:
                token = await session.access_token()
            except Unavailable:
                continue
            except HanamiError:
                return  # The server ends the stream with its token, and says so.
            proof = pb.LearnAuthentication(access_token=token or "")
            outbox.put_nowait(pb.LearnRequest(authentication=proof))
