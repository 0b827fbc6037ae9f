"""Intervals and sets: as often right as asked for, also while the stream changes."""

import numpy as np
import pytest

from kyouko.domain.engine import TaskKind
from kyouko.domain.scoring import ScoringOptions
from kyouko.domain.scoring.report import Intervals, LabelSets
from tests.bench.series import mackey_glass
from tests.unit.kyouko.scoring.builders import (
    label_results,
    number_results,
    score_labels,
    score_numbers,
    scorer_of,
)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_intervals_cover_as_asked_for_while_the_noise_grows(coverage: float) -> None:
    """The noise doubles, halves and jumps by ten; in the long run the share is kept."""
    random = np.random.default_rng(1)
    scale = np.repeat([1.0, 2.0, 1.0, 10.0, 3.0, 0.1], 2000)[:, np.newaxis]
    targets = (random.normal(size=scale.shape) * scale).astype(np.float32)
    options = ScoringOptions(window_rows=500, coverage=coverage)

    reports = score_numbers(
        scorer_of(options, TaskKind.NUMBERS), np.zeros_like(targets), targets, sizes=[64] * 300
    )

    expected = reports[-1].expected
    assert isinstance(expected, Intervals)
    assert expected.coverage.expected == coverage
    assert coverage == pytest.approx(expected.coverage.total, abs=0.015)


def test_intervals_of_a_forecast_cover_each_output() -> None:
    """A forecast of a chaotic series by its last value, whose errors depend on one another."""
    series = mackey_glass(6000, 6)
    outputs = np.hstack((series.inputs, series.inputs[::-1]))
    targets = np.hstack((series.targets, series.targets[::-1]))
    options = ScoringOptions(window_rows=500, coverage=0.9)

    reports = score_numbers(
        scorer_of(options, TaskKind.NUMBERS, outputs=2), outputs, targets, sizes=[100] * 60
    )

    within = [
        (report.expected.lower <= targets[100 * number : 100 * number + 100])
        & (targets[100 * number : 100 * number + 100] <= report.expected.upper)
        for number, report in enumerate(reports)
        if isinstance(report.expected, Intervals)
    ]
    assert [0.9, 0.9] == pytest.approx(np.concatenate(within).mean(axis=0).tolist(), abs=0.015)


def test_intervals_have_no_end_while_too_little_is_known() -> None:
    """Of fewer than 9 errors none is the 90 % quantile."""
    options = ScoringOptions(coverage=0.9)
    targets = np.arange(20, dtype=np.float32)[:, np.newaxis]

    (report,) = score_numbers(scorer_of(options, TaskKind.NUMBERS), np.zeros_like(targets), targets)

    assert isinstance(report.expected, Intervals)
    assert np.isneginf(report.expected.lower[:16]).all()
    assert np.isposinf(report.expected.upper[:16]).all()
    assert np.isfinite(report.expected.upper[16:]).all()


def test_rows_without_targets_get_intervals_too() -> None:
    """Their bounds are those of the moment, and nothing is learned from them."""
    random = np.random.default_rng(1)
    targets = random.normal(size=(500, 1)).astype(np.float32)
    scorer = scorer_of(ScoringOptions(metrics=True, coverage=0.9), TaskKind.NUMBERS)
    score_numbers(scorer, np.zeros_like(targets), targets)

    reports = [
        scorer.score(number_results(np.float32([[5.0]]), None), None, None) for _ in range(40)
    ]

    bounds = {
        (float(report.expected.lower[0, 0]), float(report.expected.upper[0, 0]))
        for report in reports
        if isinstance(report.expected, Intervals)
    }
    assert 1 == len(bounds)
    assert (500, None) == (reports[-1].scored_rows, reports[-1].metrics)


def test_being_right_for_long_does_not_blind_the_intervals() -> None:
    """After 20,000 rows without error the first wrong ones widen the bounds within 400 rows."""
    targets = np.zeros((21_000, 1), np.float32)
    targets[20_000:] = np.random.default_rng(1).normal(size=(1000, 1))
    scorer = scorer_of(ScoringOptions(window_rows=200, coverage=0.9), TaskKind.NUMBERS)

    reports = score_numbers(scorer, np.zeros_like(targets), targets, sizes=[200] * 105)

    expected = reports[-1].expected
    assert isinstance(expected, Intervals)
    assert expected.coverage.window is not None
    assert expected.coverage.window > 0.8


def test_sets_cover_as_asked_for_while_the_labels_change() -> None:
    """The network's chances are right, then wrong; sets grow until the share is kept."""
    random = np.random.default_rng(1)
    outputs = random.dirichlet(np.full(5, 0.7), 8000).astype(np.float32)
    truth = (random.random((8000, 1)) > outputs.cumsum(axis=1)).sum(axis=1).clip(0, 4)
    truth[4000:] = random.integers(0, 5, 4000)
    scorer = scorer_of(ScoringOptions(window_rows=500, coverage=0.9), TaskKind.CLASSES)

    reports = score_labels(scorer, outputs, truth.astype(np.int32), sizes=[100] * 80)

    expected = reports[-1].expected
    assert isinstance(expected, LabelSets)
    assert 0.9 == pytest.approx(expected.coverage.total, abs=0.015)
    assert 0.9 == pytest.approx(expected.coverage.window, abs=0.04)
    first, last = reports[39].expected, reports[79].expected
    assert isinstance(first, LabelSets)
    assert isinstance(last, LabelSets)
    assert last.sizes.mean() > first.sizes.mean() + 1


def test_sets_list_their_labels_row_by_row() -> None:
    """A set holds at least the most probable label, and none that is not known."""
    outputs = np.float32([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0]])
    scorer = scorer_of(ScoringOptions(coverage=0.9), TaskKind.CLASSES)

    report = scorer.score(label_results(outputs, None), None, None)

    assert isinstance(report.expected, LabelSets)
    assert [2, 2, 0] == report.expected.sizes.tolist()
    assert [0, 1, 1, 2] == report.expected.labels.tolist()
    assert report.expected.coverage.total is None


def test_an_unknown_label_is_in_no_set() -> None:
    """A label that opens an output with this row could not have been expected."""
    outputs = np.float32([[1.0, 0.0]] * 4)
    scorer = scorer_of(ScoringOptions(coverage=0.9), TaskKind.CLASSES)

    (report,) = score_labels(scorer, outputs, np.array([0, 1, -1, 2], np.int32))

    assert isinstance(report.expected, LabelSets)
    assert 0.25 == report.expected.coverage.total
