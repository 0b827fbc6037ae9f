"""Ends streams together with the tokens they were opened with."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mesh import calls
from mesh.tokens import LEEWAY_SECONDS, token_invalid


class Expiry:
    """When the stream being served has to end: with its token.

    Otherwise who is deleted or loses a role could go on for as long as a connection
    holds. Methods whose rule says `renews_token` look after themselves. Services keep
    no roles that could be taken away, and may read longer than one token lasts.
    """

    def __init__(self) -> None:
        """Take over what is known of the caller; to be made within the call."""
        caller = calls.known_caller()
        self._at: float | None = None
        if caller is not None and not caller.rule.renews_token and not caller.principal.is_service:
            left = caller.principal.expires_at + LEEWAY_SECONDS - time.time()
            self._at = asyncio.get_running_loop().time() + left

    @asynccontextmanager
    async def bounds(self) -> AsyncIterator[None]:
        """Cut the body off at the end of the token.

        Raises:
            Unauthenticated: TOKEN_INVALID: it has ended.
        """
        try:
            async with asyncio.timeout_at(self._at) as limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise token_invalid("expired") from error

    async def bounded(self, responses: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
        """Yield the messages of a stream until its token ends.

        Only waiting for the next one is cut off: a write to the wire must not be.
        """
        while True:
            async with self.bounds():
                try:
                    response = await anext(responses)
                except StopAsyncIteration:
                    return
            yield response
