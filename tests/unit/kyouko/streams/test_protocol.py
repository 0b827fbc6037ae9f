"""The order of messages on a stream."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.domain.streams.protocol import Phase, StreamProtocol
from mesh.errors import InvalidArgument


def opened(window: int = 100, window_bytes: int = 10**9) -> StreamProtocol:
    """Return a stream that is open."""
    protocol = StreamProtocol()
    protocol.open(window, window_bytes)
    return protocol


@pytest.mark.parametrize("message", ["frame", "authentication", "close"])
def test_open_comes_first(message: str) -> None:
    """Before it nothing else is allowed, and the error tells what was expected."""
    protocol = StreamProtocol()
    call = {
        "frame": lambda: protocol.frame(1, 1, 1),
        "authentication": protocol.authentication,
        "close": protocol.close,
    }[message]

    with pytest.raises(InvalidArgument) as refused:
        call()

    assert {"expected": "open", "actual": message} == refused.value.metadata
    assert Phase.NEW is protocol.phase


def test_open_comes_once() -> None:
    """A second one is out of turn."""
    with pytest.raises(InvalidArgument) as refused:
        opened().open(1, 1)

    assert ("STREAM_PROTOCOL", "open") == (refused.value.reason, refused.value.metadata["actual"])


def test_nothing_comes_after_close() -> None:
    """Neither a frame nor a second close."""
    protocol = opened()
    protocol.close()

    for call in (lambda: protocol.frame(1, 1, 1), protocol.close, protocol.authentication):
        with pytest.raises(InvalidArgument, match="nothing after close"):
            call()

    assert Phase.CLOSING is protocol.phase


def test_a_sequence_below_one_is_out_of_turn() -> None:
    """The first frame has a sequence from 1 on."""
    with pytest.raises(InvalidArgument, match="at least 1"):
        opened().frame(0, 1, 1)


@given(st.lists(st.integers(-3, 20), max_size=20))
def test_sequences_rise_strictly(sequences: list[int]) -> None:
    """Exactly the frames above all before them are taken."""
    protocol = opened(10**9)
    taken: list[int] = []

    for sequence in sequences:
        with contextlib.suppress(InvalidArgument):
            protocol.frame(sequence, 1, 1)
            taken.append(sequence)

    assert sorted(set(taken)) == taken
    assert len(taken) == protocol.outstanding_rows


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 60))
def test_the_window_bounds_what_is_under_way(frames: list[int], window: int) -> None:
    """Whoever waits for room is never more than one frame beyond the window."""
    protocol = opened(window)
    under_way: list[int] = []

    for sequence, rows in enumerate(frames, 1):
        while not protocol.has_room:
            protocol.answered(under_way.pop(0), 1)
        protocol.frame(sequence, rows, 1)
        under_way.append(rows)
        assert protocol.outstanding_rows < window + max(rows, 1)

    for rows in under_way:
        protocol.answered(rows, 1)
    assert (0, 0) == (protocol.outstanding_rows, protocol.outstanding_bytes)


def test_the_window_bounds_the_memory_as_well() -> None:
    """Few rows that take much leave as little room as many that take little."""
    protocol = opened(window=100, window_bytes=1000)

    protocol.frame(1, 1, 999)
    before = protocol.has_room
    protocol.frame(2, 1, 1)
    full = protocol.has_room
    protocol.answered(1, 999)

    assert (True, False, True) == (before, full, protocol.has_room)


def test_faults_take_room_until_they_are_told() -> None:
    """A client that sends nothing but what is refused waits like any other."""
    protocol = opened(window=2)

    protocol.waits(0, 0)
    protocol.frame(1, 0, 0)
    full = protocol.has_room
    protocol.answered(0, 0)

    assert (False, True) == (full, protocol.has_room)
