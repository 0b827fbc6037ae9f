"""Which tokens have been taken back."""

from datetime import UTC, datetime, timedelta

import pytest

from mesh.access import Principal
from mesh.errors import Unauthenticated
from mesh.revocations import Revocation, RevocationList

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def issued(seconds: float, *subjects: str) -> Principal:
    """Return somebody whose token was made some seconds after noon."""
    names = subjects or ("users/alice", "tokens/t1")
    return Principal("users/alice", issued_at=NOON.timestamp() + seconds, revocable_as=names)


def at(seconds: float, subject: str = "users/alice") -> Revocation:
    """Return a revocation of tokens made before some seconds after noon."""
    moment = NOON + timedelta(seconds=seconds)
    return Revocation(subject, moment, moment + HOUR)


def test_only_older_tokens_are_refused() -> None:
    """The moment itself is good, a microsecond before is not."""
    revocations = RevocationList([at(0)])

    revocations.check(issued(0))

    with pytest.raises(Unauthenticated) as caught:
        revocations.check(issued(-0.00001))
    assert ("TOKEN_REVOKED", {"subject": "users/alice"}) == (
        caught.value.reason,
        caught.value.metadata,
    )


def test_any_of_the_subjects_counts() -> None:
    """A token is refused by its session as well as by its user."""
    revocations = RevocationList([at(9, "sessions/s1")])

    revocations.check(issued(0))

    with pytest.raises(Unauthenticated):
        revocations.check(issued(0, "users/alice", "sessions/s1"))


def test_the_furthest_counts_in_any_order() -> None:
    """An earlier revocation that comes late changes nothing."""
    for order in ([at(5), at(9)], [at(9), at(5)]):
        revocations = RevocationList()
        for revocation in order:
            revocations.add([revocation])

        with pytest.raises(Unauthenticated):
            revocations.check(issued(8))


def test_expired_ones_are_forgotten() -> None:
    """What no token in use can match takes no memory."""
    revocations = RevocationList([at(0), at(0, "users/bob"), at(60, "users/zoe")])

    revocations.forget_expired(NOON + HOUR)

    assert 1 == len(revocations)


def test_replacing_forgets_the_others() -> None:
    """A complete state counts instead of what was known."""
    revocations = RevocationList([at(9)])

    revocations.replace([at(9, "users/bob")])

    revocations.check(issued(0))
