"""What every directory has to do with users."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.access import Role
from mesh.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    NotFound,
    Unauthenticated,
)
from mesh.revocations import Revocation
from misaki.domain.model import Credentials, UserChange
from misaki.ports import Directory, RevocationsOf, no_revocations
from tests import factories
from tests.contract.misaki.conftest import Stores


async def test_user_comes_back_as_stored(directory: Directory) -> None:
    """A user read again equals the one stored, time zone included."""
    alice = factories.user("alice", admin=True)

    await directory.create_user(alice, "hash")

    assert alice == await directory.get_user("alice")


async def test_credentials_hold_the_hash(directory: Directory) -> None:
    """The stored hash comes back with the user."""
    await directory.create_user(factories.user("alice"), "hash-of-alice")

    credentials = await directory.find_credentials("alice")

    assert credentials is not None
    assert "hash-of-alice" == credentials.password_hash
    assert factories.user("alice") == credentials.user


async def test_no_credentials_of_an_unknown_user(directory: Directory) -> None:
    """Nobody's credentials are None, not an error."""
    assert await directory.find_credentials("nobody") is None


async def test_user_id_is_unique(directory: Directory) -> None:
    """The second user of an id is refused, and the first stays."""
    await directory.create_user(factories.user("alice", etag="first"), "hash")

    with pytest.raises(AlreadyExists) as caught:
        await directory.create_user(factories.user("alice", etag="second"), "hash")

    assert "RESOURCE_EXISTS" == caught.value.reason
    assert "first" == (await directory.get_user("alice")).etag


async def test_unknown_user_is_not_found(directory: Directory) -> None:
    """Reading an unknown user says so by name."""
    with pytest.raises(NotFound) as caught:
        await directory.get_user("nobody")

    assert {"resource": "users/nobody"} == caught.value.metadata


async def test_users_are_listed_in_byte_order(directory: Directory) -> None:
    """The order is that of bytes, whatever the locale of the database."""
    ids = ["zoe", "al.ice", "al-ice", "al_ice", "alice", "al@ice", "al1ice"]
    for user_id in ids:
        await directory.create_user(factories.user(user_id), "hash")

    listed = [user.user_id for user in await directory.list_users(after="", limit=100)]

    assert sorted(ids) == listed


async def test_user_lists_go_on_after_a_key(directory: Directory) -> None:
    """Pages cut by key hold every user exactly once."""
    for number in range(7):
        await directory.create_user(factories.user(f"user{number}"), "hash")
    seen: list[str] = []

    while page := await directory.list_users(after=seen[-1] if seen else "", limit=3):
        seen += [user.user_id for user in page]

    assert [f"user{number}" for number in range(7)] == seen


async def test_admin_is_found(directory: Directory) -> None:
    """There is an admin from the moment one is stored."""
    await directory.create_user(factories.user("alice"), "hash")
    before = await directory.has_admin()

    await directory.create_user(factories.user("root", admin=True), "hash")

    assert (False, True) == (before, await directory.has_admin())


async def test_deleted_user_is_gone(directory: Directory) -> None:
    """A deleted user is not found, and the id is free again."""
    await directory.create_user(factories.user("alice"), "hash")

    await directory.delete_user("alice", etag="")

    with pytest.raises(NotFound):
        await directory.get_user("alice")
    await directory.create_user(factories.user("alice"), "hash")


async def test_deleting_a_user_takes_memberships_along(directory: Directory) -> None:
    """A new user of a deleted one's id inherits no role."""
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice"), limit=9)

    await directory.delete_user("alice", etag="")

    assert [] == await directory.list_members("garden", after="", limit=10)
    await directory.create_user(factories.user("alice"), "hash")
    assert {} == await directory.roles_of("alice")


async def test_stale_etag_keeps_the_user(directory: Directory) -> None:
    """A delete with another etag than the user's changes nothing."""
    await directory.create_user(factories.user("alice", etag="now"), "hash")

    with pytest.raises(Aborted) as caught:
        await directory.delete_user("alice", etag="before")

    assert "ETAG_MISMATCH" == caught.value.reason
    assert "now" == (await directory.get_user("alice")).etag


