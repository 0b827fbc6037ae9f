"""What every store of counts of wrong passwords has to do."""

import asyncio
from datetime import timedelta

from misaki.domain.attempts import Attempts, Limits
from misaki.ports import AttemptStore
from tests import factories

LIMITS = Limits(free=2)
NOON = factories.NOON


async def test_failures_add_up_by_key(attempts: AttemptStore) -> None:
    """Each key has a count of its own; unknown keys have none."""
    for _ in range(3):
        await attempts.count_failure("a", LIMITS, now=NOON)
    await attempts.count_failure("b", LIMITS, now=NOON)

    counts = await attempts.attempts(["a", "b", "c"])

    blocked = NOON + LIMITS.first_wait
    assert {"a": Attempts(3, NOON, blocked), "b": Attempts(1, NOON)} == counts


async def test_failures_at_the_same_time_all_count(attempts: AttemptStore) -> None:
    """Nobody gains a guess by guessing faster."""
    await asyncio.gather(*(attempts.count_failure("a", LIMITS, now=NOON) for _ in range(12)))

    assert 12 == (await attempts.attempts(["a"]))["a"].failures


async def test_success_clears_one_key_and_notes_another(attempts: AttemptStore) -> None:
    """The time under a key is that of the last success."""
    await attempts.count_failure("a", LIMITS, now=NOON)
    later = NOON + timedelta(days=1)

    for now in (NOON, later):
        await attempts.count_success(clear="a", remember="known", now=now)

    assert {"known": Attempts(0, later)} == await attempts.attempts(["a", "known"])


async def test_successes_at_the_same_time_are_noted_once(attempts: AttemptStore) -> None:
    """Logins of one user from one place do not get into each other's way."""
    await asyncio.gather(
        *(attempts.count_success(clear="a", remember="known", now=NOON) for _ in range(5))
    )

    assert {"known": Attempts(0, NOON)} == await attempts.attempts(["known"])


async def test_old_counts_are_forgotten(attempts: AttemptStore) -> None:
    """What has not changed for long does not stay."""
    await attempts.count_failure("old", LIMITS, now=NOON)
    await attempts.count_failure("new", LIMITS, now=NOON + timedelta(days=2))

    await attempts.forget_attempts(older_than=NOON + timedelta(days=1))

    assert ["new"] == list(await attempts.attempts(["old", "new"]))
