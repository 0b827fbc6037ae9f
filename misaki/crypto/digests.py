"""Digests under a secret of the installation: what is kept of secrets, and of names.

Who reads the database, but not the file, cannot tell from a digest whether a guess is
right. The secrets themselves are long and random, so a fast digest is enough.
"""

import base64
import hmac
import secrets
from pathlib import Path

from misaki.crypto.private_files import create_once

FILE_NAME = "hash-key"
_KEY_BYTES = 32
_SECRET_BYTES = 32


class HashKeyError(Exception):
    """The file of the key is there, but holds no key of ours."""


class Digests:
    """Makes digests with a key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, text: str) -> str:
        """Return the digest of a text: 43 characters, different without the key."""
        digest = hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def derived_key(self, purpose: str) -> bytes:
        """Return a further key that tells nothing of this one."""
        return hmac.digest(self._key, f"key for {purpose}".encode(), "sha256")


def load_or_create(folder: Path) -> Digests:
    """Return the digests of an installation; their key is made on the first start.

    Raises:
        HashKeyError: The file holds something else.
    """
    path = folder / FILE_NAME
    if not path.exists():
        create_once(path, secrets.token_bytes(_KEY_BYTES))
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise HashKeyError(f"{path} holds {len(key)} bytes instead of {_KEY_BYTES}")
    return Digests(key)


def new_secret() -> str:
    """Return a secret of 256 bits that nobody can guess, in 43 characters."""
    return secrets.token_urlsafe(_SECRET_BYTES)
