"""What one caller may have under way."""

import pytest

from mesh.errors import ResourceExhausted
from shiori.domain.turns import Turns
from tests.factories import principal

ALICE, BOB = principal("users/alice"), principal("users/bob")


def test_one_too_many_is_refused_until_another_ends() -> None:
    """The limit counts what runs now, and the error names it."""
    turns = Turns(1, what="uploads")

    with turns.taken(ALICE), pytest.raises(ResourceExhausted) as caught, turns.taken(ALICE):
        pytest.fail("two at once")
    with turns.taken(ALICE):
        pass

    assert ("LIMIT_REACHED", {"limit": "1"}) == (caught.value.reason, caught.value.metadata)
    assert "users/alice has 1 uploads under way" in caught.value.message


def test_callers_do_not_count_against_each_other() -> None:
    """Everybody has a limit of their own, and a service has none."""
    turns = Turns(1, what="uploads")
    service = principal("services/kyouko")

    with turns.taken(ALICE), turns.taken(BOB), turns.taken(service), turns.taken(service):
        pass

    with turns.taken(BOB), pytest.raises(ResourceExhausted), turns.taken(BOB):
        pytest.fail("two at once")


def test_failed_work_counts_no_longer() -> None:
    """What ends with an error has ended."""
    turns = Turns(1, what="uploads")

    with pytest.raises(ValueError, match="broken"), turns.taken(ALICE):
        raise ValueError("broken")

    with turns.taken(ALICE):
        pass