async def test_fitting_etag_deletes_the_user(directory: Directory) -> None:
    """A delete with the user's etag goes through."""
    await directory.create_user(factories.user("alice", etag="now"), "hash")

    await directory.delete_user("alice", etag="now")

    assert await directory.find_credentials("alice") is None


async def test_deleting_an_unknown_user_is_not_found(directory: Directory) -> None:
    """A delete of nobody says so, with and without etag."""
    for etag in ("", "some"):
        with pytest.raises(NotFound):
            await directory.delete_user("nobody", etag=etag)


async def test_last_admin_stays(directory: Directory) -> None:
    """The only admin cannot be deleted."""
    await directory.create_user(factories.user("root", admin=True), "hash")
    await directory.create_user(factories.user("alice"), "hash")

    with pytest.raises(FailedPrecondition) as caught:
        await directory.delete_user("root", etag="")

    assert "STATE_CONFLICT" == caught.value.reason
    assert await directory.has_admin()


async def test_two_admins_who_delete_each_other_leave_one(directory: Directory) -> None:
    """Of two deletes at once that together would leave no admin, one is refused."""
    for user_id in ("root", "toor"):
        await directory.create_user(factories.user(user_id, admin=True), "hash")

    outcomes = await asyncio.gather(
        directory.delete_user("root", etag=""),
        directory.delete_user("toor", etag=""),
        return_exceptions=True,
    )

    assert 1 == sum(isinstance(outcome, FailedPrecondition) for outcome in outcomes)
    assert 1 == outcomes.count(None)
    assert await directory.has_admin()


async def test_same_user_created_at_once_exists_once(directory: Directory) -> None:
    """Of several creations at once exactly one goes through."""
    outcomes = await asyncio.gather(
        *(directory.create_user(factories.user("alice"), "hash") for _ in range(5)),
        return_exceptions=True,
    )

    assert 1 == outcomes.count(None)
    assert 4 == sum(isinstance(outcome, AlreadyExists) for outcome in outcomes)


async def test_roles_are_those_of_one_user(directory: Directory) -> None:
    """A user's roles come by project; those of others do not mix in."""
    for user_id in ("alice", "bob"):
        await directory.create_user(factories.user(user_id), "hash")
    for project_id in ("garden", "kitchen"):
        await directory.create_project(factories.project(project_id))
    await directory.create_member(factories.member("garden", "alice", Role.VIEWER), limit=9)
    await directory.create_member(factories.member("kitchen", "alice", Role.PROJECT_ADMIN), limit=9)
    await directory.create_member(factories.member("garden", "bob", Role.MEMBER), limit=9)

    roles = await directory.roles_of("alice")

    assert {"garden": Role.VIEWER, "kitchen": Role.PROJECT_ADMIN} == roles


async def test_changed_user_is_read_back(directory: Directory) -> None:
    """What is named changes, with the etag; the rest stays."""
    await directory.create_user(factories.user("alice"), "hash")

    changed = await directory.update_user(
        "alice", UserChange(display_name="Ada", admin=True), etag="e1", new_etag="e2"
    )

    expected = replace(factories.user("alice", admin=True, etag="e2"), display_name="Ada")
    assert expected == changed == await directory.get_user("alice")


async def test_user_is_not_changed_past_another_change(directory: Directory) -> None:
    """A stale etag changes nothing; an unknown user is not found."""
    await directory.create_user(factories.user("alice"), "hash")

    with pytest.raises(Aborted):
        await directory.update_user("alice", UserChange(admin=True), etag="e0", new_etag="e2")
    with pytest.raises(NotFound):
        await directory.update_user("bob", UserChange(admin=True), etag="", new_etag="e2")

    assert factories.user("alice") == await directory.get_user("alice")


