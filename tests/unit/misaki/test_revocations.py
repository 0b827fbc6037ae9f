"""Taking tokens back, dating fresh ones, and telling of changes."""

from datetime import timedelta

import pytest

from mesh.access import Principal, Role
from mesh.access_state import AccessChange, AccessState, PolicyChanges
from mesh.errors import Unauthenticated
from mesh.quotas import SHIPPED_DEFAULTS
from misaki.domain.access_news import AccessNews
from misaki.domain.policy import PolicyVersion
from misaki.domain.revocations import REACH, Revoker
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import SettableClock

METHOD = "/hanami.misaki.v1.UserService/GetUser"


def issued_at(moment: float) -> Principal:
    """Return alice with a token of a moment."""
    return Principal("users/alice", issued_at=moment, revocable_as=("users/alice",))


def news_of(directory: InMemoryDirectory, own: AccessState, clock: SettableClock) -> AccessNews:
    """Return news of a directory's store, with one key."""

    async def key_ids() -> list[str]:
        return ["key"]

    return AccessNews(directory.access, own, directory.quota_news, clock=clock, key_ids=key_ids)


async def test_token_dated_after_a_revocation_is_good(
    revoker: Revoker, directory: InMemoryDirectory, clock: SettableClock
) -> None:
    """Who logs in right after a revocation, in the same instant even, is let in."""
    await revoker.revoke("users/alice")

    fresh = await revoker.issue_time("users/alice")

    own = AccessState()
    own.revocations.add(directory.access.recorded)
    own.revocations.check(issued_at(fresh.timestamp()))
    assert clock.now + REACH < fresh <= clock.now + REACH + timedelta(milliseconds=1)


async def test_token_made_of_old_roles_is_not(
    revoker: Revoker, directory: InMemoryDirectory, clock: SettableClock
) -> None:
    """Who began to log in before a revocation, and ends after it, is refused."""
    began = await revoker.issue_time("users/alice")
    clock.now += timedelta(seconds=1)
    await revoker.revoke("users/alice")

    own = AccessState()
    own.revocations.add(directory.access.recorded)

    with pytest.raises(Unauthenticated):
        own.revocations.check(issued_at(began.timestamp()))
    assert clock.now == await revoker.issue_time("users/bob")


async def test_first_news_is_all_there_is(
    revoker: Revoker, directory: InMemoryDirectory, clock: SettableClock
) -> None:
    """A watcher hears everything first, and then only what is new."""
    await revoker.revoke("users/alice")
    news = news_of(directory, AccessState(), clock)
    await news.refresh()
    watch = news.watch()

    first = await anext(watch)
    policy = PolicyVersion(1, {METHOD: frozenset({Role.ADMIN})}, "users/root", factories.NOON)
    await directory.access.add_policy(policy)
    await news.refresh()
    second = await anext(watch)
    bob = revoker.of(["users/bob"])
    news.announce(bob)
    third = await anext(watch)

    alice = directory.access.recorded
    assert (
        AccessChange(
            True,
            PolicyChanges(),
            alice,
            frozenset({"key"}),
            quota_defaults=SHIPPED_DEFAULTS,
        )
        == first
    )
    assert AccessChange(policy=PolicyChanges(1, policy.rules), revocations=[]) == second
    assert AccessChange(revocations=list(bob)) == third


async def test_own_process_knows_before_anybody_else(
    revoker: Revoker, directory: InMemoryDirectory, clock: SettableClock
) -> None:
    """What is announced counts with the return of the call."""
    own = AccessState()
    news = news_of(directory, own, clock)

    news.announce(revoker.of(["users/alice"]))

    with pytest.raises(Unauthenticated):
        own.revocations.check(issued_at(clock.now.timestamp()))


async def test_watches_end_when_the_service_stops(
    directory: InMemoryDirectory, clock: SettableClock
) -> None:
    """A watcher is not left waiting."""
    news = news_of(directory, AccessState(), clock)
    watch = news.watch()
    await anext(watch)

    await news.end()

    assert [] == [change async for change in watch]
