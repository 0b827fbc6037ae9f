"""Tokens are renewed in time, once, and kept secret."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from hanami_sdk.errors import Unauthenticated
from hanami_sdk.sessions import RENEW_BEFORE_SECONDS, Session, Tokens

NOW = 1_000_000.0


class Mint:
    """Gives out numbered tokens that live for 15 minutes, and counts requests."""

    def __init__(self) -> None:
        self.now = NOW
        self.issued = 0
        self.logins: list[tuple[str, str]] = []
        self.refreshes: list[str] = []
        self.projects: list[str] = []
        self.refuses_refresh = False

    async def login(self, user: str, password: str) -> Tokens:
        """Issue a pair for a password."""
        await asyncio.sleep(0)
        self.logins.append((user, password))
        return self._issue()

    async def refresh(self, tokens: Tokens, project: str) -> Tokens:
        """Issue a pair for a refresh token."""
        await asyncio.sleep(0)
        self.refreshes.append(tokens.refresh)
        self.projects.append(project)
        if self.refuses_refresh:
            raise Unauthenticated("The refresh token has ended.")
        return self._issue()

    def session(self) -> Session:
        """Return a session that gets its tokens here."""
        return Session(refresh=self.refresh, clock=lambda: self.now)

    def _issue(self) -> Tokens:
        self.issued += 1
        return Tokens(
            access=f"access-{self.issued}",
            access_expires=self.now + 900,
            refresh=f"refresh-{self.issued}",
            refresh_expires=self.now + 86_400,
            user="users/alice",
        )


async def test_without_a_login_there_is_no_token() -> None:
    """A client may call public methods as nobody."""
    session = Mint().session()

    assert await session.access_token() is None
    assert session.seconds_until_renewal() is None


async def test_the_password_is_used_with_the_first_call() -> None:
    """Login is lazy, and happens once."""
    mint = Mint()
    session = mint.session()
    session.use_login(lambda: mint.login("alice", "secret"))

    tokens = [await session.access_token() for _ in range(3)]

    assert tokens == ["access-1"] * 3
    assert mint.logins == [("alice", "secret")]


async def test_a_token_is_renewed_before_it_ends() -> None:
    """A call on its way does not arrive with an ended token."""
    mint = Mint()
    session = mint.session()
    await session.keep(mint.login("alice", "secret"))
    mint.now += 900 - RENEW_BEFORE_SECONDS

    token = await session.access_token()

    assert token == "access-2"
    assert mint.refreshes == ["refresh-1"]


async def test_a_long_call_gets_a_token_that_lasts() -> None:
    """One with little life left is renewed before it; one that lasts longer than it is not."""
    mint = Mint()
    session = mint.session()
    session.use_tokens(await mint.login("alice", "secret"))
    mint.now += 500

    kept = await session.access_token(good_for=300)
    renewed = await session.access_token(good_for=500)
    best = await session.access_token(good_for=5000)

    assert ["access-1", "access-2", "access-3"] == [kept, renewed, best]


async def test_many_calls_share_one_renewal() -> None:
    """Calls at the same time do not each renew."""
    mint = Mint()
    session = mint.session()
    await session.keep(mint.login("alice", "secret"))
    mint.now += 890

    tokens = await asyncio.gather(*(session.access_token() for _ in range(20)))

    assert set(tokens) == {"access-2"}
    assert mint.refreshes == ["refresh-1"]


async def test_an_ended_refresh_token_needs_the_password() -> None:
    """After a long pause the password logs in anew."""
    mint = Mint()
    session = mint.session()
    session.use_login(lambda: mint.login("alice", "secret"))
    await session.access_token()
    mint.now += 90_000

    assert await session.access_token() == "access-2"
    assert len(mint.logins) == 2
    assert mint.refreshes == []


async def test_a_refused_refresh_falls_back_to_the_password() -> None:
    """A mesh with new keys is no reason to give up."""
    mint = Mint()
    session = mint.session()
    session.use_login(lambda: mint.login("alice", "secret"))
    await session.access_token()
    mint.now += 890
    mint.refuses_refresh = True

    assert await session.access_token() == "access-2"
    assert len(mint.logins) == 2


async def test_without_a_password_an_ended_login_is_an_error() -> None:
    """The user is told to log in again."""
    mint = Mint()
    session = mint.session()
    await session.keep(mint.login("alice", "secret"))
    mint.now += 90_000

    with pytest.raises(Unauthenticated, match="log in again"):
        await session.access_token()


async def test_a_refused_token_is_replaced_once() -> None:
    """Two calls with the same refused token cause one renewal."""
    mint = Mint()
    session = mint.session()
    await session.keep(mint.login("alice", "secret"))

    replaced = [await session.replace("access-1"), await session.replace("access-1")]

    assert replaced == [True, True]
    assert mint.refreshes == ["refresh-1"]


async def test_new_tokens_are_handed_to_the_application() -> None:
    """A command keeps them for its next call."""
    mint = Mint()
    kept: list[Tokens] = []
    session = Session(refresh=mint.refresh, on_tokens=kept.append)

    await session.keep(mint.login("alice", "secret"))

    assert [tokens.access for tokens in kept] == ["access-1"]


async def test_tokens_do_not_show_in_logs() -> None:
    """A repr names the user, never a token."""
    tokens = await Mint().login("alice", "secret")

    text = repr(replace(tokens, access="s3cret", refresh="s3cret"))

    assert "s3cret" not in text
    assert "users/alice" in text


class Drawer:
    """Tokens that several sessions share, without a file; counts who waits."""

    def __init__(self) -> None:
        self.kept: Tokens | None = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One at a time."""
        async with self._lock:
            yield

    def load(self) -> Tokens | None:
        """Return what is kept."""
        return self.kept


