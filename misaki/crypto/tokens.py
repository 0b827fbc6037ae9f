"""Signs JSON Web Tokens, and reads the refresh tokens among them."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt

from mesh.access import Principal, Role
from mesh.tokens import ACCESS, ALGORITHM, REFRESH, TokenVerifier, principal_of, token_invalid
from mesh.visibility import microseconds
from misaki.crypto.keys import SigningKey
from misaki.domain.model import CredentialKind, ProjectCredential, Session, User, user_name
from misaki.ports import Clock, NewId, Renewal, SignedToken


class JwtMint:
    """Makes tokens with the key that signs at the moment."""

    def __init__(
        self,
        current_key: Callable[[], SigningKey],
        verifier: TokenVerifier,
        *,
        issuer: str,
        audience: str,
        access_lifetime: timedelta,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._current_key = current_key
        self._verifier = verifier
        self._issuer = issuer
        self._audience = audience
        self._access_lifetime = access_lifetime
        self._clock = clock
        self._new_id = new_id

    def access_for_user(
        self,
        user: User,
        roles: Mapping[str, Role],
        *,
        admin: bool,
        session_id: str,
        issue_time: datetime,
    ) -> SignedToken:
        """Return an access token that carries roles of the user."""
        claims = {
            "adm": admin,
            "roles": {p: role.value for p, role in roles.items()},
            "sid": session_id,
            "iat": issue_time.timestamp(),
            "since": microseconds(user.create_time),
        }
        return self._access(user.name, claims)

    def refresh_for(self, session: Session) -> SignedToken:
        """Return the refresh token of a session that is good."""
        claims = {"sid": session.session_id, "gen": session.generation}
        return self._signed(user_name(session.user_id), REFRESH, session.expire_time, claims)

    def access_for_credential(
        self, credential: ProjectCredential, *, issue_time: datetime
    ) -> SignedToken:
        """Return an access token that says what a credential allows, and ends with it."""
        claims: dict[str, Any] = {
            "adm": False,
            "roles": {},
            "iat": issue_time.timestamp(),
            "since": microseconds(credential.create_time),
        }
        if credential.kind is CredentialKind.API_KEY:
            claims["api_key"] = credential.uid
            claims["device"] = {
                "project": credential.project_id,
                "network": credential.network_id,
                "actions": sorted(credential.actions),
            }
        else:
            claims["client_id"] = credential.uid
            role = credential.role
            claims["roles"] = {credential.project_id: role.value} if role else {}
        ends = self._clock() + self._access_lifetime
        if credential.expire_time is not None:
            ends = min(ends, credential.expire_time)
        return self._signed(credential.name, ACCESS, ends, claims)

    def access_for_service(self, service: str) -> SignedToken:
        """Return the access token of a service of the mesh."""
        claims = {"adm": False, "roles": {}}
        return self._access(f"services/{service}", claims)

    async def read_access(self, token: str) -> Principal:
        """Return whom an access token speaks for; see `TokenMint.read_access`."""
        return principal_of(await self._verifier.claims(token, token_type=ACCESS))

    async def read_refresh(self, token: str) -> Renewal:
        """Return what a refresh token says; see `TokenMint.read_refresh`."""
        claims = await self._verifier.claims(token, token_type=REFRESH)
        kind, _, user_id = str(claims["sub"]).partition("/")
        session_id, generation = claims.get("sid"), claims.get("gen")
        if kind != "users" or not isinstance(session_id, str) or type(generation) is not int:
            raise token_invalid("malformed")
        return Renewal(user_id=user_id, session_id=session_id, generation=generation)

    def _access(self, subject: str, claims: Mapping[str, Any]) -> SignedToken:
        return self._signed(subject, ACCESS, self._clock() + self._access_lifetime, claims)

    def _signed(
        self, subject: str, token_type: str, expire_time: datetime, claims: Mapping[str, Any]
    ) -> SignedToken:
        expire_time = expire_time.replace(microsecond=0)
        key = self._current_key()
        token = jwt.encode(
            {
                "iss": self._issuer,
                "aud": self._audience,
                "sub": subject,
                "jti": self._new_id(),
                # With fractions: a token made right after a revocation is good.
                "iat": self._clock().timestamp(),
                "exp": expire_time,
                "typ": token_type,
                **claims,
            },
            key.private,
            algorithm=ALGORITHM,
            headers={"kid": key.public.key_id},
        )
        return SignedToken(token, expire_time)
