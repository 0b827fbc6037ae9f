"""Providers of OpenID Connect, and who has which account with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from misaki.domain.model import User


@dataclass(frozen=True)
class Identity:
    """Somebody whom another provider vouches for: who says so, who it is, what is said."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]


class IdentityProvider(Protocol):
    """A provider of OpenID Connect."""

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str
    ) -> str:
        """Return where the browser goes to log in.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """

    async def redeem(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Identity:
        """Return who a code speaks for, with the same values as in the URL before.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """


@dataclass(frozen=True)
class StartedLogin:
    """A login under way with another provider; secrets, and where it was started, as digests."""

    state_digest: str
    handle_digest: str
    provider_id: str
    redirect_uri: str
    expire_time: datetime
    origin_digest: str


class IdentityStore(Protocol):
    """Keeps accounts of other providers, and logins under way with them."""

    async def start_login(self, login: StartedLogin, *, of_origin: int, in_all: int) -> None:
        """Keep a login under way.

        Args:
            login: The login.
            of_origin: How many that were started where this one was may be under way.
            in_all: How many may be under way; a few at the same time may pass this.

        Raises:
            ResourceExhausted: LIMIT_REACHED.
        """

    async def take_login(self, state_digest: str) -> StartedLogin | None:
        """Return a login under way and forget it; of several at once one gets it."""

    async def forget_logins(self, *, now: datetime) -> None:
        """Delete the logins that took too long."""

    async def find_identity(self, issuer: str, subject: str) -> str | None:
        """Return the id of the user that an account belongs to, or None."""

    async def link_identity(self, issuer: str, subject: str, user_id: str) -> None:
        """Let an account belong to a user, if it does not already.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such user.
            AlreadyExists: RESOURCE_EXISTS: it belongs to another user.
        """

    async def create_linked_user(self, user: User, issuer: str, subject: str) -> None:
        """Store a new user without a password, to whom an account belongs.

        Raises:
            AlreadyExists: RESOURCE_EXISTS: the user, or the account, is there already.
        """
