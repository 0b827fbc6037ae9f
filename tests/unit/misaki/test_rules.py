"""What ids, names and passwords have to look like."""

from collections.abc import Sequence

import pytest

from mesh.errors import InvalidArgument
from misaki.domain import rules


@pytest.mark.parametrize("user_id", ["bob", "a.b", "alice@example.org", "a_b-c9", "a" * 63])
def test_user_ids_are_accepted(user_id: str) -> None:
    """Ids of the allowed form pass unchanged."""
    assert user_id == rules.check_user_id(user_id)


@pytest.mark.parametrize(
    "user_id", ["", "me", "Bob", "9lives", "a b c", "a/b", "bob\n", "é" * 4, "a" * 64, "a\x00b"]
)
def test_other_user_ids_are_refused(user_id: str) -> None:
    """Ids of any other form are refused, `me` among them."""
    with pytest.raises(InvalidArgument) as caught:
        rules.check_user_id(user_id)

    assert ["user_id"] == [violation.field for violation in caught.value.violations]


@pytest.mark.parametrize("project_id", ["ab", "a-b", "a9", "a" * 63])
def test_project_ids_are_accepted(project_id: str) -> None:
    """Ids of the allowed form pass unchanged."""
    assert project_id == rules.check_project_id(project_id)


@pytest.mark.parametrize("project_id", ["", "a", "-a", "a-", "A1", "a_b", "a" * 64, "ab\n"])
def test_other_project_ids_are_refused(project_id: str) -> None:
    """Ids of any other form are refused."""
    with pytest.raises(InvalidArgument):
        rules.check_project_id(project_id)


def test_display_name_loses_blanks_around_it() -> None:
    """Blanks at the ends are dropped; the default stands in for an empty name."""
    assert "Ada Lovelace" == rules.check_display_name("  Ada Lovelace ", default="ada")
    assert "ada" == rules.check_display_name("   ", default="ada")


@pytest.mark.parametrize("name", ["a\x00b", "two\nlines", "x" * 129])
def test_unprintable_and_long_display_names_are_refused(name: str) -> None:
    """Control characters and more than 128 characters are refused."""
    with pytest.raises(InvalidArgument):
        rules.check_display_name(name, default="x")


@pytest.mark.parametrize("password", ["", "seven77", "x" * 1025])
def test_short_and_endless_passwords_are_refused(password: str) -> None:
    """Eight characters are the least, 1024 the most, and errors do not repeat a password."""
    with pytest.raises(InvalidArgument) as caught:
        rules.check_password(password, known=[], weakness=_strong)

    assert not password or password not in caught.value.message


def test_weak_password_is_refused_with_the_reason() -> None:
    """What the estimator says is wrong is told, under the name of the field."""
    with pytest.raises(InvalidArgument) as caught:
        rules.check_password(
            "long enough", known=["alice"], weakness=lambda p, k: f"knows {k}", field="new_password"
        )

    assert "new_password: knows ['alice']" == caught.value.message


def _strong(password: str, known: Sequence[str]) -> str:
    return ""
