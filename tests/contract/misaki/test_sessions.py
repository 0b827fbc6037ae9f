"""What every store of logins has to do."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.errors import NotFound
from mesh.revocations import Revocation
from misaki.ports import Directory, SessionStore
from tests import factories
from tests.contract.misaki.conftest import Stores


@pytest.fixture(autouse=True)
async def _users(directory: Directory) -> None:
    for user_id in ("alice", "bob"):
        await directory.create_user(factories.user(user_id), "hash")


async def test_session_comes_back_as_stored(sessions: SessionStore) -> None:
    """A session read again equals the one stored, time zones included."""
    session = factories.session("s1", "alice", "garden")

    await sessions.create_session(session)

    assert session == await sessions.find_session("s1")
    assert await sessions.find_session("s2") is None


async def test_nobody_has_no_session(sessions: SessionStore) -> None:
    """A user deleted in the middle of a login is not logged in."""
    with pytest.raises(NotFound):
        await sessions.create_session(factories.session("s1", "nobody"))


async def test_renewal_goes_from_one_generation_to_the_next(sessions: SessionStore) -> None:
    """A session of another generation than the one expected stays as it is."""
    session = factories.session("s1", "alice")
    await sessions.create_session(session)
    later = factories.NOON + timedelta(minutes=15)
    second = replace(session, generation=2, renew_time=later, project_id="garden")

    renewed = await sessions.renew_session(second, generation=1)
    again = await sessions.renew_session(replace(second, generation=9), generation=1)

    assert (True, False) == (renewed, again)
    assert second == await sessions.find_session("s1")


async def test_one_of_many_renewals_at_once_goes_through(sessions: SessionStore) -> None:
    """Two renewals of one generation never both succeed."""
    session = factories.session("s1", "alice")
    await sessions.create_session(session)
    second = replace(session, generation=2)

    outcomes = await asyncio.gather(
        *(sessions.renew_session(second, generation=1) for _ in range(5))
    )

    assert [False] * 4 + [True] == sorted(outcomes)


async def test_ended_session_is_gone_with_its_tokens(stores: Stores) -> None:
    """The end and the revocation are one; ending it again finds nothing."""
    await stores.sessions.create_session(factories.session("s1", "alice"))
    revocation = Revocation("sessions/s1", factories.NOON, factories.NOON)

    first = await stores.sessions.end_session("s1", revocations=[revocation])
    second = await stores.sessions.end_session("s1", revocations=[])

    assert (True, False) == (first, second)
    assert [revocation] == stores.announced
    assert await stores.sessions.find_session("s1") is None


async def test_sessions_go_with_their_user(directory: Directory, sessions: SessionStore) -> None:
    """A later user of the same id finds no login of the earlier one."""
    await sessions.create_session(factories.session("s1", "alice"))

    await directory.delete_user("alice", etag="")

    assert await sessions.find_session("s1") is None


async def test_sessions_are_listed_by_user_and_page(sessions: SessionStore) -> None:
    """In the order of their ids, each once, and nobody else's."""
    for number in (3, 1, 2):
        await sessions.create_session(factories.session(f"s{number}", "alice"))
    await sessions.create_session(factories.session("s0", "bob"))

    first = await sessions.list_sessions("alice", after="", limit=2)
    rest = await sessions.list_sessions("alice", after="s2", limit=2)

    assert ["s1", "s2"] == [session.session_id for session in first]
    assert ["s3"] == [session.session_id for session in rest]


async def test_expired_sessions_are_forgotten(sessions: SessionStore) -> None:
    """What no token can renew any more does not stay."""
    session = factories.session("s1", "alice")
    await sessions.create_session(session)
    await sessions.create_session(
        replace(session, session_id="s2", expire_time=factories.NOON + timedelta(hours=48))
    )

    await sessions.forget_sessions(now=session.expire_time)

    assert await sessions.find_session("s1") is None
    assert await sessions.find_session("s2") is not None
