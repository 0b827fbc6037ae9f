"""Tokens with one flaw each, signed with the key of a mesh that runs."""

import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hanami_sdk.local.home import MeshHome
from misaki.crypto.keys import SigningKey, load_or_create
from tests.e2e.conftest import Metadata

# The gateway allows clocks to be a minute apart.
_LONG_AGO = 3600
_LIFE_SECONDS = 900


class MeshSigner:
    """Signs whatever claims, as the misaki of a local mesh would."""

    def __init__(self, home: MeshHome) -> None:
        self._key: SigningKey = load_or_create(home.data("misaki"))

    def claims(self, subject: str, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token; keyword arguments are those that differ."""
        now = time.time()
        return {
            "iss": "hanami",
            "aud": "hanami",
            "sub": subject,
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": int(now) + _LIFE_SECONDS,
            "typ": "access",
            "adm": False,
            "roles": {},
            **changes,
        }

    def bearer(self, subject: str, **changes: Any) -> Metadata:
        """Return the metadata of a call with a token that the mesh has signed."""
        return self._signed(self.claims(subject, **changes), self._key.private)

    def forged(self, subject: str, **changes: Any) -> Metadata:
        """Return the same, signed with another key under the name of the mesh's."""
        return self._signed(self.claims(subject, **changes), Ed25519PrivateKey.generate())

    def expired(self, subject: str, **changes: Any) -> Metadata:
        """Return the same, good until an hour ago."""
        then = time.time() - _LONG_AGO
        times = {"iat": then - _LIFE_SECONDS, "exp": int(then)}
        return self.bearer(subject, **changes, **times)

    def _signed(self, claims: dict[str, Any], key: Ed25519PrivateKey) -> Metadata:
        headers = {"kid": self._key.public.key_id}
        token = jwt.encode(claims, key, algorithm="EdDSA", headers=headers)
        return (("authorization", f"Bearer {token}"),)
