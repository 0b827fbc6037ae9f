"""Who may open one more websocket."""

from contextlib import ExitStack

import pytest

from mesh.errors import ResourceExhausted
from torii.domain.guests import Guest, Guests

ALICE = "users/alice"


def test_strangers_leave_room_for_those_who_are_known() -> None:
    """Unknown clients can only take the places meant for them."""
    guests = Guests(most=3, most_strangers=1, most_each=9)

    with guests.present(Guest()):
        assert not guests.has_room(Guest())
        assert guests.has_room(Guest(ALICE))


def test_a_stranger_who_gets_known_frees_a_place() -> None:
    """A good token in the first message makes room for the next stranger."""
    guests = Guests(most=3, most_strangers=1, most_each=9)
    guest = Guest()

    with guests.present(guest):
        guest.name = ALICE
        has_room = guests.has_room(Guest())

    assert has_room


def test_all_together_have_a_limit() -> None:
    """A known guest finds no place either when all are taken, and one when a guest leaves."""
    guests = Guests(most=1, most_strangers=1, most_each=9)

    with guests.present(Guest(ALICE)):
        assert not guests.has_room(Guest("users/bob"))
    assert guests.has_room(Guest("users/bob"))


def test_one_name_has_a_share() -> None:
    """The one too many of a name is told the limit; others are not concerned."""
    guests = Guests(most=9, most_strangers=1, most_each=2)
    names = [ALICE, ALICE, ALICE, "users/bob"]
    present = [Guest(name) for name in names]
    with ExitStack() as stack:
        for guest in present:
            stack.enter_context(guests.present(guest))

        with pytest.raises(ResourceExhausted) as caught:
            guests.check_share(present[2])
        guests.check_share(present[3])

    assert caught.value.reason == "LIMIT_REACHED"
    assert caught.value.metadata == {"limit": "2", "actual": "3"}
