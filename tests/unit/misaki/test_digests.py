"""Digests under the key of the installation."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from misaki.crypto.digests import FILE_NAME, Digests, HashKeyError, load_or_create, new_secret


def test_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """A restart makes the same digests, from a file for its owner only."""
    first = load_or_create(tmp_path)("secret")

    assert first == load_or_create(tmp_path)("secret")
    assert 0o600 == (tmp_path / FILE_NAME).stat().st_mode & 0o777


def test_another_file_is_never_replaced(tmp_path: Path) -> None:
    """A new key would void all API keys: what is no key is an error."""
    (tmp_path / FILE_NAME).write_bytes(b"something else")

    with pytest.raises(HashKeyError, match="14 bytes"):
        load_or_create(tmp_path)


@given(one=st.text(), other=st.text())
def test_digests_are_as_equal_as_their_texts(one: str, other: str) -> None:
    """Same text, same digest; another text or key, another digest; always 43 characters."""
    digests = Digests(b"k" * 32)

    assert (one == other) == (digests(one) == digests(other))
    assert digests(one) != Digests(b"l" * 32)(one)
    assert 43 == len(digests(one))


def test_derived_keys_differ_by_purpose() -> None:
    """A key for one purpose tells nothing of that for another."""
    digests = Digests(b"k" * 32)

    assert digests.derived_key("a") == Digests(b"k" * 32).derived_key("a")
    assert digests.derived_key("a") != digests.derived_key("b")


def test_secrets_never_come_twice() -> None:
    """Secrets hold 256 random bits."""
    secrets = {new_secret() for _ in range(1000)}

    assert len(secrets) == 1000
    assert {43} == {len(secret) for secret in secrets}
