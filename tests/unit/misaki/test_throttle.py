"""Guessing gets slow, and nobody else has to wait for the guesser."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import ResourceExhausted
from misaki.domain.attempts import FORGOTTEN_AFTER, Attempts, Limits
from misaki.domain.throttle import KNOWN_FOR, OF_A_USER, OF_AN_ORIGIN, Throttle
from tests import factories
from tests.contract.misaki.in_memory_logins import InMemoryAttemptStore
from tests.unit.misaki.conftest import SettableClock

HOME, ELSEWHERE = "203.0.113.7", "198.51.100.9"


async def _fail(throttle: Throttle, times: int, user_id: str = "alice", origin: str = HOME) -> None:
    for _ in range(times):
        await throttle.failed(await throttle.begin(user_id, origin))


async def _wait_of(throttle: Throttle, user_id: str = "alice", origin: str = HOME) -> int:
    with pytest.raises(ResourceExhausted) as caught:
        await throttle.begin(user_id, origin)
    assert "LOGIN_THROTTLED" == caught.value.reason
    return int(caught.value.metadata["retry_seconds"])


async def test_a_few_mistakes_cost_nothing(throttle: Throttle) -> None:
    """Five wrong passwords in a row make nobody wait."""
    await _fail(throttle, OF_A_USER.free)

    assert await throttle.begin("alice", HOME)


async def test_the_wait_doubles_with_each_further_one(
    throttle: Throttle, clock: SettableClock
) -> None:
    """After the free ones: 2 seconds, 4, 8 and so on."""
    await _fail(throttle, OF_A_USER.free)

    waits: list[int] = []
    for _ in range(4):
        await _fail(throttle, 1)
        waits.append(await _wait_of(throttle))
        clock.now += timedelta(seconds=waits[-1])

    assert [2, 4, 8, 16] == waits


async def test_users_that_do_not_exist_have_to_wait_too(throttle: Throttle) -> None:
    """The throttle knows names, not users: it tells nobody who exists."""
    await _fail(throttle, OF_A_USER.free + 1, "nobody at all")

    assert 2 == await _wait_of(throttle, "nobody at all")


async def test_other_users_of_the_origin_go_on(throttle: Throttle) -> None:
    """Wrong passwords for one user make no other one wait."""
    await _fail(throttle, OF_A_USER.free + 1)

    assert await throttle.begin("bob", HOME)


async def test_an_origin_that_tries_many_users_has_to_wait(throttle: Throttle) -> None:
    """One password for a thousand users is guessing too."""
    for number in range(OF_AN_ORIGIN.free + 1):
        await _fail(throttle, 1, f"user-{number}")

    assert 2 == await _wait_of(throttle, "user-999")
    assert await throttle.begin("user-999", ELSEWHERE)


async def test_who_guesses_elsewhere_does_not_lock_out_a_known_origin(
    throttle: Throttle, clock: SettableClock
) -> None:
    """Where a user has logged in before, wrong passwords from elsewhere do not count."""
    await throttle.succeeded(await throttle.begin("alice", HOME))
    await _fail(throttle, OF_A_USER.free + 1, origin=ELSEWHERE)

    assert await throttle.begin("alice", HOME)
    assert 2 == await _wait_of(throttle, origin=ELSEWHERE)
    clock.now += KNOWN_FOR
    await _fail(throttle, OF_A_USER.free + 1, origin=ELSEWHERE)
    assert 2 == await _wait_of(throttle)


async def test_known_origin_has_a_count_of_its_own(throttle: Throttle) -> None:
    """A known origin is no free pass for guessing."""
    await throttle.succeeded(await throttle.begin("alice", HOME))

    await _fail(throttle, OF_A_USER.free + 1)

    assert 2 == await _wait_of(throttle)


async def test_success_forgives_the_user_but_not_the_origin(throttle: Throttle) -> None:
    """With a login of one's own now and then nobody can guess on."""
    for number in range(OF_AN_ORIGIN.free):
        await _fail(throttle, 1, f"user-{number}")
    await _fail(throttle, 0)
    await throttle.succeeded(await throttle.begin("alice", HOME))

    await _fail(throttle, 1, "user-999")

    assert 2 == await _wait_of(throttle, "alice")


async def test_right_guess_among_many_at_once_is_refused(throttle: Throttle) -> None:
    """An attempt begun before the block, and right after it, has to wait as well."""
    right = await throttle.begin("alice", HOME)
    wrong = [await throttle.begin("alice", HOME) for _ in range(OF_A_USER.free + 1)]
    for attempt in wrong:
        await throttle.failed(attempt)

    with pytest.raises(ResourceExhausted):
        await throttle.check(right)


async def test_old_mistakes_are_forgotten(throttle: Throttle, clock: SettableClock) -> None:
    """After an hour of peace the count begins anew."""
    await _fail(throttle, OF_A_USER.free)
    clock.now += FORGOTTEN_AFTER + timedelta(seconds=1)

    await _fail(throttle, 1)

    assert await throttle.begin("alice", HOME)


async def test_keys_are_digests(attempts: InMemoryAttemptStore, clock: SettableClock) -> None:
    """What was typed as a name is not kept; it may be a password."""
    seen: list[str] = []

    def digest(text: str) -> str:
        seen.append(text)
        return str(len(seen))

    await _fail(Throttle(attempts, digest, clock=clock), 1, "my secret password")

    counts = await attempts.attempts([str(number) for number in range(9)])
    assert len(counts) == 2
    assert any("my secret password" in text for text in seen)


@given(failures=st.integers(1, 5000), free=st.integers(0, 60))
def test_waits_grow_and_are_bounded(failures: int, free: int) -> None:
    """However many wrong passwords: no wait within the free ones, none too long."""
    limits = Limits(free=free)
    before = Attempts(failures - 1, factories.NOON) if failures > 1 else None

    after = limits.after_failure(before, factories.NOON)

    wait = after.blocked_for(factories.NOON)
    assert failures == after.failures
    assert (failures > free) == (wait > timedelta())
    assert wait <= limits.longest_wait