@pytest.mark.parametrize("change", [UserChange(admin=False), UserChange(disabled=True)])
async def test_last_admin_is_not_taken_away(directory: Directory, change: UserChange) -> None:
    """Who is disabled counts as no admin; the last one who can log in stays one."""
    await directory.create_user(factories.user("root", admin=True), "hash")
    await directory.create_user(factories.user("toor", admin=True, disabled=True), "hash")

    with pytest.raises(FailedPrecondition) as caught:
        await directory.update_user("root", change, etag="", new_etag="e2")
    with pytest.raises(FailedPrecondition):
        await directory.delete_user("root", etag="")
    await directory.delete_user("toor", etag="")

    assert {"resource": "users/root", "state": "LAST_ADMIN"} == caught.value.metadata
    assert factories.user("root", admin=True) == await directory.get_user("root")


async def test_two_admins_who_disable_each_other_leave_one(directory: Directory) -> None:
    """Of two changes at once that together would leave no admin, one is refused."""
    for user_id in ("root", "toor"):
        await directory.create_user(factories.user(user_id, admin=True), "hash")

    outcomes = await asyncio.gather(
        *(
            directory.update_user(user_id, UserChange(disabled=True), etag="", new_etag="e2")
            for user_id in ("root", "toor")
        ),
        return_exceptions=True,
    )

    assert 1 == sum(isinstance(outcome, FailedPrecondition) for outcome in outcomes)
    assert await directory.has_admin()


async def test_disabled_users_sessions_end_with_their_tokens(stores: Stores) -> None:
    """Sessions and revocation belong to the change: all of it, or nothing."""
    revocation = Revocation("users/alice", factories.NOON, factories.NOON + timedelta(minutes=1))
    await stores.directory.create_user(factories.user("alice"), "hash")
    await stores.sessions.create_session(factories.session("s1", "alice"), factories.credentials())

    with pytest.raises(Aborted):
        await stores.directory.update_user(
            "alice",
            UserChange(disabled=True),
            etag="stale",
            new_etag="e2",
            revocations_of=factories.revocations_of,
        )
    before = await stores.sessions.find_session("s1"), list(stores.announced)
    await stores.directory.update_user(
        "alice",
        UserChange(disabled=True),
        etag="",
        new_etag="e2",
        revocations_of=factories.revocations_of,
    )

    assert (factories.session("s1", "alice"), []) == before
    assert await stores.sessions.find_session("s1") is None
    assert [revocation] == stores.announced


async def test_new_password_ends_all_sessions(stores: Stores) -> None:
    """Who holds a login made with the old password loses it, others do not."""
    for user_id in ("alice", "bob"):
        await stores.directory.create_user(factories.user(user_id), "hash")
        await stores.sessions.create_session(
            factories.session(f"s-{user_id}", user_id), factories.credentials(user_id)
        )
    revocation = Revocation("users/alice", factories.NOON, factories.NOON + timedelta(minutes=1))

    await stores.directory.set_password(
        "alice", "new hash", revocations_of=factories.revocations_of
    )
    with pytest.raises(NotFound):
        await stores.directory.set_password("nobody", "new hash", revocations_of=no_revocations)

    credentials = await stores.directory.find_credentials("alice")
    assert credentials is not None
    assert "new hash" == credentials.password_hash
    assert await stores.sessions.find_session("s-alice") is None
    assert await stores.sessions.find_session("s-bob") is not None
    assert [revocation] == stores.announced


async def test_password_is_replaced_only_where_the_expected_one_is(stores: Stores) -> None:
    """Another one than expected stays, with the sessions; so it is with nobody's."""
    await stores.directory.create_user(factories.user("alice"), "hash")
    await stores.sessions.create_session(factories.session("s1", "alice"), factories.credentials())

    others = (
        factories.credentials(epoch=1),
        Credentials(replace(factories.user("alice"), uid="an earlier alice"), "hash"),
        factories.credentials("nobody"),
    )
    for before in others:
        with pytest.raises(Unauthenticated) as caught:
            await stores.directory.set_password(
                before.user.user_id,
                "new",
                expected=before,
                revocations_of=factories.revocations_of,
            )
        assert "CREDENTIALS_INVALID" == caught.value.reason
    kept = await stores.directory.find_credentials("alice"), list(stores.announced)
    session = await stores.sessions.find_session("s1")
    await stores.directory.set_password(
        "alice",
        "new",
        expected=factories.credentials(),
        revocations_of=factories.revocations_of,
    )

    assert (factories.credentials(), []) == kept
    assert session is not None
    changed = await stores.directory.find_credentials("alice")
    assert factories.credentials("alice", "new", epoch=1) == changed
    assert ["users/alice"] == [revocation.subject for revocation in stores.announced]


