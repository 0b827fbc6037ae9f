"""Key-encryption keys: where they come from, and how they wrap the keys of objects.

A key is 32 random bytes in base64, as `openssl rand -base64 32` prints them. Its id is
computed from it, so it needs no name, and another key is never mistaken for it.
"""

import base64
import binascii
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
WRAPPED_BYTES: Final = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES


class EncryptionError(OSError):
    """Something encrypted cannot be opened; the message says what, and why."""


class UnknownKey(EncryptionError):
    """The key that something is encrypted with is not among those that are known here."""

    def __init__(self, place: str, key_id: bytes, known: Sequence[bytes]) -> None:
        have = ", ".join(one.hex() for one in known) or "none"
        super().__init__(
            f"{place} is encrypted with the key {key_id.hex()}; the keys known here: {have}"
        )
        self.key_id = key_id


class Damaged(EncryptionError):
    """Something encrypted is not what was once written at its place."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place} is damaged, or not what was written there: {problem}")


class KeyEncryptionKey:
    """A key that does nothing but encrypt the keys of objects."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self.id = self.derive(b"hanami key id", length=KEY_ID_BYTES)
        self._cipher = AESGCM(self.derive(b"hanami wrapping"))

    def __repr__(self) -> str:
        return f"KeyEncryptionKey({self.id.hex()})"

    def derive(self, purpose: bytes, salt: bytes = b"", *, length: int = KEY_BYTES) -> bytes:
        """Return a key for another purpose, which tells nothing about this one (HKDF-SHA-256)."""
        return HKDF(hashes.SHA256(), length, salt, purpose).derive(self._key)

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt the key of an object; only with the same context it can be had back."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes | None:
        """Return the key of an object; None when anything is not as it was."""
        try:
            return self._cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], context)
        except InvalidTag:
            return None


class KeyRing:
    """The keys of a service: the first one is used for what is written, all for reading."""

    def __init__(self, keys: Sequence[KeyEncryptionKey]) -> None:
        if not keys:
            raise ValueError("there is no key")
        self._by_id = {key.id: key for key in keys}
        self.active = keys[0]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(one.hex() for one in self.ids)})"

    @property
    def ids(self) -> Sequence[bytes]:
        """The ids of all keys, the one in use first."""
        return tuple(self._by_id)

    def get(self, key_id: bytes) -> KeyEncryptionKey | None:
        """Return a key by its id."""
        return self._by_id.get(key_id)

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read keys that are separated by white space; the first one is used for writing.

        Raises:
            ValueError: They are not all 32 bytes in base64; the message does not repeat them.
        """
        keys = []
        for number, word in enumerate(text.split(), start=1):
            try:
                key = base64.b64decode(word.translate(_URL_SAFE), validate=True)
                keys.append(KeyEncryptionKey(key))
            except (binascii.Error, ValueError):
                raise ValueError(
                    f"key {number} is not {KEY_BYTES} bytes in base64 (openssl rand -base64 32)"
                ) from None
        return cls(keys)

    @classmethod
    def read(cls, path: Path) -> "KeyRing":
        """Read keys from a file that not everybody may read.

        Raises:
            ValueError: It cannot be used; the message says why, without its content.
        """
        try:
            if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
                raise ValueError(f"everybody may read {path}; chmod 600 it")
            return cls.parse(path.read_text(encoding="ascii", errors="replace"))
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


@dataclass(frozen=True)
class Encryption:
    """How what a service stores is encrypted.

    Attributes:
        keys: nothing is encrypted without them.
        required: what is not encrypted is refused, too.
    """

    keys: KeyRing | None = None
    required: bool = False


_URL_SAFE: Final = str.maketrans("-_", "+/")
