"""Ends streams together with the right they were opened by."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

from mesh import calls
from mesh.errors import DomainError
from mesh.tokens import LEEWAY_SECONDS, token_invalid


class Expiry:
    """When the stream being served has to end: with its token, or when that is taken back.

    Otherwise who is deleted or loses a role could go on for as long as a connection
    holds. Methods whose rule says `renews_token` look after themselves, as they alone know
    the newest token. Services keep no roles that could be taken away, and may read longer
    than one token lasts, but not with one that was taken back.
    """

    def __init__(self) -> None:
        """Take over what is known of the caller; to be made within the call."""
        self._loop = asyncio.get_running_loop()
        self._refusal: DomainError | None = None
        self._limit: asyncio.Timeout | None = None
        self._at: float | None = None
        caller = calls.known_caller()
        self._caller = None if caller is None or caller.rule.renews_token else caller
        self._access = calls.current_access()
        if self._caller is not None and not self._caller.principal.is_service:
            left = self._caller.principal.expires_at + LEEWAY_SECONDS - time.time()
            self._at = self._loop.time() + left

    @asynccontextmanager
    async def bounds(self) -> AsyncIterator[None]:
        """Cut the body off at the end of the right to it.

        Raises:
            Unauthenticated: TOKEN_INVALID: the token has ended; TOKEN_REVOKED.
            PermissionDenied: ROLE_INSUFFICIENT: the policy has changed.
        """
        with self._listening():
            async with self._bounds():
                yield

    async def bounded(self, responses: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
        """Yield the messages of a stream until the right to it ends.

        Only waiting for the next one is cut off: a write to the wire must not be.
        """
        with self._listening():
            while True:
                async with self._bounds():
                    try:
                        response = await anext(responses)
                    except StopAsyncIteration:
                        return
                yield response

    @asynccontextmanager
    async def _bounds(self) -> AsyncIterator[None]:
        if self._refusal is not None:
            raise self._refusal
        try:
            async with asyncio.timeout_at(self._at) as limit:
                self._limit = limit
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise self._refusal or token_invalid("expired") from error
        finally:
            self._limit = None

    @contextmanager
    def _listening(self) -> Iterator[None]:
        with self._access.listening(self._check) if self._access else nullcontext():
            self._check()
            yield

    def _check(self) -> None:
        """See whether the caller may go on; called after every change."""
        if self._caller is None or self._access is None or self._refusal is not None:
            return
        try:
            self._access.check(self._caller)
        except DomainError as error:
            self._refusal = error
            if self._limit is not None:
                self._limit.reschedule(self._loop.time())
