"""Scores of what real networks say while they learn."""

import numpy as np

from kyouko.domain.engine import Arrival, TaskKind
from kyouko.domain.networks.learner import Labels, Learner, Numbers, Rows
from kyouko.domain.scoring import ScoreReport, StreamScorer, truth_of
from kyouko.domain.scoring.report import ClassMetrics, Intervals, LabelSets, NumberMetrics
from tests.unit.kyouko.scoring.builders import ALL_PARTS, structure


def taught(kind: TaskKind, frames: list[Rows]) -> tuple[ScoreReport, int]:
    """Return the report after the last frame, and the rows predicted right (classes)."""
    learner = Learner(structure(kind, channels=2), None)
    scorer = StreamScorer(ALL_PARTS, learner.structure, learned_rows=0)
    right = 0
    for rows in frames:
        results = learner.learn(rows, Arrival.STREAMED)
        report = scorer.score(results, truth_of(rows, learner.labels), rows.inputs)
        right += results.correct_rows
    return report, right


def test_labels_that_open_on_the_way_are_scored() -> None:
    """The accuracy is the share of rows that the network says it predicted right."""
    inputs = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    words = np.array(["low", "high"])[(inputs[:, 0] > 0).astype(int)].tolist()
    frames = [Rows(inputs[n : n + 50], Labels(words[n : n + 50])) for n in range(0, 400, 50)]

    report, right = taught(TaskKind.CLASSES, frames)

    assert isinstance(report.metrics, ClassMetrics)
    total = report.metrics.total
    assert (400, right / 400) == (report.scored_rows, total.network.accuracy)
    assert total.network.accuracy > total.majority_class.accuracy + 0.2
    assert isinstance(report.expected, LabelSets)
    assert 50 == len(report.expected.sizes)


def test_numbers_are_scored_beside_their_baselines() -> None:
    """A network that learns a line is better than the last value and the mean."""
    inputs = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    targets = 300 + 5 * inputs[:, 0]
    frames = [Rows(inputs[n : n + 50], Numbers(targets[n : n + 50])) for n in range(0, 400, 50)]

    report, _ = taught(TaskKind.NUMBERS, frames)

    assert isinstance(report.metrics, NumberMetrics)
    window = report.metrics.window
    assert window.network.mae < window.running_mean.mae < window.last_value.mae
    assert isinstance(report.expected, Intervals)
    assert np.isfinite(report.expected.upper).all()
