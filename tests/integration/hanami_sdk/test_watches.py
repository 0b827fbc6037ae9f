"""Watches go on when their tokens end."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hanami.kyouko.v1 import task_service_pb2 as pb

from hanami_sdk.areas.tasks import Tasks
from hanami_sdk.connection import Connection, ConnectionOptions
from hanami_sdk.errors import Unauthenticated
from hanami_sdk.names import Namespace
from hanami_sdk.sessions import RENEW_BEFORE_SECONDS, Session, Tokens
from mesh.tokens import LEEWAY_SECONDS, token_invalid
from tests.integration.mesh.garden import TASK_NAME, Garden, RunningGarden, planted
from tests.signing import Signer


class ShortTokens:
    """Gives out tokens that end, for client and server, in little more than a second."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self.given = 0

    def next(self) -> Tokens:
        """Return the next token."""
        self.given += 1
        end = time.time() + 1.2
        access = self._signer.token(roles={"garden": "MEMBER"}, exp=end + 0.8 - LEEWAY_SECONDS)
        return Tokens(access, end + RENEW_BEFORE_SECONDS, "refresh", 9e9, "users/alice")

    async def refresh(self, _: Tokens, __: str) -> Tokens:
        """Renew a token."""
        return self.next()


def _connected(garden: RunningGarden, short: ShortTokens) -> Connection:
    connection = Connection(ConnectionOptions(f"http://127.0.0.1:{garden.running.port}"))
    connection.session = Session(refresh=short.refresh)
    connection.session.use_tokens(short.next())
    return connection


async def test_watch_outlives_its_token() -> None:
    """A watch that ends with its token begins anew with a fresh one, until the task has ended."""
    watches = 0

    async def watch(_: Any) -> AsyncIterator[Any]:
        nonlocal watches
        watches += 1
        running = watches == 1
        state = pb.TASK_STATE_RUNNING if running else pb.TASK_STATE_SUCCEEDED
        yield pb.Task(name=TASK_NAME, state=state)
        if running:
            await asyncio.Event().wait()

    async with planted(Garden(stream=watch)) as garden:
        short = ShortTokens(garden.signer)
        connection = _connected(garden, short)
        task = await Tasks(connection, Namespace("garden")).wait(TASK_NAME)
        await connection.close()

    assert pb.TASK_STATE_SUCCEEDED == task.state
    assert (2, 2) == (watches, short.given)


async def test_watch_that_never_began_is_refused() -> None:
    """A token that was never good is no reason to try again."""

    async def refuse(_: Any) -> AsyncIterator[Any]:
        raise token_invalid("expired")
        yield

    async with planted(Garden(stream=refuse)) as garden:
        connection = _connected(garden, ShortTokens(garden.signer))
        with pytest.raises(Unauthenticated):
            await Tasks(connection, Namespace("garden")).wait(TASK_NAME)
        await connection.close()
