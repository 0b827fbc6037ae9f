"""The key that signs tokens: made on the first start, kept in a private file."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.tokens import PublicKey
from misaki.crypto.private_files import create_once

FILE_NAME = "signing-key.pem"


class KeyFileError(Exception):
    """The key file is there, but holds no key of ours."""


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 key pair; `public.key_id` is its RFC 7638 thumbprint."""

    private: Ed25519PrivateKey
    public: PublicKey


def new_key() -> SigningKey:
    """Return a fresh key."""
    return _signing_key(Ed25519PrivateKey.generate())


def load_or_create(folder: Path) -> SigningKey:
    """Return the key in a folder, made now when there is none.

    Raises:
        KeyFileError: The file holds something else.
    """
    path = folder / FILE_NAME
    if not path.exists():
        create_once(path, pem_of(new_key()))
    return read_pem(path.read_bytes(), path)


def read_pem(pem: bytes, path: Path) -> SigningKey:
    """Return the key that a file holds.

    Raises:
        KeyFileError: It holds something else.
    """
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path} holds no signing key: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds a key of another kind than Ed25519")
    return _signing_key(private)


def pem_of(key: SigningKey) -> bytes:
    """Return a key as a private file holds it."""
    return key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _signing_key(private: Ed25519PrivateKey) -> SigningKey:
    raw = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    x = _base64url(raw)
    return SigningKey(private, PublicKey(key_id=thumbprint(x), x=x))


def thumbprint(x: str) -> str:
    """Return the RFC 7638 thumbprint of an Ed25519 key.

    Args:
        x: The public key as base64url without padding.
    """
    content = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return _base64url(hashlib.sha256(content.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
