"""Signs JSON Web Tokens, and reads the refresh tokens among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from mesh.access import Role
from mesh.tokens import ACCESS, ALGORITHM, REFRESH, TokenVerifier, token_invalid
from misaki.crypto.keys import SigningKey
from misaki.domain.model import User
from misaki.ports import Clock, NewId, Renewal, SignedToken


@dataclass(frozen=True)
class TokenLifetimes:
    """How long tokens last."""

    access: timedelta
    refresh: timedelta


class JwtMint:
    """Makes tokens with the signing key."""

    def __init__(
        self,
        key: SigningKey,
        verifier: TokenVerifier,
        *,
        issuer: str,
        audience: str,
        lifetimes: TokenLifetimes,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._key = key
        self._verifier = verifier
        self._issuer = issuer
        self._audience = audience
        self._lifetimes = lifetimes
        self._clock = clock
        self._new_id = new_id

    def access_for_user(
        self, user: User, roles: Mapping[str, Role], *, issue_time: datetime
    ) -> SignedToken:
        """Return an access token that carries the user's roles."""
        claims = {
            "adm": user.admin,
            "roles": {p: role.value for p, role in roles.items()},
            "iat": issue_time.timestamp(),
        }
        return self._signed(user.name, ACCESS, self._lifetimes.access, claims)

    def refresh_for_user(self, user: User) -> SignedToken:
        """Return a refresh token."""
        return self._signed(user.name, REFRESH, self._lifetimes.refresh, {"uid": user.uid})

    def access_for_service(self, service: str) -> SignedToken:
        """Return the access token of a service of the mesh."""
        claims = {"adm": False, "roles": {}}
        return self._signed(f"services/{service}", ACCESS, self._lifetimes.access, claims)

    async def read_refresh(self, token: str) -> Renewal:
        """Return whom a refresh token speaks for; see `TokenMint.read_refresh`."""
        claims = await self._verifier.claims(token, token_type=REFRESH)
        subject, uid = str(claims["sub"]), claims.get("uid")
        if not subject.startswith("users/") or not isinstance(uid, str):
            raise token_invalid("malformed")
        return Renewal(user_id=subject.removeprefix("users/"), uid=uid)

    def _signed(
        self, subject: str, token_type: str, lifetime: timedelta, claims: Mapping[str, Any]
    ) -> SignedToken:
        now = self._clock()
        expire_time = now.replace(microsecond=0) + lifetime
        token = jwt.encode(
            {
                "iss": self._issuer,
                "aud": self._audience,
                "sub": subject,
                "jti": self._new_id(),
                # With fractions: a token made right after a revocation is good.
                "iat": now.timestamp(),
                "exp": expire_time,
                "typ": token_type,
                **claims,
            },
            self._key.private,
            algorithm=ALGORITHM,
            headers={"kid": self._key.public.key_id},
        )
        return SignedToken(token, expire_time)
