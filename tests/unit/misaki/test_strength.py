"""How easily passwords are guessed."""

import pytest

from misaki.crypto.strength import weakness


@pytest.mark.parametrize(
    "password", ["password", "12345678", "qwertyuiop", "alicealice", "aaaaaaaaaaaa", "iloveyou1"]
)
def test_passwords_that_everybody_tries_are_weak(password: str) -> None:
    """Common words, rows of keys, repetitions and the own name are refused, with a hint."""
    assert weakness(password, ["alice"]).startswith("is too easy to guess.")


@pytest.mark.parametrize("password", ["correct horse battery", "tr0mbone-x-quilt", "Zk7!pQw2"])
def test_other_passwords_are_not(password: str) -> None:
    """Long ones and random ones are fine."""
    assert not weakness(password, ["alice"])


def test_endless_passwords_are_judged_by_their_beginning() -> None:
    """A thousand characters take no longer than seventy."""
    assert not weakness("a good beginning, and then " + "x" * 1000, [])
