"""Who may create, read and delete users."""

import pytest

from mesh.access import Caller, Role
from mesh.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from misaki.domain.model import UserChange
from misaki.domain.revocations import Revoker
from misaki.domain.users import Users
from misaki.ports import NewId
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import PlainPasswords, SettableClock

ADMINS_ONLY = frozenset({Role.ADMIN})


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


def admin() -> Caller:
    """Return an admin who calls a method for admins."""
    return factories.caller(factories.principal("users/root", admin=True), roles=ADMINS_ONLY)


def alice(*, roles: frozenset[Role] = frozenset(), any_principal: bool = True) -> Caller:
    """Return Alice, who is a project admin somewhere, calling a method for everybody."""
    who = factories.principal("users/alice", garden=Role.PROJECT_ADMIN)
    return factories.caller(who, roles=roles, any_principal=any_principal)


async def test_created_user_has_time_etag_and_hash(
    users: Users, directory: InMemoryDirectory
) -> None:
    """What is stored comes from clock, ids and hash; the password itself is not."""
    created = await users.create(
        admin(), user_id="alice", display_name="", password="long enough", admin=False
    )

    credentials = await directory.find_credentials("alice")
    assert credentials is not None
    assert created == credentials.user
    assert "hash of long enough" == credentials.password_hash
    assert (factories.NOON, "id-1", "id-2") == (created.create_time, created.etag, created.uid)
    assert "alice" == created.display_name


async def test_only_admins_create_users(users: Users, directory: InMemoryDirectory) -> None:
    """A caller without the role is refused, and nothing is stored."""
    with pytest.raises(PermissionDenied):
        await users.create(
            alice(roles=ADMINS_ONLY, any_principal=False),
            user_id="mallory",
            display_name="",
            password="long enough",
            admin=True,
        )

    assert [] == list(await directory.list_users(after="", limit=10))


async def test_short_password_stores_nobody(users: Users, directory: InMemoryDirectory) -> None:
    """A user with a bad password is not created."""
    with pytest.raises(InvalidArgument):
        await users.create(admin(), user_id="alice", display_name="", password="short", admin=False)

    assert await directory.find_credentials("alice") is None


async def test_me_is_the_caller(users: Users, directory: InMemoryDirectory) -> None:
    """`users/me` and the own name read the same user."""
    await directory.create_user(factories.user("alice"), "hash")

    assert factories.user("alice") == await users.get(alice(), "me")
    assert factories.user("alice") == await users.get(alice(), "alice")


async def test_me_is_nobody_for_a_service(users: Users) -> None:
    """A service is no user, not even its own."""
    service = factories.caller(factories.principal("services/kyouko"), any_principal=True)

    with pytest.raises(NotFound):
        await users.get(service, "me")


async def test_others_look_like_nobody(users: Users, directory: InMemoryDirectory) -> None:
    """Another user and an unknown one give the same answer to somebody who is no admin."""
    await directory.create_user(factories.user("bob"), "hash")

    with pytest.raises(NotFound) as forbidden:
        await users.get(alice(), "bob")
    with pytest.raises(NotFound) as missing:
        await users.get(alice(), "eve")

    assert missing.value.message.replace("eve", "bob") == forbidden.value.message


async def test_admins_read_everybody(users: Users, directory: InMemoryDirectory) -> None:
    """An admin may read another user."""
    await directory.create_user(factories.user("bob"), "hash")

    assert factories.user("bob") == await users.get(admin(), "bob")


async def test_nobody_deletes_themselves(users: Users, directory: InMemoryDirectory) -> None:
    """Deleting oneself is refused even when another admin remains."""
    await directory.create_user(factories.user("root", admin=True), "hash")
    await directory.create_user(factories.user("toor", admin=True), "hash")

    with pytest.raises(FailedPrecondition) as caught:
        await users.delete(admin(), "root", etag="")

    assert "STATE_CONFLICT" == caught.value.reason
    assert factories.user("root", admin=True) == await directory.get_user("root")


async def test_only_admins_list_and_delete(users: Users, directory: InMemoryDirectory) -> None:
    """Listing and deleting are refused to everybody else."""
    await directory.create_user(factories.user("bob"), "hash")
    caller = alice(roles=ADMINS_ONLY, any_principal=False)

    with pytest.raises(PermissionDenied):
        await users.list(caller, after="", limit=10)
    with pytest.raises(PermissionDenied):
        await users.delete(caller, "bob", etag="")

    assert await directory.find_credentials("bob") is not None


async def test_users_change_their_own_name(users: Users, directory: InMemoryDirectory) -> None:
    """Everybody may, under their id or as `me`; tokens in use go on."""
    await directory.create_user(factories.user("alice"), "hash")

    changed = await users.update(alice(), "me", UserChange(display_name=" Ada "), etag="e1")

    assert "Ada" == changed.display_name
    assert changed == await directory.get_user("alice")
    assert "e1" != changed.etag
    assert [] == directory.access.recorded


@pytest.mark.parametrize("change", [UserChange(admin=True), UserChange(disabled=False)])
async def test_users_change_nothing_else_of_themselves(
    users: Users, directory: InMemoryDirectory, change: UserChange
) -> None:
    """Nobody makes themselves an admin, or enables themselves again."""
    await directory.create_user(factories.user("alice"), "hash")

    with pytest.raises(PermissionDenied) as caught:
        await users.update(alice(), "alice", change, etag="")

    assert "ROLE_INSUFFICIENT" == caught.value.reason
    assert factories.user("alice") == await directory.get_user("alice")


async def test_users_change_no_others(users: Users, directory: InMemoryDirectory) -> None:
    """Other users look missing, whatever is to change."""
    await directory.create_user(factories.user("bob"), "hash")

    with pytest.raises(NotFound):
        await users.update(alice(), "bob", UserChange(display_name="Eve"), etag="")


@pytest.mark.parametrize("change", [UserChange(disabled=True), UserChange(admin=False)])
async def test_taking_away_ends_tokens_in_use(
    users: Users, directory: InMemoryDirectory, change: UserChange
) -> None:
    """Who is disabled, or is no admin any more, is so at once."""
    await directory.create_user(factories.user("bob", admin=True), "hash")
    await directory.create_user(factories.user("root", admin=True), "hash")

    await users.update(admin(), "bob", change, etag="")

    assert ["users/bob"] == [revocation.subject for revocation in directory.access.recorded]


async def test_nobody_disables_themselves(users: Users, directory: InMemoryDirectory) -> None:
    """An admin cannot lock themselves out by a slip."""
    await directory.create_user(factories.user("root", admin=True), "hash")
    await directory.create_user(factories.user("toor", admin=True), "hash")

    with pytest.raises(FailedPrecondition) as caught:
        await users.update(admin(), "root", UserChange(disabled=True), etag="")

    assert {"resource": "users/root", "state": "CALLER"} == caught.value.metadata


async def test_weak_password_makes_no_user(users: Users, directory: InMemoryDirectory) -> None:
    """A password that is the user's own name is refused."""
    with pytest.raises(InvalidArgument):
        await users.create(
            admin(), user_id="alexandra", display_name="", password="alexandra", admin=False
        )

    assert await directory.find_credentials("alexandra") is None
