"""What every store of logins has to do."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.errors import Unauthenticated
from mesh.revocations import Revocation
from misaki.domain.model import Credentials, UserChange
from misaki.ports import Directory, SessionStore, no_revocations
from tests import factories
from tests.contract.misaki.conftest import Stores


@pytest.fixture(autouse=True)
async def _users(directory: Directory) -> None:
    for user_id in ("alice", "bob"):
        await directory.create_user(factories.user(user_id), "hash")


async def test_session_comes_back_as_stored(sessions: SessionStore) -> None:
    """A session read again equals the one stored, time zones included."""
    session = factories.session("s1", "alice", "garden")

    await sessions.create_session(session, factories.credentials())

    assert session == await sessions.find_session("s1")
    assert await sessions.find_session("s2") is None


async def test_nobody_has_no_session(sessions: SessionStore) -> None:
    """A user deleted in the middle of a login is not logged in."""
    with pytest.raises(Unauthenticated):
        await sessions.create_session(
            factories.session("s1", "nobody"), factories.credentials("nobody")
        )


async def credentials_of(directory: Directory, user_id: str) -> Credentials:
    """Return what a login of this moment would be decided on."""
    found = await directory.find_credentials(user_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "change", ["another password", "the same password again", "disabled for a moment", "namesake"]
)
async def test_login_with_what_was_true_before_is_refused(stores: Stores, change: str) -> None:
    """Whatever would have ended the login ends it also while it is under way."""
    before = await credentials_of(stores.directory, "alice")
    if change == "namesake":
        await stores.directory.delete_user("alice", etag="")
        await stores.directory.create_user(replace(factories.user("alice"), uid="later"), "hash")
    elif change == "disabled for a moment":
        for disabled in (True, False):
            await stores.directory.update_user(
                "alice", UserChange(disabled=disabled), etag="", new_etag=f"e {disabled}"
            )
    else:
        password_hash = "another hash" if change == "another password" else "hash"
        await stores.directory.set_password("alice", password_hash, revocations_of=no_revocations)

    with pytest.raises(Unauthenticated) as caught:
        await stores.sessions.create_session(factories.session("s1", "alice"), before)
    await stores.sessions.create_session(
        factories.session("s2", "alice"), await credentials_of(stores.directory, "alice")
    )

    assert "CREDENTIALS_INVALID" == caught.value.reason
    assert await stores.sessions.find_session("s1") is None
    assert await stores.sessions.find_session("s2") is not None


async def test_login_goes_on_after_other_changes(stores: Stores) -> None:
    """A new name, or being an admin or not, is no reason to log in again."""
    before = await credentials_of(stores.directory, "alice")
    for change in (UserChange(display_name="Ada"), UserChange(admin=True)):
        await stores.directory.update_user("alice", change, etag="", new_etag="e2")

    await stores.sessions.create_session(factories.session("s1", "alice"), before)

    assert await stores.sessions.find_session("s1") is not None


async def test_login_of_a_user_disabled_meanwhile_is_refused(stores: Stores) -> None:
    """Whoever was disabled while proving who they are is not logged in."""
    await stores.directory.update_user("alice", UserChange(disabled=True), etag="", new_etag="e2")

    with pytest.raises(Unauthenticated):
        await stores.sessions.create_session(
            factories.session("s1", "alice"), factories.credentials()
        )

    assert await stores.sessions.find_session("s1") is None


async def test_login_at_the_time_of_a_new_password_leaves_no_session(stores: Stores) -> None:
    """Whichever comes first: no session with the old password is left over."""
    for number in range(8):
        await stores.directory.set_password(
            "alice", f"hash {number}", revocations_of=no_revocations
        )
        before = await credentials_of(stores.directory, "alice")

        await asyncio.gather(
            *(
                stores.sessions.create_session(factories.session(f"s{n}", "alice"), before)
                for n in range(3)
            ),
            stores.directory.set_password("alice", "new hash", revocations_of=no_revocations),
            *(
                stores.sessions.create_session(factories.session(f"s{n}", "alice"), before)
                for n in range(3, 6)
            ),
            return_exceptions=True,
        )

        assert [] == list(await stores.sessions.list_sessions("alice", after="", limit=9))


async def test_renewal_goes_from_one_generation_to_the_next(sessions: SessionStore) -> None:
    """A session of another generation than the one expected stays as it is."""
    session = factories.session("s1", "alice")
    await sessions.create_session(session, factories.credentials())
    later = factories.NOON + timedelta(minutes=15)
    second = replace(session, generation=2, renew_time=later, project_id="garden")

    renewed = await sessions.renew_session(second, generation=1)
    again = await sessions.renew_session(replace(second, generation=9), generation=1)

    assert (True, False) == (renewed, again)
    assert second == await sessions.find_session("s1")


async def test_one_of_many_renewals_at_once_goes_through(sessions: SessionStore) -> None:
    """Two renewals of one generation never both succeed."""
    session = factories.session("s1", "alice")
    await sessions.create_session(session, factories.credentials())
    second = replace(session, generation=2)

    outcomes = await asyncio.gather(
        *(sessions.renew_session(second, generation=1) for _ in range(5))
    )

    assert [False] * 4 + [True] == sorted(outcomes)


async def test_ended_session_is_gone_with_its_tokens(stores: Stores) -> None:
    """The end and the revocation are one; ending it again finds nothing."""
    await stores.sessions.create_session(factories.session("s1", "alice"), factories.credentials())
    revocation = Revocation("sessions/s1", factories.NOON, factories.NOON + timedelta(minutes=1))

    first = await stores.sessions.end_session("s1", revocations_of=factories.revocations_of)
    second = await stores.sessions.end_session("s1", revocations_of=no_revocations)

    assert (True, False) == (first, second)
    assert [revocation] == stores.announced
    assert await stores.sessions.find_session("s1") is None


async def test_sessions_go_with_their_user(directory: Directory, sessions: SessionStore) -> None:
    """A later user of the same id finds no login of the earlier one."""
    await sessions.create_session(factories.session("s1", "alice"), factories.credentials())

    await directory.delete_user("alice", etag="")

    assert await sessions.find_session("s1") is None


async def test_sessions_are_listed_by_user_and_page(sessions: SessionStore) -> None:
    """In the order of their ids, each once, and nobody else's."""
    for number in (3, 1, 2):
        await sessions.create_session(
            factories.session(f"s{number}", "alice"), factories.credentials()
        )
    await sessions.create_session(factories.session("s0", "bob"), factories.credentials("bob"))

    first = await sessions.list_sessions("alice", after="", limit=2)
    rest = await sessions.list_sessions("alice", after="s2", limit=2)

    assert ["s1", "s2"] == [session.session_id for session in first]
    assert ["s3"] == [session.session_id for session in rest]


async def test_expired_sessions_are_forgotten(sessions: SessionStore) -> None:
    """What no token can renew any more does not stay."""
    session = factories.session("s1", "alice")
    await sessions.create_session(session, factories.credentials())
    await sessions.create_session(
        replace(session, session_id="s2", expire_time=factories.NOON + timedelta(hours=48)),
        factories.credentials(),
    )

    await sessions.forget_sessions(now=session.expire_time)

    assert await sessions.find_session("s1") is None
    assert await sessions.find_session("s2") is not None
