"""The key that signs tokens, and the file that keeps it."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from misaki.crypto import keys


def test_thumbprint_of_the_example_in_rfc_8037() -> None:
    """The thumbprint equals the one that RFC 8037, appendix A.3, states."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

    assert "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" == keys.thumbprint(x)


def test_key_is_kept(tmp_path: Path) -> None:
    """The second start finds the key of the first."""
    first = keys.load_or_create(tmp_path / "data")

    second = keys.load_or_create(tmp_path / "data")

    assert first.public == second.public
    assert keys.thumbprint(first.public.x) == first.public.key_id


def test_key_file_is_private(tmp_path: Path) -> None:
    """Only the owner may read the key, and nothing else is left beside it."""
    keys.load_or_create(tmp_path / "data")

    files = list((tmp_path / "data").iterdir())
    assert [keys.FILE_NAME] == [file.name for file in files]
    assert 0o600 == stat.S_IMODE(files[0].stat().st_mode)


def test_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    """Several first starts in the same folder end up with the same key."""
    with ThreadPoolExecutor(8) as executor:
        made = list(executor.map(keys.load_or_create, [tmp_path] * 8))

    assert 1 == len({key.public for key in made})


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nxx\n"])
def test_damaged_key_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A file that holds no key is an error: a new key would void every token in silence."""
    path = tmp_path / keys.FILE_NAME
    path.write_bytes(content)

    with pytest.raises(keys.KeyFileError, match="holds no signing key"):
        keys.load_or_create(tmp_path)

    assert content == path.read_bytes()


def test_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """An elliptic-curve key of another kind is not used."""
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / keys.FILE_NAME).write_bytes(pem)

    with pytest.raises(keys.KeyFileError, match="another kind"):
        keys.load_or_create(tmp_path)
