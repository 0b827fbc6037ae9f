"""Verifies access tokens against misaki's public keys, without a call per request."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import structlog

from mesh.access import Action, Principal, Role, Scope
from mesh.access_state import AccessState
from mesh.errors import Unauthenticated, Unavailable
from mesh.verified_tokens import VerifiedTokens

_log = structlog.get_logger(__name__)
ALGORITHM = "EdDSA"
ACCESS = "access"
REFRESH = "refresh"
# How far the clocks of two machines may be apart.
LEEWAY_SECONDS = 5.0
_REFRESH_SECONDS = 300.0
# An unknown key id makes us ask misaki again, but not more often than this.
_LEAST_REFRESH_SECONDS = 5.0
_EARLY_RETRY_SECONDS = 0.5
# Claims that name what a token hangs on, and the collections that revocations name it by.
_PARTIES = {"sid": "sessions", "api_key": "apiKeys", "client_id": "clients"}


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies tokens, as RFC 8037 writes it."""

    key_id: str
    x: str

    def as_jwk(self) -> dict[str, str]:
        """Return the key as a JSON Web Key."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.key_id}


KeySource = Callable[[], Awaitable[Sequence[PublicKey]]]


class TokenVerifier:
    """Turns a token into a principal, or says what is wrong with it."""

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        access: AccessState | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take the parts.

        Args:
            keys: Where the keys come from.
            issuer: Whose tokens are good.
            audience: For whom they have to be.
            access: Which of them have been taken back, and what they are good for.
            clock: Seconds that only go forward.
            now: Seconds since 1970.
        """
        self.access = access or AccessState()
        self._source = keys
        self._clock = clock
        self._verified = VerifiedTokens(now=now)
        self._issuer = issuer
        self._audience = audience
        self._public: Mapping[str, PublicKey] = {}
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> Principal:
        """Return who a token speaks for.

        A signature is verified once; whether the token has been taken back is looked up
        every time.

        Raises:
            Unauthenticated: TOKEN_INVALID, with the problem in the metadata; TOKEN_REVOKED.
            Unavailable: DEPENDENCY_UNAVAILABLE: the keys cannot be had now.
        """
        # With old keys it has to be verified again, so that the keys are asked for again.
        is_fresh = self._clock() - self._fetched_at <= _REFRESH_SECONDS
        principal = self._verified.find(token) if is_fresh else None
        if principal is None:
            principal = principal_of(await self.claims(token, token_type=ACCESS))
            self._verified.add(token, principal)
        self.access.revocations.check(principal)
        return principal

    async def claims(self, token: str, *, token_type: str) -> Mapping[str, Any]:
        """Return the verified claims of a token of one type; see `verify`."""
        key = await self._key_of(token)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "jti", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise token_invalid("expired") from error
        except jwt.PyJWTError as error:
            raise token_invalid("not valid here") from error
        if claims.get("typ") != token_type:
            raise token_invalid(f"not of the type {token_type}")
        return claims

    async def fetch_early(self) -> None:
        """Fetch the keys before the first token comes, however often it takes.

        A service that has them can verify tokens while misaki is away.
        """
        while not self._keys:
            try:
                await self._refresh(needed=True)
            except Unavailable:
                await asyncio.sleep(_EARLY_RETRY_SECONDS)

    async def keys_are(self, key_ids: Collection[str]) -> None:
        """Fetch the keys if they are not those of these ids, for no other sign any more.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        if set(key_ids) != set(self._keys):
            await self._refresh(needed=True)

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            key_id = jwt.get_unverified_header(token).get("kid", "")
        except (jwt.PyJWTError, UnicodeError) as error:
            raise token_invalid("malformed") from error
        age = self._clock() - self._fetched_at
        if age > _REFRESH_SECONDS or (key_id not in self._keys and age > _LEAST_REFRESH_SECONDS):
            await self._refresh(needed=key_id not in self._keys)
        if key_id not in self._keys:
            raise token_invalid("signed by an unknown key")
        return self._keys[key_id]

    async def _refresh(self, *, needed: bool) -> None:
        before = self._fetched_at
        async with self._fetching:
            if self._fetched_at != before:
                return
            try:
                keys = await self._source()
            except Unavailable:
                if needed:
                    raise
                # The key is known: go on with it, and ask again when it is time.
                _log.warning("keys not renewed: misaki does not answer")
                self._fetched_at = self._clock() - _REFRESH_SECONDS + _LEAST_REFRESH_SECONDS
                return
            fetched = {key.key_id: key for key in keys}
            if fetched != self._public:
                self._verified.clear()
                self._public = fetched
                self._keys = {i: jwt.PyJWK(k.as_jwk(), ALGORITHM) for i, k in fetched.items()}
            self._fetched_at = self._clock()


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """Return the principal that verified claims describe.

    Raises:
        Unauthenticated: TOKEN_INVALID: the claims are not ones that misaki makes.
    """
    try:
        scope = _scope_of(claims)
        return Principal(
            name=str(claims["sub"]),
            admin=bool(claims.get("adm", False)),
            project_roles={p: Role(role) for p, role in claims.get("roles", {}).items()},
            issued_at=float(claims["iat"]),
            expires_at=float(claims["exp"]),
            token_id=str(claims["jti"]),
            revocable_as=_revocable_as(claims),
            scope=scope,
            since=int(claims.get("since", 0)),
        )
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise token_invalid("malformed") from error


def _revocable_as(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a revocation may name to end the token with these claims."""
    subjects = [str(claims["sub"]), f"tokens/{claims['jti']}"]
    subjects += [f"{kind}/{claims[claim]}" for claim, kind in _PARTIES.items() if claim in claims]
    return tuple(subjects)


def _scope_of(claims: Mapping[str, Any]) -> Scope | None:
    device = claims.get("device")
    if device is None:
        return None
    return Scope(
        project_id=str(device["project"]),
        network_id=str(device["network"]),
        actions=frozenset(Action(action) for action in device["actions"]),
    )


def token_invalid(problem: str) -> Unauthenticated:
    """Return the error of an unusable token."""
    return Unauthenticated(
        f"the token is {problem}; log in again",
        reason="TOKEN_INVALID",
        metadata={"problem": problem},
    )
