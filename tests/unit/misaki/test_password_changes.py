"""New passwords for users that there are."""

import pytest

from mesh.access import Role
from mesh.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)
from misaki.domain.password_changes import PasswordChanges
from misaki.domain.revocations import Revoker
from misaki.domain.throttle import Throttle
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import PlainPasswords

ALICE = factories.caller(factories.principal("users/alice"), any_principal=True)
ROOT = factories.caller(
    factories.principal("users/root", admin=True), roles=frozenset({Role.ADMIN})
)


@pytest.fixture
async def changes(
    directory: InMemoryDirectory, passwords: PlainPasswords, throttle: Throttle, revoker: Revoker
) -> PasswordChanges:
    """Return the rules over Alice, who is logged in."""
    await directory.create_user(factories.user("alice"), "hash of open sesame")
    await directory.sessions.create_session(
        factories.session("s1", "alice"), factories.credentials("alice", "hash of open sesame")
    )
    return PasswordChanges(directory, passwords, throttle, revoker)


async def _hash(directory: InMemoryDirectory) -> str:
    credentials = await directory.find_credentials("alice")
    assert credentials is not None
    return credentials.password_hash


@pytest.mark.parametrize("name", ["me", "alice"])
async def test_own_password_is_changed_with_the_old_one(
    changes: PasswordChanges, directory: InMemoryDirectory, name: str
) -> None:
    """The new password counts, and every login with the old one has ended."""
    await changes.change(ALICE, name, old="open sesame", new="close sesame", origin="")

    assert "hash of close sesame" == await _hash(directory)
    assert await directory.sessions.find_session("s1") is None
    assert ["users/alice"] == [revocation.subject for revocation in directory.access.recorded]


async def test_wrong_old_password_changes_nothing(
    changes: PasswordChanges, directory: InMemoryDirectory
) -> None:
    """A stolen token alone does not give the account away."""
    with pytest.raises(Unauthenticated) as caught:
        await changes.change(ALICE, "me", old="guess", new="close sesame", origin="")

    assert "CREDENTIALS_INVALID" == caught.value.reason
    assert "hash of open sesame" == await _hash(directory)
    assert [] == directory.access.recorded


async def test_old_password_cannot_be_guessed_on_and_on(changes: PasswordChanges) -> None:
    """Wrong old passwords count like wrong logins."""
    for _ in range(6):
        with pytest.raises(Unauthenticated):
            await changes.change(ALICE, "me", old="guess", new="close sesame", origin="")

    with pytest.raises(ResourceExhausted):
        await changes.change(ALICE, "me", old="open sesame", new="close sesame", origin="")


async def test_new_password_of_an_admin_is_not_overwritten(
    changes: PasswordChanges,
    directory: InMemoryDirectory,
    passwords: PlainPasswords,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who knew the password before an admin replaced it cannot replace it in turn."""
    hash_password = passwords.hash

    async def reset_first(password: str) -> str:
        monkeypatch.undo()
        await changes.reset(ROOT, "alice", new="of the admin")
        return await hash_password(password)

    monkeypatch.setattr(passwords, "hash", reset_first)

    with pytest.raises(Unauthenticated) as caught:
        await changes.change(ALICE, "me", old="open sesame", new="close sesame", origin="")

    assert "CREDENTIALS_INVALID" == caught.value.reason
    assert "hash of of the admin" == await _hash(directory)


async def test_nobody_changes_the_password_of_another(changes: PasswordChanges) -> None:
    """Not even an admin changes it by ChangePassword; services have none."""
    root = factories.caller(factories.principal("users/root", admin=True), any_principal=True)
    kyouko = factories.caller(factories.principal("services/kyouko"), any_principal=True)

    for who in (root, kyouko):
        with pytest.raises(NotFound):
            await changes.change(who, "alice", old="open sesame", new="close sesame", origin="")


@pytest.mark.parametrize("password", ["short", "password", "alice", "x" * 1025])
async def test_weak_new_password_is_refused(changes: PasswordChanges, password: str) -> None:
    """The rules of new users hold for new passwords, under the name of the field."""
    with pytest.raises(InvalidArgument) as changed:
        await changes.change(ALICE, "me", old="open sesame", new=password, origin="")
    with pytest.raises(InvalidArgument) as reset:
        await changes.reset(ROOT, "alice", new=password)

    assert {"new_password"} == {e.value.metadata["field"] for e in (changed, reset)}


async def test_admin_resets_a_password(
    changes: PasswordChanges, directory: InMemoryDirectory
) -> None:
    """Without the old one, and again all logins end."""
    await changes.reset(ROOT, "alice", new="close sesame")

    assert "hash of close sesame" == await _hash(directory)
    assert await directory.sessions.find_session("s1") is None
    assert ["users/alice"] == [revocation.subject for revocation in directory.access.recorded]


async def test_reset_is_for_admins_and_for_others(changes: PasswordChanges) -> None:
    """Users may not; nobody resets their own password past the old one."""
    alice = factories.caller(factories.principal("users/alice"), roles=frozenset({Role.ADMIN}))

    with pytest.raises(PermissionDenied):
        await changes.reset(alice, "alice", new="close sesame")
    with pytest.raises(FailedPrecondition) as caught:
        await changes.reset(ROOT, "root", new="close sesame")
    with pytest.raises(NotFound):
        await changes.reset(ROOT, "nobody", new="close sesame")

    assert "CALLER" == caught.value.metadata["state"]
