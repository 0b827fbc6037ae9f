"""An OpenID Connect provider over HTTP: discovery, the code exchange, and its ID tokens."""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt
import structlog

from mesh.errors import Unavailable
from misaki.domain.provider_logins import Provider, login_refused
from misaki.ports import Identity

_log = structlog.get_logger(__name__)
# Signatures with a public key; a shared secret would let everybody who has it forge.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_LEEWAY_SECONDS = 30.0
_TIMEOUT_SECONDS = 10.0
_FRESH_SECONDS = 3600.0
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


class OidcProvider:
    """Sends people to a provider, and reads who they are from what comes back."""

    def __init__(self, provider: Provider, web: httpx.AsyncClient) -> None:
        self._provider = provider
        self._web = web
        self._configuration: Mapping[str, Any] = {}
        self._keys: jwt.PyJWKSet | None = None
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str
    ) -> str:
        """Return where the browser goes; see `misaki.ports.IdentityProvider`."""
        configuration = await self._discovered()
        challenge = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoint = str(configuration["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def redeem(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Identity:
        """Return who a code speaks for; see `misaki.ports.IdentityProvider`."""
        configuration = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self._provider.client_id,
        }
        if self._provider.client_secret:
            form["client_secret"] = self._provider.client_secret
        answer = await self._sent("POST", str(configuration["token_endpoint"]), form)
        if answer.status_code != httpx.codes.OK:
            raise login_refused("the provider does not take the code")
        id_token = _json(answer).get("id_token")
        if not isinstance(id_token, str):
            raise login_refused("the provider gave no ID token")
        claims = await self._verified(id_token)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise login_refused("the ID token belongs to another login")
        return Identity(self._provider.issuer, str(claims["sub"]), claims)

    async def _verified(self, id_token: str) -> Mapping[str, Any]:
        """Return the claims of an ID token that is good for us (OIDC Core, 3.1.3.7)."""
        key = await self._key_of(id_token)
        try:
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=list(_ALGORITHMS),
                audience=self._provider.client_id,
                issuer=self._provider.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise login_refused("the ID token is not valid") from error
        audience = claims["aud"]
        party = claims.get("azp")
        if isinstance(audience, list) and len(audience) > 1 and party is None:
            raise login_refused("the ID token is for several, and does not say for whom")
        if party is not None and party != self._provider.client_id:
            raise login_refused("the ID token is for somebody else")
        return claims

    async def _key_of(self, id_token: str) -> jwt.PyJWK:
        try:
            key_id = jwt.get_unverified_header(id_token).get("kid")
        except jwt.PyJWTError as error:
            raise login_refused("the ID token is not valid") from error
        for fresh in (False, True):
            await self._discovered(fresh=fresh)
            keys = self._keys.keys if self._keys else []
            found = [key for key in keys if key_id in (None, key.key_id)]
            if len(found) == 1:
                return found[0]
        raise login_refused("the ID token is signed by an unknown key")

    async def _discovered(self, *, fresh: bool = False) -> Mapping[str, Any]:
        """Return what the provider says of itself, its keys read along."""
        before = self._fetched_at
        async with self._fetching:
            is_old = time.monotonic() - self._fetched_at > _FRESH_SECONDS
            if is_old or (fresh and self._fetched_at == before):
                await self._discover()
        return self._configuration

    async def _discover(self) -> None:
        issuer = self._provider.issuer
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        found = _json(await self._got(url))
        if found.get("issuer") != issuer:
            _log.error("provider is another one", expected=issuer, actual=found.get("issuer"))
            raise self._unavailable()
        for endpoint in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not _is_safe(str(found.get(endpoint, ""))):
                _log.error("endpoint without TLS", provider=issuer, endpoint=endpoint)
                raise self._unavailable()
        try:
            self._keys = jwt.PyJWKSet.from_dict(_json(await self._got(str(found["jwks_uri"]))))
        except jwt.PyJWTError as error:
            _log.error("provider has no usable keys", provider=issuer, error=repr(error))
            raise self._unavailable() from error
        self._configuration = found
        self._fetched_at = time.monotonic()

    async def _got(self, url: str) -> httpx.Response:
        answer = await self._sent("GET", url)
        if answer.status_code != httpx.codes.OK:
            _log.warning("provider refuses", url=url, status=answer.status_code)
            raise self._unavailable()
        return answer

    async def _sent(
        self, method: str, url: str, form: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            return await self._web.request(
                method,
                url,
                data=dict(form) if form else None,
                headers={"accept": "application/json"},
                timeout=_TIMEOUT_SECONDS,
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            _log.warning("provider lost", provider=self._provider.issuer, error=repr(error))
            raise self._unavailable() from error

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"{self._provider.display_name} does not answer as it should; try again later",
            reason="DEPENDENCY_UNAVAILABLE",
            metadata={"dependency": f"loginProviders/{self._provider.provider_id}"},
        )


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_safe(url: str) -> bool:
    """Tell whether nobody on the way can read or change what goes there."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS)
