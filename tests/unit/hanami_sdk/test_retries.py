"""When a call is tried again."""

from hanami_sdk.errors import NotFound, Unavailable
from hanami_sdk.retries import RetryPolicy


def test_only_unavailability_is_worth_another_try() -> None:
    """An error that would come again is final."""
    policy = RetryPolicy()

    assert policy.delay(1, NotFound("Gone.")) is None
    assert policy.delay(1, Unavailable("Away.")) is not None


def test_waits_grow_and_end() -> None:
    """Each wait is at most twice the one before, and never beyond the bound."""
    policy = RetryPolicy(attempts=10, first_delay=0.1, longest_delay=0.5)

    ceilings = [0.1, 0.2, 0.4, 0.5, 0.5]
    for failures, ceiling in enumerate(ceilings, 1):
        delay = policy.delay(failures, Unavailable("Away."))
        assert delay is not None
        assert 0 <= delay <= ceiling


def test_attempts_are_counted() -> None:
    """The last attempt is not followed by another."""
    policy = RetryPolicy(attempts=3)

    assert policy.delay(2, Unavailable("Away.")) is not None
    assert policy.delay(3, Unavailable("Away.")) is None


def test_the_server_may_ask_for_patience() -> None:
    """A delay that the server names is kept, within the bound."""
    policy = RetryPolicy(longest_delay=2.0)

    assert policy.delay(1, Unavailable("Away.", retry_delay=0.7)) == 0.7
    assert policy.delay(1, Unavailable("Away.", retry_delay=60.0)) == 2.0
