"""Anomaly scores: uniform while nothing changes, near 1 where something does."""

import numpy as np
import pytest

from kyouko.domain.engine import TaskKind
from kyouko.domain.scoring import AnomalyOptions, ScoreReport, ScoringOptions
from tests.unit.kyouko.scoring.builders import score_labels, score_numbers, scorer_of

ROWS = 8000


def options(threshold: float = 0.99) -> ScoringOptions:
    """Return the options of anomaly scores alone."""
    return ScoringOptions(window_rows=400, anomaly=AnomalyOptions(threshold, 2))


def scores_of(reports: list[ScoreReport]) -> np.ndarray:
    """Return the scores of all rows."""
    found = [report.anomalies.scores for report in reports if report.anomalies is not None]
    return np.concatenate(found)


@pytest.mark.parametrize("power", [1, 5])
def test_scores_of_a_stationary_stream_are_uniform(power: int) -> None:
    """Every tenth of [0, 1] holds a tenth of the scores, however heavy the errors' tails."""
    random = np.random.default_rng(power)
    targets = (random.normal(size=(ROWS, 2)) ** power).astype(np.float32)
    scorer = scorer_of(options(), TaskKind.NUMBERS, outputs=2)

    scores = scores_of(score_numbers(scorer, np.zeros_like(targets), targets, sizes=[64] * 200))

    counts, _ = np.histogram(scores[500:], bins=10, range=(0, 1))
    assert np.full(10, 0.1) == pytest.approx(counts / counts.sum(), abs=0.02)
    assert 0.01 == pytest.approx(np.mean(scores[500:] >= 0.99), abs=0.005)


def test_scores_of_labels_are_uniform() -> None:
    """The same for the losses of a network that knows its chances."""
    random = np.random.default_rng(1)
    outputs = random.dirichlet((1.0, 1.0, 1.0), ROWS).astype(np.float32)
    truth = (random.random((ROWS, 1)) > outputs.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    scorer = scorer_of(options(), TaskKind.CLASSES)

    scores = scores_of(score_labels(scorer, outputs, truth.astype(np.int32), sizes=[50] * 200))

    counts, _ = np.histogram(scores[500:], bins=10, range=(0, 1))
    assert np.full(10, 0.1) == pytest.approx(counts / counts.sum(), abs=0.02)


def test_the_output_that_fails_is_named_first() -> None:
    """A fault on an output of small numbers is told from the noise of one of large numbers."""
    random = np.random.default_rng(1)
    targets = random.normal(size=(1000, 3)).astype(np.float32) * np.float32([1000.0, 0.001, 1.0])
    targets[900, 1] = 0.02
    scorer = scorer_of(options(), TaskKind.NUMBERS, outputs=3)

    (report,) = score_numbers(scorer, np.zeros_like(targets), targets)

    assert report.anomalies is not None
    cause = next(cause for cause in report.anomalies.causes if cause.row == 900)
    assert report.anomalies.scores[900] > 0.995
    assert (1, 2) == (cause.outputs[0], len(cause.outputs))
    assert 20 < cause.errors[0] < 40


def test_a_huge_error_does_not_hide_the_next_one() -> None:
    """After an error of 3e38 one of ten times the usual size still stands out."""
    random = np.random.default_rng(1)
    targets = random.normal(size=(1000, 1)).astype(np.float32)
    targets[800], targets[900] = 3e38, 10.0
    scorer = scorer_of(options(), TaskKind.NUMBERS)

    (report,) = score_numbers(scorer, np.zeros_like(targets), targets)

    assert report.anomalies is not None
    assert {800, 900} <= {cause.row for cause in report.anomalies.causes}
    assert np.isfinite(report.anomalies.scores).all()


def test_a_surely_wrong_label_names_both_labels() -> None:
    """The label that was said and the one that was right were the most wrong."""
    outputs = np.tile(np.float32([0.8, 0.1, 0.1]), (300, 1))
    outputs[250] = [0.98, 0.01, 0.01]
    truth = np.zeros(300, np.int32)
    truth[250] = 2
    scorer = scorer_of(options(0.9), TaskKind.CLASSES)

    (report,) = score_labels(scorer, outputs, truth)

    assert report.anomalies is not None
    (cause,) = report.anomalies.causes
    assert (250, {0, 2}) == (cause.row, set(cause.outputs))
    assert (0.99, 0.98) == pytest.approx(cause.errors)


def test_the_first_rows_have_nothing_to_be_compared_with() -> None:
    """They get 0.5, and no cause."""
    targets = np.float32([[0.0], [1e6], [3.0]])

    (report,) = score_numbers(
        scorer_of(options(), TaskKind.NUMBERS), np.zeros_like(targets), targets
    )

    assert report.anomalies is not None
    assert [0.5, 0.5, 0.5] == report.anomalies.scores.tolist()
    assert () == report.anomalies.causes
