"""The home folder: layout and rights."""

import base64
import stat
from pathlib import Path

import pytest

from hanami_sdk.local.errors import HomeUnusable
from hanami_sdk.local.home import MeshHome


def mode(path: Path) -> int:
    """Return the rights of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_open_to_the_owner_only(tmp_path: Path) -> None:
    """Nobody else can look into the home or what lies in it."""
    home = MeshHome(tmp_path / "home")

    home.create()

    folders = [home.root, home.run, home.logs, home.secrets, home.tls]
    assert {0o700} == {mode(folder) for folder in folders}


def test_secret_is_made_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    """A secret is random, kept, and of mode 0600."""
    home, other = MeshHome(tmp_path / "one"), MeshHome(tmp_path / "two")
    for one in (home, other):
        one.create()

    first = home.secret(home.admin_password_file)

    assert first == home.secret(home.admin_password_file)
    assert first != other.secret(other.admin_password_file)
    assert len(first) >= 32
    assert 0o600 == mode(home.admin_password_file)


def test_encryption_key_is_made_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    """The key is 32 random bytes in base64, kept, and of mode 0600; nothing else is left."""
    home = MeshHome(tmp_path / "home")
    home.create()

    home.ensure_encryption_key()
    first = home.encryption_key_file.read_text()
    home.ensure_encryption_key()

    assert first == home.encryption_key_file.read_text()
    assert 32 == len(base64.b64decode(first, validate=False))
    assert 0o600 == mode(home.encryption_key_file)
    assert [home.encryption_key_file] == list(home.secrets.iterdir())


def test_new_key_comes_first_until_the_old_one_is_forgotten(tmp_path: Path) -> None:
    """At no moment of a rotation the file lacks a key that something needs."""
    home = MeshHome(tmp_path / "home")
    home.create()
    home.ensure_encryption_key()
    old = home.encryption_key_file.read_text().strip()

    new = home.add_encryption_key()
    both = home.encryption_key_file.read_text().split()
    home.keep_encryption_key(new)

    assert [new, old] == both
    assert [new] == home.encryption_key_file.read_text().split()
    assert 0o600 == mode(home.encryption_key_file)


def test_environment_names_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HANAMI_HOME decides where the home is."""
    monkeypatch.setenv("HANAMI_HOME", str(tmp_path / "named"))

    assert tmp_path / "named" == MeshHome.default().root


def test_file_in_place_of_the_home_is_reported(tmp_path: Path) -> None:
    """A home that is a file is refused in words."""
    occupied = tmp_path / "file"
    occupied.write_text("")

    with pytest.raises(HomeUnusable) as caught:
        MeshHome(occupied).create()

    assert str(occupied) in caught.value.sentence
    assert "HANAMI_HOME" in caught.value.hint
