"""Key-encryption keys: how they are read, named and used."""

import base64
from pathlib import Path

import pytest

from mesh.encryption.keys import KeyEncryptionKey, KeyRing

FIRST, SECOND = bytes(range(32)), bytes(range(32, 64))


def text_of(key: bytes) -> str:
    """Return a key as people write it."""
    return base64.b64encode(key).decode("ascii")


def written(path: Path, text: str, *, mode: int = 0o600) -> Path:
    """Write a key file and return its path."""
    path.write_text(text, encoding="ascii")
    path.chmod(mode)
    return path


def test_first_key_is_the_one_in_use() -> None:
    """All keys are known, and the first one is used for what is written."""
    ring = KeyRing.parse(f"{text_of(FIRST)}\n{text_of(SECOND)}\n")

    assert [KeyEncryptionKey(FIRST).id, KeyEncryptionKey(SECOND).id] == list(ring.ids)
    assert KeyEncryptionKey(FIRST).id == ring.active.id


def test_url_safe_base64_is_read_too() -> None:
    """Both alphabets of base64 give the same key."""
    key = b"\xfb\xff" * 16

    rings = [KeyRing.parse(text_of(key)), KeyRing.parse(base64.urlsafe_b64encode(key).decode())]

    assert rings[0].active.id == rings[1].active.id


@pytest.mark.parametrize(
    "text", ["", "  \n", "secret words", text_of(b"short"), text_of(FIRST)[:-4]]
)
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    """A bad key is told by its number; a secret never stands in a message."""
    with pytest.raises(ValueError, match=r"^(key \d is not 32 bytes|there is no key)") as caught:
        KeyRing.parse(text)

    assert not any(word in str(caught.value) for word in ("secret", *text.split()))


def test_wrapped_key_comes_back_for_its_context_only() -> None:
    """What was wrapped for one context cannot be had for another, nor with another key."""
    first, second = KeyEncryptionKey(FIRST), KeyEncryptionKey(SECOND)

    wrapped = first.wrap(b"k" * 32, b"here")

    assert b"k" * 32 == first.unwrap(wrapped, b"here")
    assert first.unwrap(wrapped, b"there") is None
    assert second.unwrap(wrapped, b"here") is None


def test_keys_never_show_in_their_representation() -> None:
    """What is printed of keys is their ids."""
    ring = KeyRing.parse(text_of(FIRST))

    shown = f"{ring!r} {ring.active!r} {vars(ring)!r}"

    assert ring.active.id.hex() in shown
    assert text_of(FIRST) not in shown
    assert FIRST.hex() not in shown


def test_key_file_is_read(tmp_path: Path) -> None:
    """A file of its owner gives the keys in it."""
    path = written(tmp_path / "keys", text_of(FIRST) + "\n")

    assert KeyEncryptionKey(FIRST).id == KeyRing.read(path).active.id


def test_key_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    """A key that lies open is none."""
    path = written(tmp_path / "keys", text_of(FIRST), mode=0o644)

    with pytest.raises(ValueError, match=r"everybody may read .*chmod 600"):
        KeyRing.read(path)


def test_missing_key_file_is_told(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(ValueError, match=r"cannot read .*none: No such file"):
        KeyRing.read(tmp_path / "none")
