"""The file of logins."""

import asyncio
import stat
from pathlib import Path

from hanami_sdk.logins import KeptLogin, LoginFile
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


async def test_processes_take_turns(tmp_path: Path) -> None:
    """Nobody renews while another does, and everybody gets their turn."""
    login = KeptLogin(LoginFile(tmp_path / "home" / "credentials.json"), "http://one")
    inside: list[int] = []
    most: list[int] = []

    async def renew(number: int) -> None:
        async with login.turn():
            inside.append(number)
            most.append(len(inside))
            await asyncio.sleep(0)
            inside.remove(number)

    await asyncio.gather(*(renew(number) for number in range(4)))

    assert most == [1] * 4


def test_a_kept_login_is_that_of_its_mesh(tmp_path: Path) -> None:
    """It reads what the file says now."""
    file = LoginFile(tmp_path / "credentials.json")
    login = KeptLogin(file, "http://one")

    file.save("http://one", ALICE)
    file.save("http://two", BOB)

    assert login.load() == ALICE
