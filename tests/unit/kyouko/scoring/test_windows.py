"""The last rows of a stream."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.domain.scoring.windows import BEAT, CalibrationWindow, WindowSpread, WindowSums
from tests.unit.kyouko.scoring.builders import frames

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=12)


@given(SIZES, st.integers(1, 20))
def test_window_sums_are_those_of_the_last_rows(sizes: list[int], width: int) -> None:
    """After every frame the sums are those of exactly the last `width` rows."""
    values = np.random.default_rng(1).normal(size=(sum(sizes), 2))
    window = WindowSums(width, 2)

    for part in frames(len(values), sizes):
        window.add(values[part])

        expected = values[: part.stop][-width:]
        assert len(expected) == window.rows
        assert expected.sum(axis=0) == pytest.approx(window.sums(), abs=1e-9)


@given(SIZES, st.integers(2, 20))
def test_window_spread_is_that_of_the_last_rows(sizes: list[int], width: int) -> None:
    """Squared deviations keep their digits where the numbers are large and close together."""
    values = 1e6 + np.random.default_rng(1).normal(size=(sum(sizes), 2))
    window = WindowSpread(width, 2)

    for part in frames(len(values), sizes):
        window.add(values[part])

        last = values[: part.stop][-width:]
        expected = ((last - last.mean(axis=0)) ** 2).sum(axis=0)
        assert expected == pytest.approx(window.squares(), rel=1e-3, abs=1e-6)


def test_a_huge_value_leaves_no_trace_once_it_is_gone() -> None:
    """Sums and spread are exact again when a value of 1e38 has left the window."""
    values = np.concatenate(([[1e38]], np.tile([[1.0], [3.0]], (20, 1))))
    sums, spread = WindowSums(8, 1), WindowSpread(8, 1)

    for row in values:
        sums.add(row[np.newaxis] ** 2)
        spread.add(row[np.newaxis])

    assert [4 * (1 + 9)] == sums.sums().tolist()
    assert [8.0] == spread.squares().tolist()


def test_a_calibration_window_holds_the_last_values_in_order() -> None:
    """What was ordered last is the window as it was then, never what has left it."""
    values = np.random.default_rng(1).permutation(500).astype(np.float32)[:, np.newaxis]
    window = CalibrationWindow(100, 1)

    for part in window.parts(len(values)):
        window.add(values[part])
        if window.count < BEAT:
            assert window.ordered.shape == (1, 0)

    ordered = window.ordered[0]
    age = next(n for n in range(100) if set(values[400 - n : 500 - n, 0]) == set(ordered.tolist()))
    assert np.all(np.diff(ordered) > 0)
    assert age <= BEAT


@given(SIZES)
def test_a_calibration_window_orders_at_the_same_rows(sizes: list[int]) -> None:
    """When the window is ordered does not depend on the frames."""
    values = np.random.default_rng(1).normal(size=(sum(sizes), 3))
    whole, cut = CalibrationWindow(50, 3), CalibrationWindow(50, 3)

    for part in whole.parts(len(values)):
        whole.add(values[part])
    for frame in frames(len(values), sizes):
        inside = values[frame]
        for part in cut.parts(len(inside)):
            cut.add(inside[part])

    assert np.array_equal(whole.ordered, cut.ordered)
