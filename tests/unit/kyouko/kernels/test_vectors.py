"""The loops written as vector instructions agree with plain ones, for every width of a block."""

import numpy as np
import pytest

from kyouko.kernels.compile import hot_kernel
from kyouko.kernels.vectors import approach_rows, subtract_from_rows, sum_rows

WIDTHS = [8, 16, 24, 32, 40, 128, 136, 256, 312]


@hot_kernel
def run_sum(
    block: int,
    count: int,
    weights: np.ndarray,
    bias: np.ndarray,
    rows: np.ndarray,
    drives: np.ndarray,
    hidden: np.ndarray,
) -> None:
    """Make the vector part callable from Python."""
    sum_rows(block, count, weights, bias, rows, drives, hidden)


@hot_kernel
def run_subtraction(
    block: int,
    count: int,
    weights: np.ndarray,
    rows: np.ndarray,
    drives: np.ndarray,
    changes: np.ndarray,
) -> None:
    """Make the vector part callable from Python."""
    subtract_from_rows(block, count, weights, rows, drives, changes)


@hot_kernel
def run_approach(
    first: int, stop: int, share: float, weights: np.ndarray, slow: np.ndarray
) -> None:
    """Make the vector part callable from Python."""
    approach_rows(first, stop, share, weights, slow)


def normal(*shape: int, seed: int) -> np.ndarray:
    """Random float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def buckets(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Three buckets of which the middle one is filled with `count` of 50 weight rows."""
    rows = np.zeros((3, 40), np.int32)
    rows[1, :count] = np.random.default_rng(count).permutation(50)[:count]
    return rows, normal(3, 40, seed=count)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [0, 1, 3, 4, 9, 40])
def test_sums_agree(width: int, count: int) -> None:
    """A block's potentials are its bias plus drives times weight rows; other blocks stay."""
    weights, bias = normal(50, width, seed=1), normal(3, width, seed=2)
    hidden = np.ones((3, width), np.float32)
    rows, drives = buckets(count)

    run_sum(1, count, weights, bias, rows, drives, hidden)

    expected = bias[1] + drives[1, :count] @ weights[rows[1, :count]]
    np.testing.assert_allclose(hidden[1], expected, rtol=1e-4, atol=1e-5)
    assert (hidden[[0, 2]] == 1.0).all()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [0, 1, 9, 40])
def test_subtractions_agree(width: int, count: int) -> None:
    """Driven weight rows lose the change times their drive; all others stay as they are."""
    weights, changes = normal(50, width, seed=3), normal(3, width, seed=4)
    rows, drives = buckets(count)
    expected = weights.copy()
    expected[rows[1, :count]] -= drives[1, :count, None] * changes[1]

    run_subtraction(1, count, weights, rows, drives, changes)

    np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-6)
    rest = np.setdiff1d(np.arange(50), rows[1, :count])
    assert np.array_equal(expected[rest], weights[rest])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("first", "stop"), [(0, 50), (7, 8), (20, 33), (5, 5)])
def test_approaches_agree(width: int, first: int, stop: int) -> None:
    """Averaged rows go the share of their way to the present ones, and no row besides."""
    weights, slow = normal(50, width, seed=5), normal(50, width, seed=6)
    expected = slow.copy()
    expected[first:stop] += np.float32(0.25) * (weights[first:stop] - slow[first:stop])

    run_approach(first, stop, 0.25, weights, slow)

    np.testing.assert_allclose(slow, expected, rtol=1e-5, atol=1e-6)
    assert np.array_equal(expected[:first], slow[:first])
    assert np.array_equal(expected[stop:], slow[stop:])
