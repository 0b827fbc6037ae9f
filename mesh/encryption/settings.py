"""The settings of services that keep objects: with which keys they are encrypted."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from mesh.encryption.keys import Encryption, KeyRing
from mesh.settings import MeshSettings


class ObjectSettings(MeshSettings):
    """Settings of a service that keeps objects."""

    encryption_key_file: Path | None = Field(
        default=None,
        description="file with keys, 32 bytes in base64 each; the first one encrypts what is "
        "written, all of them decrypt; nothing is encrypted without keys",
    )
    encryption_keys: SecretStr = Field(
        default=SecretStr(""), description="the keys themselves, instead of encryption_key_file"
    )
    encryption_required: bool = Field(
        default=False, description="whether objects that are not encrypted are refused"
    )

    @model_validator(mode="after")
    def _has_usable_keys(self) -> Self:
        if self.encryption_key_file is not None and self.encryption_keys.get_secret_value():
            raise ValueError("encryption_key_file and encryption_keys are both set; use one")
        if self.encryption_required and self.key_ring() is None:
            raise ValueError("encryption_required is set, but there are no keys")
        self.key_ring()
        return self

    def key_ring(self) -> KeyRing | None:
        """Return the keys; None when none are set.

        Raises:
            ValueError: They cannot be used.
        """
        if self.encryption_key_file is not None:
            return KeyRing.read(self.encryption_key_file)
        text = self.encryption_keys.get_secret_value()
        return KeyRing.parse(text) if text.strip() else None

    def encryption(self) -> Encryption:
        """Return how what this service stores is encrypted."""
        return Encryption(self.key_ring(), self.encryption_required)
