"""The measure of what values tell agrees with its slow twin."""

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, GrowingEngine, TaskKind
from kyouko.kernels import indices
from kyouko.kernels.watching import rate_dependence
from tests.reference.structures import flat
from tests.reference.watching import rate_dependence as slow_dependence


@pytest.mark.parametrize("effect", [0.0, 0.2, 1.0])
def test_dependence_agrees(effect: float) -> None:
    """The sums of a channel give the statistic of the slow twin."""
    random = np.random.default_rng(1)
    engine = GrowingEngine(flat(1))
    labels = random.integers(0, 5, 400).astype(np.int32)
    rows = (random.normal(size=(400, 1)) + effect * labels[:, None]).astype(np.float32)
    engine.learn(rows[:64], labels[:64], arrival=Arrival.STORED)
    state = engine.state
    low, high = float(state.watch_low[0]), float(state.watch_high[0])

    engine.learn(rows[64:249], labels[64:249], arrival=Arrival.STORED)

    values = rows[64:249, 0].astype(np.float64)
    inside = (values >= low) & (values <= high)
    places = 2 * (values[inside] - low) / (high - low) - 1
    expected = slow_dependence(places, labels[64:249][inside].astype(np.int64))
    found = rate_dependence(0, state.watch_sums, state.watch_squares)
    assert pytest.approx(expected, rel=1e-3, abs=1e-3) == found


def test_numbers_are_grouped_by_size() -> None:
    """A channel that only tells how far a number lies from its mean is found to tell something."""
    random = np.random.default_rng(2)
    engine = GrowingEngine(flat(2, kind=TaskKind.NUMBERS, size=1))
    rows = random.normal(size=(249, 2)).astype(np.float32)
    targets = (rows[:, :1] ** 2).astype(np.float32)

    engine.learn(rows, targets, arrival=Arrival.STORED)

    state = engine.state
    assert rate_dependence(0, state.watch_sums, state.watch_squares) > 10
    assert rate_dependence(1, state.watch_sums, state.watch_squares) < 4


def test_newest_sample_is_kept() -> None:
    """Until row 512 all rows are sampled: the last 64 are kept, in a ring."""
    engine = GrowingEngine(flat(2))
    random = np.random.default_rng(3)
    rows = random.normal(size=(300, 2)).astype(np.float32)

    engine.learn(rows, np.arange(300, dtype=np.int32) % 2, arrival=Arrival.STORED)

    state = engine.state
    place = int(state.counters[indices.RECENT_NEXT])
    assert np.array_equal(rows[-64:], np.roll(state.start_values, -place, axis=0))
