"""The first admin of a new installation."""

from dataclasses import replace

import pytest

from misaki.domain.bootstrap import BootstrapError, FirstAdmin, ensure_admin
from misaki.domain.revocations import Revoker
from misaki.domain.users import Users
from misaki.ports import NewId
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import PlainPasswords, SettableClock

ROOT = FirstAdmin(user_id="root", display_name="Root", password="long enough")


@pytest.fixture
def users(
    directory: InMemoryDirectory,
    passwords: PlainPasswords,
    revoker: Revoker,
    clock: SettableClock,
    new_id: NewId,
) -> Users:
    """Return the rules over an empty directory."""
    return Users(directory, passwords, revoker, clock=clock, new_id=new_id)


async def test_first_admin_is_created(directory: InMemoryDirectory, users: Users) -> None:
    """An empty installation gets the admin of the settings."""
    created = await ensure_admin(directory, users, ROOT)

    assert created
    assert (await directory.get_user("root")).admin
    assert "Root" == (await directory.get_user("root")).display_name


async def test_settings_do_nothing_once_there_is_an_admin(
    directory: InMemoryDirectory, users: Users
) -> None:
    """Later starts need no values, and do not make a second admin."""
    await directory.create_user(factories.user("boss", admin=True), "hash")

    created = await ensure_admin(directory, users, FirstAdmin("", "", ""))

    assert not created
    assert ["boss"] == [user.user_id for user in await directory.list_users(after="", limit=9)]


@pytest.mark.parametrize(
    ("field", "setting"),
    [
        ("user_id", "HANAMI_ADMIN_USER_ID"),
        ("display_name", "HANAMI_ADMIN_USER_NAME"),
        ("password", "HANAMI_ADMIN_PASSWORD"),
    ],
)
async def test_missing_value_is_named(
    directory: InMemoryDirectory, users: Users, field: str, setting: str
) -> None:
    """The error names the setting that is missing, and nobody is created."""
    with pytest.raises(BootstrapError, match=f"set {setting}"):
        await ensure_admin(directory, users, replace(ROOT, **{field: ""}))

    assert not await directory.has_admin()


@pytest.mark.parametrize(
    ("field", "value", "setting"),
    [
        ("user_id", "R", "HANAMI_ADMIN_USER_ID"),
        ("display_name", "a\x00b", "HANAMI_ADMIN_USER_NAME"),
        ("password", "short", "HANAMI_ADMIN_PASSWORD"),
    ],
)
async def test_invalid_value_is_named_and_not_repeated(
    directory: InMemoryDirectory, users: Users, field: str, value: str, setting: str
) -> None:
    """The error names the setting that is wrong, without a password in it."""
    with pytest.raises(BootstrapError, match=setting) as caught:
        await ensure_admin(directory, users, replace(ROOT, **{field: value}))

    assert "short" not in str(caught.value)
    assert not await directory.has_admin()


async def test_ordinary_user_of_that_id_is_not_promoted(
    directory: InMemoryDirectory, users: Users
) -> None:
    """A user who is no admin does not become one by a setting."""
    await directory.create_user(factories.user("root"), "hash")

    with pytest.raises(BootstrapError, match="is no admin"):
        await ensure_admin(directory, users, ROOT)

    assert not await directory.has_admin()
