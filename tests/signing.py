"""Tokens as misaki would sign them, for tests of the chassis without misaki."""

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.access_state import AccessState
from mesh.tokens import PublicKey, TokenVerifier

AN_HOUR = 3600


class Signer:
    """A key pair that signs tokens."""

    def __init__(self, key_id: str = "test-key") -> None:
        self._private = Ed25519PrivateKey.generate()
        raw = self._private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        self.public = PublicKey(key_id, jwt.utils.base64url_encode(raw).decode())

    def token(self, subject: str = "users/alice", **changes: Any) -> str:
        """Return a good access token; keyword arguments are claims that differ."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "sub": subject,
            "iss": "hanami",
            "aud": "hanami",
            "typ": "access",
            "iat": now,
            "exp": now + AN_HOUR,
            "jti": "test-token",
        }
        headers = {"kid": self.public.key_id}
        return jwt.encode(claims | changes, self._private, algorithm="EdDSA", headers=headers)

    def bearer(self, subject: str = "users/alice", **changes: Any) -> tuple[tuple[str, str], ...]:
        """Return call metadata with such a token."""
        return (("authorization", f"Bearer {self.token(subject, **changes)}"),)

    def verifier(self, access: AccessState | None = None) -> TokenVerifier:
        """Return what verifies the tokens of this signer and no other."""

        async def keys() -> list[PublicKey]:
            return [self.public]

        return TokenVerifier(keys, issuer="hanami", audience="hanami", access=access)
