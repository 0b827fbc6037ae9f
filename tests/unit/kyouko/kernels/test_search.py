"""The search for the nearest kept rows agrees with plain numpy, for every range of a ring."""

import numpy as np
import pytest

from kyouko.kernels.compile import hot_kernel
from kyouko.kernels.experts_search import (
    LEAST_PLACES,
    bound_nearest,
    list_near,
    measure_distances,
)

CHANNELS, KEPT, WANTED = 7, 203, 5
RANGES = [(0, 203), (0, 0), (0, 3), (5, 21), (150, 203), (190, 203), (0, 200), (60, 190)]


@hot_kernel
def run_search(
    first: int,
    stop: int,
    fresh: np.ndarray,
    inverse: np.ndarray,
    ring: np.ndarray,
    distance: np.ndarray,
    least: np.ndarray,
    listed: np.ndarray,
) -> None:
    """Make the vector parts callable from Python, for the second of the rows."""
    measure_distances(1, first, stop, fresh, inverse, ring, distance, least)
    bound_nearest(5, least)
    list_near(first, stop, least, distance, listed)


def search(
    first: int, stop: int, fresh: np.ndarray, inverse: np.ndarray, ring: np.ndarray
) -> tuple[np.ndarray, list[int]]:
    """Search some of the kept rows; return the distances and which rows are listed."""
    distance = np.full(KEPT, -1.0, np.float32)
    least = np.full(LEAST_PLACES, 3e38, np.float32)
    listed = np.zeros(KEPT + 1, np.int32)
    run_search(first, stop, fresh, inverse, ring, distance, least, listed)
    return distance, listed[1 : 1 + listed[0]].tolist()


def rows(*, gaps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two rows, one over their deviations, and kept rows; the third channel is not compared."""
    random = np.random.default_rng(1)
    fresh = random.normal(size=(2, CHANNELS)).astype(np.float32)
    inverse = random.uniform(0.5, 5.0, (2, CHANNELS)).astype(np.float32)
    fresh[1, 2], inverse[1, 2] = np.nan, 0.0
    ring = random.normal(size=(CHANNELS, KEPT)).astype(np.float32)
    ring[random.random(ring.shape) < gaps] = np.nan
    return fresh, inverse, ring


@pytest.mark.parametrize(("first", "stop"), RANGES)
@pytest.mark.parametrize("gaps", [0.0, 0.002, 0.3])
def test_distances_agree(first: int, stop: int, gaps: float) -> None:
    """Squares are capped at 16, gaps count 2, and channels that cannot be compared nothing."""
    fresh, inverse, ring = rows(gaps=gaps)
    steps = (fresh[1, :, None] - ring) * inverse[1, :, None]
    squares = np.where(np.isnan(steps), 2.0, np.minimum(steps**2, 16.0))
    squares[2] = 0.0

    distance, _ = search(first, stop, fresh, inverse, ring)

    expected = squares.sum(axis=0)[first:stop]
    np.testing.assert_allclose(distance[first:stop], expected, rtol=1e-5)


@pytest.mark.parametrize(("first", "stop"), RANGES)
def test_the_nearest_are_listed(first: int, stop: int) -> None:
    """The nearest rows of the range are listed in order, with few others, and none twice."""
    fresh, inverse, ring = rows(gaps=0.0)

    distance, listed = search(first, stop, fresh, inverse, ring)

    nearest = first + np.argsort(distance[first:stop])[:WANTED]
    assert set(nearest.tolist()) <= set(listed)
    assert sorted(set(listed)) == listed
    assert all(first <= slot < stop for slot in listed)
    assert len(listed) <= max(2 * WANTED, min(stop - first, 40))


def test_equal_rows_are_all_listed() -> None:
    """Where all kept rows are equally near, none is left out."""
    fresh, inverse, ring = rows(gaps=0.0)
    ring[:] = ring[:, :1]

    _, listed = search(0, KEPT, fresh, inverse, ring)

    assert list(range(KEPT)) == listed
