"""Turning credentials into tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from mesh.access import Role
from mesh.errors import FailedPrecondition, NotFound, Unauthenticated
from mesh.tokens import TokenVerifier
from misaki.crypto.keys import new_key
from misaki.crypto.tokens import JwtMint
from misaki.domain.model import UserChange
from misaki.domain.revocations import Revoker
from misaki.domain.sessions import SessionLimits, Sessions, Where
from misaki.domain.throttle import Throttle
from misaki.ports import NewId, no_revocations
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.contract.misaki.in_memory_logins import InMemoryAttemptStore
from tests.unit.misaki.conftest import PlainPasswords, SettableClock, mint_of, verifier_of

# Tests whose clock goes on begin earlier: the library knows the real time, and takes no
# token from the future.
AN_HOUR = timedelta(hours=1)
LIMITS = SessionLimits(
    idle=timedelta(hours=24), longest=timedelta(days=30), grace=timedelta(seconds=60)
)


@pytest.fixture
async def sessions(
    directory: InMemoryDirectory,
    passwords: PlainPasswords,
    throttle: Throttle,
    mint: JwtMint,
    revoker: Revoker,
    clock: SettableClock,
    new_id: NewId,
) -> Sessions:
    """Return the rules over a directory with Alice, who views the garden."""
    await directory.create_user(factories.user("alice"), "hash of open sesame")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice", Role.VIEWER), limit=9)
    return Sessions(
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


async def test_login_puts_roles_into_the_token(sessions: Sessions, verifier: TokenVerifier) -> None:
    """The access token says who, and which role where."""
    pair = await sessions.log_in("alice", "open sesame", Where())

    principal = await verifier.verify(pair.access.token)
    assert "users/alice" == principal.name
    assert {"garden": Role.VIEWER} == principal.project_roles
    assert not principal.admin


async def test_admins_token_says_so(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """The token of an admin makes its bearer an admin."""
    await directory.create_user(factories.user("root", admin=True), "hash of open sesame")

    pair = await sessions.log_in("root", "open sesame", Where())

    assert (await verifier.verify(pair.access.token)).admin


async def test_unknown_user_and_wrong_password_look_the_same(
    sessions: Sessions, passwords: PlainPasswords
) -> None:
    """Both errors are equal, and both cost one comparison of passwords."""
    errors: list[Unauthenticated] = []
    for user_id in ("alice", "nobody", "not an id\x00"):
        with pytest.raises(Unauthenticated) as caught:
            await sessions.log_in(user_id, "wrong", Where())
        errors.append(caught.value)

    message = "user and password do not fit together"
    expected: tuple[str, str, dict[str, str]] = ("CREDENTIALS_INVALID", message, {})
    assert [expected] * 3 == [(e.reason, e.message, e.metadata) for e in errors]
    compared = [("wrong", "hash of open sesame"), ("wrong", None), ("wrong", None)]
    assert compared == passwords.compared


async def test_renewal_reads_roles_again(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """A renewed token carries the roles of now, not those of the login."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    await directory.delete_member("garden", "alice")

    renewed = await sessions.renew(pair.refresh.token)

    assert {} == (await verifier.verify(renewed.access.token)).project_roles


