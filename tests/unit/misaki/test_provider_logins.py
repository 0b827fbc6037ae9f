"""The rules of logins with other providers; the wire is tested with a real one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import FailedPrecondition, InvalidArgument, ResourceExhausted, Unauthenticated
from misaki.crypto.digests import Digests
from misaki.crypto.tokens import JwtMint
from misaki.domain.provider_logins import (
    LASTS,
    UNDER_WAY_OF_AN_ORIGIN,
    NewPeople,
    Provider,
    ProviderLogins,
)
from misaki.domain.revocations import Revoker
from misaki.domain.sessions import Sessions, Where
from misaki.domain.throttle import Throttle
from misaki.ports import Identity, NewId, no_revocations
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import PlainPasswords, SettableClock
from tests.unit.misaki.test_sessions import LIMITS

LOOPBACK = "http://127.0.0.1:4711/callback"
COMPANY = Provider("company", "The company", "https://login.example.org", "hanami")


class OneAccount:
    """A provider of one account; says yes when all values fit those of the URL before."""

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self.claims = claims
        self.asked: dict[str, str] = {}

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str
    ) -> str:
        """Note the values."""
        self.asked = {"redirect_uri": redirect_uri, "nonce": nonce, "verifier": verifier}
        return f"https://login.example.org/authorize?state={state}"

    async def redeem(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Identity:
        """Compare the values."""
        given = {"redirect_uri": redirect_uri, "nonce": nonce, "verifier": verifier}
        if (code, given) != ("the code", self.asked):
            raise Unauthenticated("no", reason="CREDENTIALS_INVALID")
        return Identity("https://login.example.org", "s1", self.claims)


@pytest.fixture
def account() -> OneAccount:
    """Return the account of Alice."""
    return OneAccount({"preferred_username": "Alice"})


def _logins(
    account: OneAccount, sessions: Sessions, directory: InMemoryDirectory, clock: SettableClock
) -> ProviderLogins:
    numbers = count(1)
    return ProviderLogins(
        {"company": (COMPANY, account)},
        directory.identities,
        directory,
        sessions,
        Digests(b"k" * 32),
        clock=clock,
        new_id=lambda: f"uid-{next(numbers)}",
        new_secret=lambda: f"secret-{next(numbers)}",
    )


@pytest.fixture
def logins(
    account: OneAccount,
    directory: InMemoryDirectory,
    passwords: PlainPasswords,
    throttle: Throttle,
    mint: JwtMint,
    revoker: Revoker,
    clock: SettableClock,
    new_id: NewId,
) -> ProviderLogins:
    """Return the rules over an empty directory."""
    sessions = Sessions(
        directory,
        directory.sessions,
        passwords,
        throttle,
        mint,
        revoker,
        limits=LIMITS,
        clock=clock,
        new_id=new_id,
    )
    return _logins(account, sessions, directory, clock)


async def _log_in(logins: ProviderLogins, code: str = "the code") -> str:
    started = await logins.start("company", LOOPBACK, origin="")
    state = started.authorization_url.partition("state=")[2]
    pair = await logins.finish(state=state, code=code, handle=started.handle, where=Where())
    return pair.user.user_id


async def test_same_values_come_back_with_the_code(logins: ProviderLogins) -> None:
    """Verifier and nonce are derived again; the user gets the claimed name in lower case."""
    assert "alice" == await _log_in(logins)
    assert "alice" == await _log_in(logins)


async def test_wrong_code_makes_no_user(
    logins: ProviderLogins, directory: InMemoryDirectory
) -> None:
    """What the provider refuses leaves nothing behind."""
    with pytest.raises(Unauthenticated):
        await _log_in(logins, "another code")

    assert await directory.find_credentials("alice") is None


async def test_login_ends_with_a_new_password_that_came_in_between(
    logins: ProviderLogins, directory: InMemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admin who gives somebody a new password ends the logins under way, too."""
    await _log_in(logins)
    forget_sessions = directory.sessions.forget_sessions

    async def reset_first(*, now: datetime) -> None:
        await directory.set_password("alice", "hash of close sesame", revocations_of=no_revocations)
        await forget_sessions(now=now)

    monkeypatch.setattr(directory.sessions, "forget_sessions", reset_first)

    with pytest.raises(Unauthenticated) as caught:
        await _log_in(logins)

    assert "CREDENTIALS_INVALID" == caught.value.reason
    assert [] == await directory.sessions.list_sessions("alice", after="", limit=9)