async def test_of_changes_of_one_password_at_once_one_goes_through(directory: Directory) -> None:
    """Nobody replaces a password that is another one by then."""
    await directory.create_user(factories.user("alice"), "hash")

    outcomes = await asyncio.gather(
        *(
            directory.set_password(
                "alice",
                f"hash {number}",
                expected=factories.credentials(),
                revocations_of=no_revocations,
            )
            for number in range(5)
        ),
        return_exceptions=True,
    )

    assert 1 == outcomes.count(None)
    assert 4 == sum(isinstance(outcome, Unauthenticated) for outcome in outcomes)


async def test_hash_is_replaced_and_nothing_else(stores: Stores) -> None:
    """Sessions, tokens and logins under way stay, and so does all that people see of the user."""
    await stores.directory.create_user(factories.user("alice"), "hash")
    await stores.sessions.create_session(factories.session("s1", "alice"), factories.credentials())

    replaced = await stores.directory.replace_hash("alice", before="hash", after="stronger")
    await stores.sessions.create_session(factories.session("s2", "alice"), factories.credentials())

    now = await stores.directory.find_credentials("alice")
    listed = await stores.sessions.list_sessions("alice", after="", limit=9)
    assert replaced
    assert factories.credentials("alice", "stronger") == now
    assert ["s1", "s2"] == [session.session_id for session in listed]
    assert [] == stores.announced


async def test_hash_of_another_password_stays(directory: Directory) -> None:
    """Whoever has another password by now, or is not there, gets no hash of the former one."""
    await directory.create_user(factories.user("alice"), "of another password")

    replaced = [
        await directory.replace_hash(user_id, before="hash", after="stronger")
        for user_id in ("alice", "nobody")
    ]

    now = await directory.find_credentials("alice")
    assert [False, False] == replaced
    assert factories.credentials("alice", "of another password") == now


async def test_new_password_wins_over_a_new_hash_of_the_old_one(directory: Directory) -> None:
    """Whichever comes first: a password that was changed at the same time is the new one."""
    await directory.create_user(factories.user("alice"), "hash 0")
    for turn in range(8):
        before = await directory.find_credentials("alice")
        assert before is not None
        renewed, changed = [f"stronger {turn} {number}" for number in range(4)], f"hash {turn + 1}"

        outcomes = await asyncio.gather(
            *(directory.replace_hash("alice", before=f"hash {turn}", after=h) for h in renewed[:2]),
            directory.set_password(
                "alice", changed, expected=before, revocations_of=no_revocations
            ),
            *(directory.replace_hash("alice", before=f"hash {turn}", after=h) for h in renewed[2:]),
        )

        now = await directory.find_credentials("alice")
        assert now is not None
        assert changed == now.password_hash
        assert outcomes.count(True) <= 1


async def test_changes_are_dated_in_the_order_in_which_they_are_made(directory: Directory) -> None:
    """A change that waits for another one ends the tokens that were issued until then."""
    dated: list[str] = []

    def noting(password_hash: str) -> RevocationsOf:
        def note(subjects: Sequence[str]) -> Sequence[Revocation]:
            dated.append(password_hash)
            return factories.revocations_of(subjects)

        return note

    await directory.create_user(factories.user("alice"), "hash")
    for turn in range(8):
        hashes = [f"hash {turn} {number}" for number in range(5)]

        await asyncio.gather(
            *(directory.set_password("alice", each, revocations_of=noting(each)) for each in hashes)
        )

        credentials = await directory.find_credentials("alice")
        assert credentials is not None
        assert dated[-1] == credentials.password_hash
        assert sorted(hashes) == sorted(dated[-5:])