async def test_renewal_is_refused_to_a_deleted_user(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """The refresh token of a deleted user is worth nothing."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    await directory.delete_user("alice", etag="")

    with pytest.raises(Unauthenticated) as caught:
        await sessions.renew(pair.refresh.token)

    assert "TOKEN_INVALID" == caught.value.reason


async def test_renewal_is_refused_to_a_namesake(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """A refresh token of an earlier user of the same id does not log the new one in."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    await directory.delete_user("alice", etag="")
    await directory.create_user(factories.user("alice"), "hash")

    with pytest.raises(Unauthenticated):
        await sessions.renew(pair.refresh.token)


async def test_access_token_renews_nothing(sessions: Sessions) -> None:
    """An access token is no refresh token."""
    pair = await sessions.log_in("alice", "open sesame", Where())

    with pytest.raises(Unauthenticated) as caught:
        await sessions.renew(pair.access.token)

    assert {"problem": "not of the type refresh"} == caught.value.metadata


async def test_disabled_user_looks_like_a_wrong_password(
    sessions: Sessions, directory: InMemoryDirectory, passwords: PlainPasswords
) -> None:
    """Who is disabled gets the error of a wrong password, after the same comparison."""
    await directory.create_user(factories.user("bob", disabled=True), "hash of open sesame")

    with pytest.raises(Unauthenticated) as caught:
        await sessions.log_in("bob", "open sesame", Where())

    assert "CREDENTIALS_INVALID" == caught.value.reason
    assert [("open sesame", "hash of open sesame")] == passwords.compared


class SlowPasswords(PlainPasswords):
    """Passwords during whose comparison something else happens."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Compare, after the other thing."""
        await self._meanwhile()
        return await super().matches(password, password_hash)


@pytest.mark.parametrize(
    "change", ["password", "disabled", "disabled for a moment", "another alice"]
)
async def test_login_ends_with_a_change_that_came_in_between(
    directory: InMemoryDirectory,
    throttle: Throttle,
    mint: JwtMint,
    revoker: Revoker,
    clock: SettableClock,
    new_id: NewId,
    change: str,
) -> None:
    """Who proves to know a password is not logged in when that proves nothing any more."""

    async def meanwhile() -> None:
        if change == "password":
            await directory.set_password(
                "alice", "hash of close sesame", revocations_of=no_revocations
            )
        elif change.startswith("disabled"):
            await directory.update_user("alice", UserChange(disabled=True), etag="", new_etag="e2")
            if change == "disabled for a moment":
                enabled = UserChange(disabled=False)
                await directory.update_user("alice", enabled, etag="", new_etag="e3")
        else:
            await directory.delete_user("alice", etag="")
            later = replace(factories.user("alice"), uid="later")
            await directory.create_user(later, "hash of open sesame")

    await directory.create_user(factories.user("alice"), "hash of open sesame")
    sessions = Sessions(
        directory,
        directory.sessions,
        SlowPasswords(meanwhile),
        throttle,
        mint,
        revoker,
        limits=LIMITS,
        clock=clock,
        new_id=new_id,
    )

    with pytest.raises(Unauthenticated) as caught:
        await sessions.log_in("alice", "open sesame", Where())

    assert "CREDENTIALS_INVALID" == caught.value.reason
    assert [] == await directory.sessions.list_sessions("alice", after="", limit=9)


class StrongerPasswords(PlainPasswords):
    """Passwords whose hashes say how strong they are, and what happens while one is made."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        super().__init__()
        self._meanwhile = meanwhile
        self.hashed: list[str] = []

    def is_outdated(self, password_hash: str) -> bool:
        """Find all others too old."""
        return not password_hash.startswith("strong ")

    async def hash(self, password: str) -> str:
        """Return a stronger hash, and remember for what."""
        self.hashed.append(password)
        if self._meanwhile is not None:
            await self._meanwhile()
        return f"strong hash of {password}"

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Compare with hashes of any strength."""
        return await super().matches(password, (password_hash or "").removeprefix("strong "))


def with_passwords(sessions: Sessions, passwords: PlainPasswords) -> Sessions:
    """Return the same rules with other passwords."""
    changed = copy(sessions)
    changed._passwords = passwords
    return changed


async def test_login_makes_a_hash_of_former_settings_anew(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """Once, and nobody notices: the user, other logins and their tokens stay as they are."""
    before = await sessions.log_in("alice", "open sesame", Where())
    passwords = StrongerPasswords()
    stronger = with_passwords(sessions, passwords)

    for _ in range(2):
        await stronger.log_in("alice", "open sesame", Where())
    renewed = await stronger.renew(before.refresh.token)

    expected = factories.credentials("alice", "strong hash of open sesame")
    assert expected == await directory.find_credentials("alice")
    assert ["open sesame"] == passwords.hashed
    assert before.session.session_id == renewed.session.session_id
    assert [] == directory.access.recorded


async def test_wrong_password_makes_no_hash(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """What is typed wrong is not hashed, so that it neither counts nor takes longer."""
    passwords = StrongerPasswords()

    with pytest.raises(Unauthenticated):
        await with_passwords(sessions, passwords).log_in("alice", "wrong", Where())

    kept = factories.credentials("alice", "hash of open sesame")
    assert [] == passwords.hashed
    assert kept == await directory.find_credentials("alice")


async def test_logins_at_the_same_time_all_succeed_with_one_new_hash(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """Who comes second finds the hash replaced, and is logged in all the same."""

    async def meanwhile() -> None:
        replaced = await directory.replace_hash(
            "alice", before="hash of open sesame", after="strong hash of the other login"
        )
        assert replaced

    slow = with_passwords(sessions, StrongerPasswords(meanwhile))

    pair = await slow.log_in("alice", "open sesame", Where())

    expected = factories.credentials("alice", "strong hash of the other login")
    assert expected == await directory.find_credentials("alice")
    assert await directory.sessions.find_session(pair.session.session_id) is not None


async def test_new_password_is_not_overwritten_by_a_hash_of_the_old_one(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """A password that is changed while the old one is hashed anew counts, and the login ends."""

    async def meanwhile() -> None:
        await directory.set_password("alice", "hash of close sesame", revocations_of=no_revocations)

    slow = with_passwords(sessions, StrongerPasswords(meanwhile))

    with pytest.raises(Unauthenticated):
        await slow.log_in("alice", "open sesame", Where())

    expected = factories.credentials("alice", "hash of close sesame", epoch=1)
    assert expected == await directory.find_credentials("alice")


async def test_each_renewal_makes_the_next_refresh_token(
    sessions: Sessions, clock: SettableClock
) -> None:
    """A chain of renewals goes on, one token after the other, in the same session."""
    clock.now -= AN_HOUR
    pair = await sessions.log_in("alice", "open sesame", Where())

    pairs = [pair]
    for _ in range(3):
        clock.now += timedelta(minutes=10)
        pairs.append(await sessions.renew(pairs[-1].refresh.token))

    assert [1, 2, 3, 4] == [p.session.generation for p in pairs]
    assert {pair.session.session_id} == {p.session.session_id for p in pairs}


async def test_replaced_token_gets_its_successor_again_for_a_moment(
    sessions: Sessions, mint: JwtMint, clock: SettableClock
) -> None:
    """Two processes that renew the same token end up with the same next one."""
    clock.now -= AN_HOUR
    pair = await sessions.log_in("alice", "open sesame", Where())
    first = await sessions.renew(pair.refresh.token)
    clock.now += LIMITS.grace

    second = await sessions.renew(pair.refresh.token)

    assert await mint.read_refresh(first.refresh.token) == await mint.read_refresh(
        second.refresh.token
    )
    third = await sessions.renew(second.refresh.token)
    assert 3 == third.session.generation


async def test_reuse_ends_the_session_for_everybody(
    sessions: Sessions, directory: InMemoryDirectory, clock: SettableClock
) -> None:
    """A token used again after the grace is refused, and so is its successor from then on."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    stolen = await sessions.renew(pair.refresh.token)
    clock.now += LIMITS.grace + timedelta(seconds=1)

    with pytest.raises(Unauthenticated) as caught:
        await sessions.renew(pair.refresh.token)
    with pytest.raises(Unauthenticated) as after:
        await sessions.renew(stolen.refresh.token)

    assert "TOKEN_REVOKED" == caught.value.reason
    assert {"problem": "session ended"} == after.value.metadata
    subjects = [revocation.subject for revocation in directory.access.recorded]
    assert [f"sessions/{pair.session.session_id}"] == subjects


async def test_token_of_two_renewals_ago_ends_the_session_at_once(sessions: Sessions) -> None:
    """The grace is for the last replaced token only."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    await sessions.renew((await sessions.renew(pair.refresh.token)).refresh.token)

    with pytest.raises(Unauthenticated) as caught:
        await sessions.renew(pair.refresh.token)

    assert "TOKEN_REVOKED" == caught.value.reason


async def test_renewals_at_the_same_time_agree(sessions: Sessions) -> None:
    """Of many renewals of one token at once all get the same successor."""
    pair = await sessions.log_in("alice", "open sesame", Where())

    pairs = await asyncio.gather(*(sessions.renew(pair.refresh.token) for _ in range(8)))

    assert {2} == {p.session.generation for p in pairs}


async def test_session_ends_however_often_it_is_renewed(
    sessions: Sessions, clock: SettableClock
) -> None:
    """No refresh token lasts beyond the longest life of a session."""
    start = clock.now
    pair = await sessions.log_in("alice", "open sesame", Where())

    # The end of a token is checked with the real clock; here only its date is looked at.
    clock.now = start + LIMITS.longest - timedelta(hours=1)
    renewed = await sessions.renew(pair.refresh.token)

    assert start + LIMITS.longest == renewed.session.expire_time


async def test_narrowed_token_speaks_of_one_project(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """A login for one project has the role there, and knows of no other."""
    await directory.create_project(factories.project("kitchen"))
    await directory.create_member(factories.member("kitchen", "alice"), limit=9)

    pair = await sessions.log_in("alice", "open sesame", Where(project_id="garden"))

    principal = await verifier.verify(pair.access.token)
    assert {"garden": Role.VIEWER} == principal.project_roles


async def test_narrowed_admin_is_a_project_admin(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """An admin who works in one project is none beyond it."""
    await directory.create_user(factories.user("root", admin=True), "hash of open sesame")

    pair = await sessions.log_in("root", "open sesame", Where(project_id="garden"))

    principal = await verifier.verify(pair.access.token)
    assert not principal.admin
    assert {"garden": Role.PROJECT_ADMIN} == principal.project_roles


@pytest.mark.parametrize("project_id", ["kitchen", "nowhere"])
async def test_narrowing_to_a_foreign_project_is_refused(
    sessions: Sessions, directory: InMemoryDirectory, project_id: str
) -> None:
    """A project without a role, and one that is not there, are the same."""
    await directory.create_project(factories.project("kitchen"))

    with pytest.raises(NotFound) as caught:
        await sessions.log_in("alice", "open sesame", Where(project_id=project_id))

    assert {"resource": f"projects/{project_id}"} == caught.value.metadata


async def test_renewal_switches_the_project_and_keeps_it(
    sessions: Sessions, verifier: TokenVerifier
) -> None:
    """A session narrowed by a renewal stays so, until another renewal widens it."""
    pair = await sessions.log_in("alice", "open sesame", Where())

    narrowed = await sessions.renew(pair.refresh.token, project_id="garden")
    kept = await sessions.renew(narrowed.refresh.token)
    widened = await sessions.renew(kept.refresh.token, project_id="")

    projects = [p.session.project_id for p in (pair, narrowed, kept, widened)]
    assert ["", "garden", "garden", ""] == projects


async def test_failed_switch_uses_no_token_up(sessions: Sessions) -> None:
    """Who cannot enter a project may go on with the refresh token."""
    pair = await sessions.log_in("alice", "open sesame", Where())

    with pytest.raises(NotFound):
        await sessions.renew(pair.refresh.token, project_id="nowhere")

    assert 2 == (await sessions.renew(pair.refresh.token)).session.generation


async def test_logout_ends_the_session(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """After it the refresh token is worth nothing, and access tokens are taken back."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    caller = factories.caller(await verifier.verify(pair.access.token), any_principal=True)

    await sessions.log_out(caller)

    with pytest.raises(Unauthenticated):
        await sessions.renew(pair.refresh.token)
    subjects = [revocation.subject for revocation in directory.access.recorded]
    assert [f"sessions/{pair.session.session_id}"] == subjects


async def test_logout_of_a_login_that_is_gone_ends_its_tokens_all_the_same(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """Who has so many logins that the oldest are gone still logs out of them."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    caller = factories.caller(await verifier.verify(pair.access.token), any_principal=True)
    directory.sessions.drop(lambda session: True)

    await sessions.log_out(caller)

    subjects = [revocation.subject for revocation in directory.access.recorded]
    assert [f"sessions/{pair.session.session_id}"] == subjects


async def test_logout_without_a_session_is_refused(sessions: Sessions) -> None:
    """The token of a service belongs to no login."""
    caller = factories.caller(factories.principal("services/kyouko"), any_principal=True)

    with pytest.raises(FailedPrecondition) as caught:
        await sessions.log_out(caller)

    assert "NO_SESSION" == caught.value.metadata["state"]


async def test_revoked_refresh_token_takes_its_session_along(sessions: Sessions) -> None:
    """RFC 7009: the grant ends with its refresh token."""
    pair = await sessions.log_in("alice", "open sesame", Where())

    await sessions.revoke(pair.refresh.token)

    with pytest.raises(Unauthenticated):
        await sessions.renew(pair.refresh.token)


async def test_revoked_access_token_goes_alone(
    sessions: Sessions, directory: InMemoryDirectory, verifier: TokenVerifier
) -> None:
    """An access token is taken back by its id; the login goes on."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    token_id = (await verifier.verify(pair.access.token)).token_id

    await sessions.revoke(pair.access.token)
    await sessions.renew(pair.refresh.token)

    assert [f"tokens/{token_id}"] == [r.subject for r in directory.access.recorded]


async def test_revoking_again_writes_nothing(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """Whoever repeats it for ever fills nothing: the first time is enough."""
    pair = await sessions.log_in("alice", "open sesame", Where())
    other = await sessions.renew(pair.refresh.token)

    for token in (pair.access, other.refresh, other.access):
        for _ in range(3):
            await sessions.revoke(token.token)

    kinds = [revocation.subject.partition("/")[0] for revocation in directory.access.recorded]
    assert ["tokens", "sessions"] == kinds


async def test_revoking_nonsense_is_no_error(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """A token that is good for nothing is as good as taken back."""
    await sessions.revoke("nonsense")

    assert [] == directory.access.recorded


async def test_sessions_of_others_are_for_admins(
    sessions: Sessions, directory: InMemoryDirectory
) -> None:
    """One sees and ends one's own logins; an admin those of all; others find nothing."""
    await directory.create_user(factories.user("bob"), "hash")
    pair = await sessions.log_in("alice", "open sesame", Where(origin="203.0.113.7"))
    alice, bob, root = (
        factories.caller(
            factories.principal(f"users/{who}", admin=who == "root"), any_principal=True
        )
        for who in ("alice", "bob", "root")
    )
    session_id = pair.session.session_id

    own = await sessions.list(alice, "me", after="", limit=9)
    seen = await sessions.list(root, "alice", after="", limit=9)
    with pytest.raises(NotFound):
        await sessions.list(bob, "alice", after="", limit=9)
    with pytest.raises(NotFound):
        await sessions.delete(bob, "alice", session_id)
    with pytest.raises(NotFound):
        await sessions.delete(bob, "bob", session_id)
    await sessions.delete(alice, "alice", session_id)

    assert [pair.session] == own == seen
    assert [] == await sessions.list(alice, "me", after="", limit=9)


class SessionLife(RuleBasedStateMachine):
    """Any use of one login's refresh tokens, against the rule in two sentences.

    The last token is good; the one before it gets the last again within the grace. Any
    other use ends the session for good.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = SettableClock(datetime.now(UTC) - AN_HOUR)
        key = new_key()
        directory = InMemoryDirectory()
        numbers = count(1)
        mint = mint_of(
            key, verifier_of(key), clock=self.clock, new_id=lambda: f"id-{next(numbers)}"
        )
        revoker = Revoker(directory.access, clock=self.clock, longest_token=timedelta(minutes=15))
        passwords = PlainPasswords()
        throttle = Throttle(InMemoryAttemptStore(), str, clock=self.clock)
        self.sessions = Sessions(
            directory,
            directory.sessions,
            passwords,
            throttle,
            mint,
            revoker,
            limits=LIMITS,
            clock=self.clock,
            new_id=lambda: f"id-{next(numbers)}",
        )
        asyncio.run(directory.create_user(factories.user("alice"), "hash of open sesame"))
        pair = asyncio.run(self.sessions.log_in("alice", "open sesame", Where()))
        self.tokens = [pair.refresh.token]
        self.renewed_at = self.clock.now
        self.ended = False

    @rule(back=st.integers(0, 3))
    def renew(self, back: int) -> None:
        """Use the last token, or an earlier one."""
        index = max(0, len(self.tokens) - 1 - back)
        steps_back = len(self.tokens) - 1 - index
        late = self.clock.now - self.renewed_at > LIMITS.grace
        good = not self.ended and (steps_back == 0 or (steps_back == 1 and not late))
        if not good:
            with pytest.raises(Unauthenticated) as caught:
                asyncio.run(self.sessions.renew(self.tokens[index]))
            assert ("TOKEN_INVALID" if self.ended else "TOKEN_REVOKED") == caught.value.reason
            self.ended = True
            return
        pair = asyncio.run(self.sessions.renew(self.tokens[index]))
        if steps_back == 0:
            self.tokens.append(pair.refresh.token)
            self.renewed_at = self.clock.now
        assert len(self.tokens) == pair.session.generation

    @rule(seconds=st.integers(1, 100))
    def wait(self, seconds: int) -> None:
        """Let time pass, less than a token lasts in all."""
        self.clock.now += timedelta(seconds=seconds)


TestSessionLife = SessionLife.TestCase
TestSessionLife.settings = settings(max_examples=40, stateful_step_count=12)
