"""The file of logins."""

import stat
from pathlib import Path

from hanami_sdk.logins import LoginFile
from hanami_sdk.sessions import Tokens

ALICE = Tokens("access", 1.0, "refresh", 2.0, "users/alice")
BOB = Tokens("other", 3.0, "another", 4.0, "users/bob")


def test_every_mesh_has_its_own_login(tmp_path: Path) -> None:
    """Logging in at one mesh does not log out at another; the URL's form does not matter."""
    file = LoginFile(tmp_path / "home" / "credentials.json")

    file.save("http://one:1337/", ALICE)
    file.save("https://two", BOB)

    assert file.load("http://ONE:1337") == ALICE
    assert file.load("https://two") == BOB
    assert file.load("http://three") is None


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    """Tokens are as good as passwords for a while."""
    file = LoginFile(tmp_path / "home" / "credentials.json")

    file.save("http://one", ALICE)

    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert [file.path] == list(file.path.parent.iterdir())


def test_a_logout_removes_one_login(tmp_path: Path) -> None:
    """It says whether there was one."""
    file = LoginFile(tmp_path / "credentials.json")
    file.save("http://one", ALICE)

    assert file.remove("http://one")
    assert not file.remove("http://one")
    assert file.load("http://one") is None


def test_a_damaged_file_counts_as_no_login(tmp_path: Path) -> None:
    """Logging in again is all it takes."""
    file = LoginFile(tmp_path / "credentials.json")
    file.path.write_text("{ not json")

    assert file.load("http://one") is None
    file.save("http://one", ALICE)
    assert file.load("http://one") == ALICE
