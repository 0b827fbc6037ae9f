"""Room for networks in memory: what counts, and what is refused."""

import pytest

from kyouko.domain.networks.room import Room


@pytest.mark.parametrize(("size", "fits"), [(60, True), (61, False)])
def test_bytes_are_counted_together(size: int, fits: bool) -> None:
    """What is present, what was set aside and what comes make the sum."""
    room = Room(10, 100)

    with room.reserved("coming", 30):
        found = room.fits("new", size, {"there": 10})

    assert fits == found


@pytest.mark.parametrize(("networks", "fits"), [(3, True), (2, False)])
def test_networks_are_counted_together(networks: int, fits: bool) -> None:
    """A copy counts as a network."""
    room = Room(networks, 100)

    with room.reserved(object(), 1):
        found = room.fits("new", 1, {"there": 1})

    assert fits == found


def test_a_network_counts_once() -> None:
    """What is set aside for a network that is in memory takes the place of its present size."""
    room = Room(1, 100)

    with room.reserved("net", 80):
        assert room.is_reserved("net")
        assert room.fits("net", 100, {"net": 90})
    assert not room.is_reserved("net")


def test_room_is_given_back_after_a_failure() -> None:
    """Whatever becomes of a network that was about to come."""
    room = Room(1, 100)

    with pytest.raises(KeyError), room.reserved("net", 80):
        raise KeyError

    assert room.fits("other", 100, {})


def test_a_refusal_tells_the_limits() -> None:
    """And what may be done."""
    refusal = Room(3, 100).refusal()

    assert {"limit": "3", "limit_bytes": "100"} == refusal.metadata
    assert "end a stream or task first" in refusal.message
