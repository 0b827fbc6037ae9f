"""What is known about the diversity of targets agrees with slow twins, and waits where it must."""

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, GrowingEngine, TaskKind
from kyouko.kernels import indices
from kyouko.kernels.reviewing import are_missed
from kyouko.kernels.shares import cover_targets, has_news
from tests.reference.structures import flat
from tests.reference.watching import cover_targets as slow_cover
from tests.reference.watching import sort_numbers

EMPTY = (indices.SHARE_LINES, indices.SHARE_COLUMNS)


def shares(whole: list[int], part: list[int], line: int) -> np.ndarray:
    """Rows of each class: all so far, and those in question."""
    counts = np.zeros(EMPTY)
    counts[indices.SHARE_ALL, : len(whole)] = whole
    counts[line, : len(part)] = part
    return counts


def rows_of(counts: list[int]) -> np.ndarray:
    """Labels that occur so many times each."""
    return np.repeat(np.arange(len(counts)), counts)


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ([500, 500], [64, 64]),
        ([500, 500], [128, 0]),
        ([990, 10], [128, 0]),
        ([990, 10], [127, 1]),
        ([100] * 10, [0, 0, 0, 60, 70, 0, 0, 0, 0, 0]),
        ([300, 20, 5, 700], [30, 2, 1, 64]),
    ],
)
def test_cover_agrees(whole: list[int], part: list[int]) -> None:
    """The kernel finds the share of the slow twin."""
    counts = shares(whole, part, indices.SHARE_TRIAL)

    found = cover_targets(indices.SHARE_TRIAL, counts)

    assert pytest.approx(slow_cover(rows_of(part), rows_of(whole))) == found


@pytest.mark.parametrize(
    ("whole", "part", "fair"),
    [
        ([500, 500], [100, 28], True),
        ([500, 500], [128, 0], False),
        ([9000, 1000], [252, 4], False),
        ([9900, 100], [254, 2], True),
        ([9900, 100], [256], False),
        ([100] * 10, [26] * 10, True),
        ([100] * 10, [0] * 5 + [26] * 5, False),
        ([1000], [256], False),
        ([], [], False),
    ],
)
def test_fair_samples(whole: list[int], part: list[int], fair: bool) -> None:
    """A sample is fair if it has its share of each class, rare ones too, and there are several."""
    counts = shares(whole, part, indices.SHARE_SAMPLE)

    found = cover_targets(indices.SHARE_SAMPLE, counts) >= indices.FAIR_SHARE

    assert fair == found


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_numbers_are_counted_in_bins(scale: float) -> None:
    """Sampled numbers lie in the bins of the slow twin, whatever their unit."""
    random = np.random.default_rng(1)
    engine = GrowingEngine(flat(2, kind=TaskKind.NUMBERS, size=1))
    rows = random.normal(size=(240, 2)).astype(np.float32)
    targets = (scale * (random.exponential(size=(240, 1)) + 5)).astype(np.float32)

    engine.learn(rows, targets, arrival=Arrival.STREAMED)

    expected = np.bincount(sort_numbers(targets[64:, 0].astype(np.float64)), minlength=4)
    found = engine.state.shares
    assert expected.tolist() == found[indices.SHARE_ALL, :4].tolist()
    assert expected.tolist() == found[indices.SHARE_SAMPLE, :4].tolist()


@pytest.mark.parametrize(
    ("judged", "sampled", "news"),
    [
        ([128, 128], [10, 22], False),
        ([128, 128], [32, 0], False),
        ([128, 128], [20, 0, 12], True),
        ([254, 2], [20, 12], True),
        ([128, 128], [2, 2, 4], False),
    ],
)
def test_new_classes_are_news(judged: list[int], sampled: list[int], news: bool) -> None:
    """Classes that the trial hardly had, in a quarter of at least 16 rows, are news."""
    counts = shares([], judged, indices.SHARE_QUIET)
    counts[indices.SHARE_SAMPLE, : len(sampled)] = sampled

    assert news == has_news(counts)


@pytest.mark.parametrize(
    ("error", "alarms", "missed"),
    [(0.22, 0, False), (0.22, 1, False), (0.28, 0, False), (0.28, 1, True), (0.34, 0, True)],
)
def test_alarms_let_a_smaller_rise_count(error: float, alarms: int, missed: bool) -> None:
    """Silent inputs are missed when the error rises, after a drift alarm by half as much."""
    counters = np.zeros(indices.COUNTERS, np.int64)
    counters[indices.ALARMS] = alarms
    meters = np.zeros(indices.METERS)
    meters[indices.QUIET_ERROR] = 0.2
    meters[indices.SHOWN_ERROR] = error

    assert missed == are_missed(np.zeros(EMPTY), counters, meters)
