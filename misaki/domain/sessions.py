"""Logging in, renewing tokens, and the tokens of services."""

import hmac
from dataclasses import dataclass
from datetime import datetime

from mesh.errors import NotFound, Unauthenticated
from misaki.domain import rules
from misaki.domain.model import User, user_name
from misaki.domain.revocations import Revoker
from misaki.ports import Directory, Passwords, SignedToken, TokenMint


@dataclass(frozen=True)
class TokenPair:
    """An access token, and the refresh token that renews it."""

    user: User
    access: SignedToken
    refresh: SignedToken


class Sessions:
    """Turns credentials into tokens."""

    def __init__(
        self,
        directory: Directory,
        passwords: Passwords,
        mint: TokenMint,
        revoker: Revoker,
        *,
        service_secret: str,
    ) -> None:
        """Take the parts.

        Args:
            directory: The users.
            passwords: Compares passwords.
            mint: Makes the tokens.
            revoker: Dates them.
            service_secret: What services prove themselves with; empty lets none in.
        """
        self._directory = directory
        self._passwords = passwords
        self._mint = mint
        self._revoker = revoker
        self._service_secret = service_secret

    async def log_in(self, user_id: str, password: str) -> TokenPair:
        """Return tokens for a user.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID, the same after the same time for
                a wrong password and for a user that does not exist.
        """
        known = rules.is_user_id(user_id)
        issue_time = await self._revoker.issue_time(user_name(user_id))
        credentials = await self._directory.find_credentials(user_id) if known else None
        password_hash = credentials.password_hash if credentials else None
        if not await self._passwords.matches(password, password_hash) or credentials is None:
            raise _credentials_invalid("user and password do not fit together")
        return await self._tokens_of(credentials.user, issue_time)

    async def renew(self, refresh_token: str) -> TokenPair:
        """Return a fresh pair; roles are those the user has now.

        Raises:
            Unauthenticated: TOKEN_INVALID, also when the user is gone.
        """
        renewal = await self._mint.read_refresh(refresh_token)
        issue_time = await self._revoker.issue_time(user_name(renewal.user_id))
        try:
            user = await self._directory.get_user(renewal.user_id)
        except NotFound as error:
            raise _user_gone() from error
        if user.uid != renewal.uid:
            raise _user_gone()
        return await self._tokens_of(user, issue_time)

    def token_for_service(self, service: str, secret: str) -> SignedToken:
        """Return the token of a service that knows the secret of the mesh.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID.
        """
        fits = hmac.compare_digest(secret.encode(), self._service_secret.encode())
        if not fits or not self._service_secret:
            raise _credentials_invalid("this is not the secret of the mesh")
        return self._mint.access_for_service(service)

    async def _tokens_of(self, user: User, issue_time: datetime) -> TokenPair:
        roles = await self._directory.roles_of(user.user_id)
        return TokenPair(
            user=user,
            access=self._mint.access_for_user(user, roles, issue_time=issue_time),
            refresh=self._mint.refresh_for_user(user),
        )


def _credentials_invalid(message: str) -> Unauthenticated:
    return Unauthenticated(message, reason="CREDENTIALS_INVALID")


def _user_gone() -> Unauthenticated:
    return Unauthenticated(
        "the user of this refresh token is gone; log in again",
        reason="TOKEN_INVALID",
        metadata={"problem": "user deleted"},
    )
