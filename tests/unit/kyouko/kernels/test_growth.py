"""Bands, knots and regrids agree with their slow twins, and regrids keep the function."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyouko.domain.engine import Arrival, GrowingEngine
from kyouko.domain.engine.growing.state import NetworkState
from kyouko.kernels import indices
from kyouko.kernels.bands import find_band
from kyouko.kernels.compile import argument_names
from kyouko.kernels.knots import place_knots
from kyouko.kernels.randomness import draw_normal
from kyouko.kernels.sections import regrid_channel
from tests.reference import coding
from tests.reference.network import activate, copy_weights, list_drives
from tests.reference.structures import flat

values = st.lists(
    st.floats(-1e6, 1e6, width=32).filter(lambda value: value != 0.0), min_size=1, max_size=64
)


def run_find_band(numbers: list[float]) -> tuple[float, float]:
    """Give the kernel its sorted scratch array."""
    scratch = np.zeros((indices.SCRATCH_LINES, indices.START_ROWS), np.float64)
    scratch[indices.ORDERED, : len(numbers)] = sorted(numbers)
    return find_band(scratch, len(numbers))


@settings(deadline=None, max_examples=50)
@given(values)
def test_find_band_agrees(numbers: list[float]) -> None:
    """The resting band is that of the slow twin."""
    assert pytest.approx(coding.find_band(numbers), rel=1e-6) == run_find_band(numbers)


def test_band_is_the_usual_value() -> None:
    """A value that makes up 15 % is where the channel rests."""
    numbers = [0.0] * 6 + [float(number) for number in range(1, 35)]

    assert run_find_band(numbers) == (0.0, 0.0)


@settings(deadline=None, max_examples=50)
@given(values, st.integers(1, 16))
def test_place_knots_agrees(numbers: list[float], wanted: int) -> None:
    """The knots are those of the slow twin, ascending, with 0 among them."""
    stored = np.zeros((1, indices.START_ROWS), np.float32)
    stored[0, : len(numbers)] = numbers
    scratch = np.zeros((indices.SCRATCH_LINES, indices.START_ROWS), np.float64)

    count = place_knots(stored, 0, len(numbers), wanted, scratch)

    found = scratch[indices.NEW_KNOTS, :count].tolist()
    assert pytest.approx(coding.place_knots(numbers, wanted), rel=1e-6) == found
    assert found == sorted(found)
    assert 0.0 in found


def regrid(state: NetworkState, channel: int) -> None:
    """Call the kernel with the state's arrays by name."""
    names = argument_names(regrid_channel)[3:]
    low = float(state.resting_low[channel])
    high = float(state.resting_high[channel])
    regrid_channel(channel, low, high, *(getattr(state, name) for name in names))


Coding = tuple[float, float, list[float], list[int]]


def coding_of(state: NetworkState, channel: int) -> Coding:
    """Read a channel's band, knots and weight rows (one block)."""
    count = int(state.section_count[channel])
    return (
        float(state.resting_low[channel]),
        float(state.resting_high[channel]),
        [float(knot) for knot in state.knots[channel, : count + 1]],
        [int(row) for row in state.row_table[:count, channel]],
    )


def drive_with(codings: list[Coding], row: np.ndarray) -> list[tuple[int, int, float]]:
    """List the drives of a row under codings that were read earlier."""
    return [
        (0, weight_row, drive)
        for (low, high, knots, rows), value in zip(codings, row, strict=True)
        for weight_row, drive in zip(
            rows, coding.drive_sections(float(value), low, high, knots), strict=True
        )
    ]


@pytest.mark.parametrize("rows", [3, 15, 63])
@pytest.mark.parametrize("seed", [1, 2])
def test_regrid_keeps_the_function(rows: int, seed: int) -> None:
    """At the ends of the new sections all scores are what they were before."""
    random = np.random.default_rng(seed)
    engine = GrowingEngine(flat(4))
    state = engine.state
    data = np.round(random.exponential(3.0, (64 + rows, 4)), 2).astype(np.float32)
    data[random.random(data.shape) < 0.5] = 0.0
    labels = random.integers(0, 3, 64 + rows).astype(np.int32)
    engine.learn(data, labels, arrival=Arrival.STORED)
    before = copy_weights(state, averaged=False)
    old = [coding_of(state, channel) for channel in range(4)]

    for channel in range(4):
        top = state.knots[channel, state.section_count[channel]]
        state.active_values[channel] = (0.1 + 0.9 * random.random(64)) * top
        state.active_count[channel] = indices.START_ROWS
        regrid(state, channel)

    after = copy_weights(state, averaged=False)
    for _ in range(20):
        knot = [random.integers(0, state.section_count[channel] + 1) for channel in range(4)]
        probe = state.resting_high + state.knots[np.arange(4), knot]
        expected = activate(before, drive_with(old, probe), 0.0)[1]
        found = activate(after, list_drives(state, probe), 0.0)[1]
        assert pytest.approx(expected, abs=2e-4) == found
    assert int(state.section_count.sum()) == state.counters[indices.SECTIONS]


def test_overflow_needs_eight_values() -> None:
    """Seven values far beyond the range change nothing; the eighth opens one silent section."""
    random = np.random.default_rng(0)
    engine = GrowingEngine(flat(1))
    data = np.concatenate([np.zeros((64, 1)), random.uniform(1, 2, (200, 1))]).astype(np.float32)
    labels = random.integers(0, 2, len(data)).astype(np.int32)
    engine.learn(data, labels, arrival=Arrival.STORED)
    sections = engine.statistics().sections
    far = np.full((1, 1), 100.0, np.float32)

    for _ in range(7):
        engine.learn(far, np.zeros(1, np.int32), arrival=Arrival.STORED)
    after_seven = engine.statistics().sections
    engine.learn(far, np.zeros(1, np.int32), arrival=Arrival.STORED)

    assert sections == after_seven
    assert sections + 1 == engine.statistics().sections
    assert engine.state.knots[0, engine.state.section_count[0]] == pytest.approx(100.0)


def test_random_numbers_are_normal() -> None:
    """Drawn numbers have mean 0 and variance 1."""
    state = np.array([88172645463325252], np.uint64)

    drawn = np.array([draw_normal(state) for _ in range(4000)])

    assert pytest.approx(0.0, abs=0.05) == drawn.mean()
    assert pytest.approx(1.0, abs=0.05) == drawn.std()
