"""What every store of other providers' accounts has to do."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.errors import AlreadyExists, NotFound, ResourceExhausted
from misaki.ports import Directory, IdentityStore, StartedLogin
from tests import factories

ISSUER = "https://login.example.org"
LOGIN = StartedLogin(
    "state",
    "handle",
    "company",
    "http://127.0.0.1:1/",
    factories.NOON + timedelta(minutes=10),
    "here",
)


async def test_login_under_way_is_taken_once(identities: IdentityStore) -> None:
    """Of several that finish the same login one gets it."""
    await identities.start_login(LOGIN, of_origin=9, in_all=9)

    taken = await asyncio.gather(*(identities.take_login("state") for _ in range(4)))

    assert [LOGIN] == [login for login in taken if login is not None]
    assert await identities.take_login("other") is None


async def test_logins_that_took_too_long_are_forgotten(identities: IdentityStore) -> None:
    """Nobody can fill the store by starting and never finishing."""
    later = replace(LOGIN, state_digest="later", expire_time=factories.NOON + timedelta(hours=1))
    for login in (LOGIN, later):
        await identities.start_login(login, of_origin=9, in_all=9)

    await identities.forget_logins(now=LOGIN.expire_time)

    assert await identities.take_login("state") is None
    assert later == await identities.take_login("later")


async def test_logins_of_an_origin_are_limited(identities: IdentityStore) -> None:
    """One too many is refused; elsewhere there is room, and a finished one makes some."""
    for number in range(2):
        await identities.start_login(
            replace(LOGIN, state_digest=f"s{number}"), of_origin=2, in_all=9
        )

    with pytest.raises(ResourceExhausted) as caught:
        await identities.start_login(LOGIN, of_origin=2, in_all=9)
    refused = await identities.take_login("state")
    elsewhere = replace(LOGIN, state_digest="s9", origin_digest="there")
    await identities.start_login(elsewhere, of_origin=2, in_all=9)
    await identities.take_login("s0")
    await identities.start_login(LOGIN, of_origin=2, in_all=9)

    assert "LIMIT_REACHED" == caught.value.reason
    assert refused is None
    assert [elsewhere, LOGIN] == [await identities.take_login(key) for key in ("s9", "state")]


async def test_logins_are_limited_in_all(identities: IdentityStore) -> None:
    """From however many places they are started, there is an end to it until some expire."""
    for number in range(3):
        login = replace(LOGIN, state_digest=f"s{number}", origin_digest=f"place {number}")
        await identities.start_login(login, of_origin=9, in_all=3)

    with pytest.raises(ResourceExhausted):
        await identities.start_login(LOGIN, of_origin=9, in_all=3)
    await identities.forget_logins(now=LOGIN.expire_time)
    await identities.start_login(LOGIN, of_origin=9, in_all=3)

    assert LOGIN == await identities.take_login("state")


async def test_account_belongs_to_its_user(directory: Directory, identities: IdentityStore) -> None:
    """Linking twice is one link; to another user, or to nobody, it is refused."""
    for user_id in ("alice", "bob"):
        await directory.create_user(factories.user(user_id), "hash")

    for _ in range(2):
        await identities.link_identity(ISSUER, "s1", "alice")
    with pytest.raises(AlreadyExists):
        await identities.link_identity(ISSUER, "s1", "bob")
    with pytest.raises(NotFound):
        await identities.link_identity(ISSUER, "s2", "nobody")

    assert "alice" == await identities.find_identity(ISSUER, "s1")
    assert await identities.find_identity(ISSUER, "s2") is None
    assert await identities.find_identity("https://elsewhere", "s1") is None


async def test_new_user_comes_with_the_account_or_not_at_all(
    directory: Directory, identities: IdentityStore
) -> None:
    """A name that is taken leaves no link, and a link that is there no second user."""
    await directory.create_user(factories.user("alice"), "hash")
    await identities.create_linked_user(factories.user("bob"), ISSUER, "s-bob")

    with pytest.raises(AlreadyExists):
        await identities.create_linked_user(factories.user("alice"), ISSUER, "s-alice")
    with pytest.raises(AlreadyExists):
        await identities.create_linked_user(factories.user("carol"), ISSUER, "s-bob")

    assert await identities.find_identity(ISSUER, "s-alice") is None
    assert await directory.find_credentials("carol") is None
    credentials = await directory.find_credentials("bob")
    assert credentials is not None
    assert "" == credentials.password_hash


async def test_accounts_go_with_their_user(directory: Directory, identities: IdentityStore) -> None:
    """A later user of the same id does not get the account of the earlier one."""
    await identities.create_linked_user(factories.user("bob"), ISSUER, "s-bob")

    await directory.delete_user("bob", etag="")

    assert await identities.find_identity(ISSUER, "s-bob") is None
