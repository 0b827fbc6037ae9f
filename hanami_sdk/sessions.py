"""Who is talking: tokens, and how they are renewed before they end.

Tokens and secrets are never logged and never appear in a `repr`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hanami_sdk.errors import Unauthenticated

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp
    from hanami.misaki.v1 import token_service_pb2

# A token is renewed this long before its end, so that a call that is on its
# way does not arrive with an ended one.
RENEW_BEFORE_SECONDS = 60.0

# The secret of a device or a program lasts until somebody deletes it.
ENDLESS = 253_402_300_799.0  # the last second of the year 9999

PasswordProvider = Callable[[], str]


@dataclass(frozen=True)
class Tokens:
    """An access token and what renews it.

    Attributes:
        access: sent with every call.
        access_expires: when it ends, in seconds since 1970.
        refresh: buys the next pair: the refresh token of a user, or the secret of an
            API key or a client.
        refresh_expires: when that ends, in seconds since 1970.
        user: whose tokens they are: `users/{user}`, or the full name of an API key
            or a client.
    """

    access: str = field(repr=False)
    access_expires: float
    refresh: str = field(repr=False)
    refresh_expires: float
    user: str

    @classmethod
    def from_message(cls, pair: token_service_pb2.TokenPair) -> Tokens:
        """Read the answer to a login or a renewal."""
        return cls(
            access=pair.access_token,
            access_expires=_seconds(pair.access_expire_time),
            refresh=pair.refresh_token,
            refresh_expires=_seconds(pair.refresh_expire_time),
            user=pair.user,
        )

    @classmethod
    def from_exchange(cls, token: token_service_pb2.AccessToken, secret: str) -> Tokens:
        """Read what a secret of a device or a program was exchanged for."""
        return cls(
            access=token.access_token,
            access_expires=_seconds(token.access_expire_time),
            refresh=secret,
            refresh_expires=ENDLESS,
            user=token.principal,
        )


class SharedTokens(Protocol):
    """A place where several processes keep the tokens of one login.

    A refresh token is good once. Processes that share a login renew it in turns, and
    whoever comes second takes what the first one has got.
    """

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait until no other process renews, and keep others waiting meanwhile."""

    def load(self) -> Tokens | None:
        """Return the tokens that are kept there now."""


class Session:
    """Holds the tokens of one user, device or program and renews them in time.

    Tokens are renewed with what came with them, and when that is good no more, by the
    password or secret if the application provides one. Any number of calls may
    ask at once; one renewal serves them all.
    """

    def __init__(
        self,
        *,
        refresh: Callable[[Tokens, str], Awaitable[Tokens]],
        on_tokens: Callable[[Tokens], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._refresh = refresh
        self._on_tokens = on_tokens
        self._clock = clock
        self._lock = asyncio.Lock()
        self._tokens: Tokens | None = None
        self._log_in: Callable[[], Awaitable[Tokens]] | None = None
        self._shared: SharedTokens | None = None

    @property
    def tokens(self) -> Tokens | None:
        """The tokens in use; `None` before the first login."""
        return self._tokens

    def use_tokens(self, tokens: Tokens) -> None:
        """Go on with tokens from an earlier login."""
        self._tokens = tokens

    def share_tokens(self, shared: SharedTokens) -> None:
        """Renew in turns with other processes that have the same login."""
        self._shared = shared

    def use_login(self, log_in: Callable[[], Awaitable[Tokens]]) -> None:
        """Log in this way whenever no token can be renewed."""
        self._log_in = log_in

    async def keep(self, login: Awaitable[Tokens]) -> Tokens:
        """Wait for a login that was made now, and keep its tokens."""
        async with self._lock:
            fresh = await login
            if self._tokens is not None and self._tokens.user != fresh.user:
                # The login that is kept for all, and the one that was given, are another's.
                self._shared = self._log_in = None
            return self._keep(fresh)

    async def switch(self, project: str) -> Tokens:
        """Renew the tokens now, for one project; `projects/-` for all.

        Raises:
            Unauthenticated: nobody is logged in, or the login has ended.
        """
        async with self._lock:
            if self._tokens is None and self._log_in is not None:
                self._keep(await self._log_in())
            if self._shared is None:
                return self._keep(await self._refresh(self._known(), project))
            async with self._shared.turn():
                self._takes_over(self._shared.load())
                return self._keep(await self._refresh(self._known(), project))

    def forget(self) -> None:
        """Go on as nobody."""
        self._tokens = self._log_in = self._shared = None

    async def access_token(self, good_for: float = RENEW_BEFORE_SECONDS) -> str | None:
        """Return a token that is good for the next call; `None` without a login.

        Args:
            good_for: seconds that the call may take; where no token lasts as long, a new one is
                the best there is.
        """
        if not self._is_ending(good_for):
            return self._tokens.access if self._tokens else None
        async with self._lock:
            if self._is_ending(good_for):
                await self._renew(good_for)
        return self._tokens.access if self._tokens else None

    async def replace(self, refused: str | None) -> bool:
        """Renew a token that the mesh refused although it seemed good.

        Returns:
            Whether there is now another token than the refused one.
        """
        if refused is None:
            return False
        async with self._lock:
            if self._tokens is not None and self._tokens.access == refused:
                await self._renew()
            return True

    def seconds_until_renewal(self) -> float | None:
        """Return when the access token wants to be renewed; `None` without one."""
        if self._tokens is None:
            return None
        return max(0.0, self._tokens.access_expires - RENEW_BEFORE_SECONDS - self._clock())

    def _is_ending(self, good_for: float = RENEW_BEFORE_SECONDS) -> bool:
        if self._tokens is None:
            return self._log_in is not None
        return self._tokens.access_expires - good_for <= self._clock()

    async def _renew(self, good_for: float = RENEW_BEFORE_SECONDS) -> None:
        if self._shared is None:
            await self._renew_alone()
            return
        async with self._shared.turn():
            if not self._takes_over(self._shared.load(), good_for):
                await self._renew_alone()

    def _takes_over(self, kept: Tokens | None, good_for: float = RENEW_BEFORE_SECONDS) -> bool:
        """Use what another process has renewed; returns whether it is good for a while."""
        known = self._tokens
        if kept is None or known is None or kept.user != known.user:
            return False
        if kept.access == known.access or kept.refresh_expires < known.refresh_expires:
            return False
        self._tokens = kept
        return not self._is_ending(good_for)

    async def _renew_alone(self) -> None:
        if self._tokens is not None and self._tokens.refresh_expires > self._clock():
            try:
                self._keep(await self._refresh(self._tokens, ""))
            except Unauthenticated:
                if self._log_in is None:
                    raise
            else:
                return
        if self._log_in is None:
            raise _ended()
        self._keep(await self._log_in())

    def _known(self) -> Tokens:
        if self._tokens is None:
            raise _ended()
        return self._tokens

    def _keep(self, tokens: Tokens) -> Tokens:
        self._tokens = tokens
        if self._on_tokens is not None:
            self._on_tokens(tokens)
        return tokens


def _ended() -> Unauthenticated:
    return Unauthenticated(
        "The login has ended; log in again.",
        reason="TOKEN_INVALID",
        metadata={"problem": "expired"},
    )


def _seconds(timestamp: Timestamp) -> float:
    return timestamp.ToNanoseconds() / 1e9