async def test_starting_on_and_on_comes_to_an_end(
    logins: ProviderLogins, clock: SettableClock
) -> None:
    """From one place so many are under way at most; elsewhere, and later, they are started."""
    for _ in range(UNDER_WAY_OF_AN_ORIGIN):
        await logins.start("company", LOOPBACK, origin="203.0.113.7")

    with pytest.raises(ResourceExhausted) as caught:
        await logins.start("company", LOOPBACK, origin="203.0.113.7")
    elsewhere = await logins.start("company", LOOPBACK, origin="203.0.113.8")
    clock.now += LASTS
    later = await logins.start("company", LOOPBACK, origin="203.0.113.7")

    assert "LIMIT_REACHED" == caught.value.reason
    assert timedelta() < later.expire_time - elsewhere.expire_time


async def test_slow_login_is_over(logins: ProviderLogins, clock: SettableClock) -> None:
    """After ten minutes it has to be started again."""
    started = await logins.start("company", LOOPBACK, origin="")
    state = started.authorization_url.partition("state=")[2]
    clock.now += LASTS + timedelta(seconds=1)

    with pytest.raises(Unauthenticated):
        await logins.finish(state=state, code="the code", handle=started.handle, where=Where())


async def test_store_keeps_no_secret(logins: ProviderLogins, directory: InMemoryDirectory) -> None:
    """State and handle are kept as digests, verifier and nonce not at all."""
    started = await logins.start("company", LOOPBACK, origin="")

    kept = repr(vars(directory.identities))
    state = started.authorization_url.partition("state=")[2]
    assert started.handle not in kept
    assert state not in kept
    assert started.handle not in repr(started)


@pytest.mark.parametrize(
    "claims",
    [{}, {"preferred_username": 7}, {"preferred_username": "no id!"}, {"preferred_username": "me"}],
)
async def test_account_without_a_usable_name_is_refused(
    logins: ProviderLogins, account: OneAccount, claims: dict[str, Any]
) -> None:
    """A claim that is no id of a user makes none."""
    account.claims = claims

    with pytest.raises(FailedPrecondition) as caught:
        await _log_in(logins)

    assert "NO_USER_ID" == caught.value.metadata["state"]


async def test_created_user_takes_no_name_away(
    logins: ProviderLogins, directory: InMemoryDirectory
) -> None:
    """An account that claims the name of a user with a password stays outside."""
    await directory.create_user(factories.user("alice"), "hash")

    with pytest.raises(FailedPrecondition) as caught:
        await _log_in(logins)

    assert "USER_EXISTS" == caught.value.metadata["state"]
    assert await directory.identities.find_identity("https://login.example.org", "s1") is None


@pytest.mark.parametrize("uri", [LOOPBACK, "http://[::1]:9/x", "http://localhost/", "https://ok/"])
def test_allowed_addresses(uri: str) -> None:
    """Loopback on any port, and what the file lists, exactly."""
    provider = Provider(
        "company", "", "https://i", "c", redirect_uris=("https://ok/",), new_people=NewPeople.CREATE
    )

    provider.check_redirect_uri(uri)


HOSTILE = [
    "http://evil.example\\@127.0.0.1/cb",
    "http://x@localhost/",
    "http://x:y@127.0.0.1:80/",
    "http://127.0.0.1\\.evil.example/",
    "http://127.0.0.1.evil.example/",
    "http://localhost.evil.example/",
    "http://localhost:80:80/",
    "http://localhost:1234567/",
    "http://localhost:\u0661/",
    "http://localhost/#fragment",
    "http://localhost/?query",
    "http://localhost/a\nb",
    "http://localhost/\n",
    "http://localhost/a b",
    "http://localhost/%0a",
    "http://127.0.0.2/",
    "http://[::1/",
    "https://localhost/",
    "HTTP://localhost/",
]


@pytest.mark.parametrize("uri", HOSTILE)
def test_hostile_addresses_are_refused(uri: str) -> None:
    """What some take for a loopback address, and others for another one, is none."""
    with pytest.raises(InvalidArgument) as caught:
        COMPANY.check_redirect_uri(uri)

    assert {"field": "redirect_uri"}.items() <= caught.value.metadata.items()


@pytest.mark.parametrize(
    "uri",
    [
        "https://x@ok.example/",
        "https://ok.example\\@evil.example/",
        "https://ok.example/#fragment",
        "https://ok.example/\t",
        "https://[ok.example/",
    ],
)
def test_hostile_addresses_are_refused_where_a_file_lists_them(uri: str) -> None:
    """Nobody who sets an installation up means such an address."""
    provider = replace(COMPANY, redirect_uris=(uri,))

    with pytest.raises(InvalidArgument):
        provider.check_redirect_uri(uri)


@given(uri=st.text(max_size=40) | st.from_regex(r"https?://[a-z0-9.:@/\\[\\]-]{0,30}"))
def test_other_addresses_are_refused(uri: str) -> None:
    """Whatever is not a loopback address over HTTP is refused, and nothing breaks it."""
    refused = False
    try:
        COMPANY.check_redirect_uri(uri)
    except InvalidArgument:
        refused = True

    loopback = uri.lower().startswith("http://")
    assert refused or loopback