async def test_sessions_that_share_a_login_use_each_refresh_token_once() -> None:
    """Whoever comes second takes what the first one has got; nobody is taken for a thief."""
    mint, drawer = Mint(), Drawer()
    first = await mint.login("alice", "secret")
    drawer.kept = first
    sessions = []
    for _ in range(3):
        session = Session(
            refresh=mint.refresh,
            on_tokens=lambda fresh: setattr(drawer, "kept", fresh),
            clock=lambda: mint.now,
        )
        session.use_tokens(first)
        session.share_tokens(drawer)
        sessions.append(session)
    mint.now += 900 - RENEW_BEFORE_SECONDS

    tokens = await asyncio.gather(*(session.access_token() for session in sessions))

    assert tokens == ["access-2"] * 3
    assert mint.refreshes == ["refresh-1"]


async def test_a_token_kept_by_another_process_that_ends_too_is_renewed() -> None:
    """What another process left long ago is where the renewal goes on."""
    mint, drawer = Mint(), Drawer()
    first = await mint.login("alice", "secret")
    drawer.kept = await mint.login("alice", "secret")
    session = mint.session()
    session.use_tokens(first)
    session.share_tokens(drawer)
    mint.now += 900 - RENEW_BEFORE_SECONDS

    token = await session.access_token()

    assert token == "access-3"
    assert mint.refreshes == ["refresh-2"]


async def test_the_login_of_another_user_is_not_taken_over() -> None:
    """Somebody else logged in there meanwhile: this session stays who it is."""
    mint, drawer = Mint(), Drawer()
    first = await mint.login("alice", "secret")
    drawer.kept = replace(await mint.login("bob", "secret"), user="users/bob")
    session = mint.session()
    session.use_tokens(first)
    session.share_tokens(drawer)
    mint.now += 900 - RENEW_BEFORE_SECONDS

    await session.access_token()

    assert mint.refreshes == ["refresh-1"]


async def test_a_switch_renews_for_a_project() -> None:
    """It takes the refresh token, and later renewals say no project again."""
    mint = Mint()
    session = mint.session()
    session.use_login(lambda: mint.login("alice", "secret"))

    switched = await session.switch("projects/p1")
    mint.now += 900
    await session.access_token()

    assert ["projects/p1", ""] == mint.projects
    assert "access-2" == switched.access
    with pytest.raises(Unauthenticated):
        await Mint().session().switch("projects/p1")


async def test_a_shared_login_is_switched_for_all() -> None:
    """What another process has renewed is what is switched."""
    mint, drawer = Mint(), Drawer()
    first = await mint.login("alice", "secret")
    drawer.kept = await mint.login("alice", "secret")
    session = mint.session()
    session.use_tokens(first)
    session.share_tokens(drawer)

    await session.switch("projects/p1")

    assert ["refresh-2"] == mint.refreshes


async def test_somebody_elses_login_is_not_taken_over() -> None:
    """A login of the application parts from the one that is kept for all."""
    mint, drawer = Mint(), Drawer()
    alice = await mint.login("alice", "secret")
    bob = replace(await mint.login("bob", "secret"), user="users/bob")
    session = mint.session()
    session.use_tokens(alice)
    session.share_tokens(drawer)
    session.use_login(lambda: mint.login("alice", "secret"))

    async def as_bob() -> Tokens:
        return bob

    await session.keep(as_bob())
    drawer.kept = replace(bob, access="of another process")
    mint.now += 900
    await session.access_token()

    assert [bob.refresh] == mint.refreshes
    mint.refuses_refresh = True
    mint.now += 900
    with pytest.raises(Unauthenticated):
        await session.access_token()


async def test_who_logs_out_is_nobody() -> None:
    """No password and no file brings the login back."""
    mint = Mint()
    session = mint.session()
    session.use_login(lambda: mint.login("alice", "secret"))
    await session.access_token()

    session.forget()

    assert (None, None) == (session.tokens, await session.access_token())
