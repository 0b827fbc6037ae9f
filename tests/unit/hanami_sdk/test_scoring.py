"""Scores in the stream: what is asked for, and what was said, for people."""

import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb

from hanami_sdk.errors import InvalidArgument
from hanami_sdk.results import Result
from hanami_sdk.scoring import (
    AnomalyCause,
    ClassFigures,
    ClassMetrics,
    Coverage,
    DriftAlarm,
    NumberFigures,
    NumberMetrics,
    Scores,
    Scoring,
)
from hanami_sdk.tensors import encode


def scores_of(message: pb.LearnScores) -> Scores:
    """Return the scores of a result with this message."""
    scores = Result(pb.LearnResult(scores=message), rows=2, labels=[]).scores
    assert scores is not None
    return scores


def test_a_result_without_scores_has_none() -> None:
    """The stream did not ask for them."""
    assert Result(pb.LearnResult(sequence=1), rows=2, labels=[]).scores is None


def test_only_what_is_wanted_is_asked_for() -> None:
    """Figures when nothing is said, each other part by itself."""
    assert pb.LearnScoring(metrics=True) == Scoring().message()
    assert (
        pb.LearnScoring(anomaly=pb.AnomalyOptions())
        == Scoring(metrics=False, anomaly=True).message()
    )
    assert pb.LearnScoring(drift=pb.DriftOptions()) == Scoring(metrics=False, drift=()).message()


def test_everything_can_be_asked_for() -> None:
    """Every argument has its field."""
    asked = Scoring(
        window_rows=50,
        drift=["KSWIN", "ADWIN"],
        drift_channels=[4, 2],
        anomaly=True,
        anomaly_threshold=0.5,
        most_contributions=7,
        coverage=0.75,
    ).message()

    assert asked == pb.LearnScoring(
        window_rows=50,
        metrics=True,
        drift=pb.DriftOptions(
            detectors=[pb.DRIFT_DETECTOR_KSWIN, pb.DRIFT_DETECTOR_ADWIN], input_channels=[4, 2]
        ),
        anomaly=pb.AnomalyOptions(threshold=0.5, most_contributions=7),
        intervals=pb.IntervalOptions(coverage=0.75),
    )


def test_one_detector_may_watch_all_channels() -> None:
    """A name stands for a list of one."""
    asked = Scoring(drift="PAGE_HINKLEY", drift_channels="all").message()

    assert [pb.DRIFT_DETECTOR_PAGE_HINKLEY] == list(asked.drift.detectors)
    assert asked.drift.all_input_channels


@pytest.mark.parametrize("name", ["adwin", "UNSPECIFIED"])
def test_an_unknown_detector_is_refused_with_the_known_ones(name: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidArgument, match="ADWIN, PAGE_HINKLEY, KSWIN"):
        Scoring(drift=[name]).message()  # type: ignore[list-item]  # what a person may type


def test_figures_of_labels_are_compared() -> None:
    """What is not defined is None."""
    network = pb.ClassFigures(accuracy=0.9, log_loss=0.3, macro_f1=0.8, kappa=0.7)
    naive = pb.ClassFigures(accuracy=0.5, macro_f1=0.3)
    found = pb.ClassComparison(rows=10, network=network, majority_class=naive, last_class=naive)

    scores = scores_of(
        pb.LearnScores(
            scored_rows=10,
            since_learned_rows=5,
            classes=pb.ClassMetrics(total=found, window=found),
        )
    )

    assert (10, 5) == (scores.scored_rows, scores.since_learned_rows)
    assert isinstance(scores.metrics, ClassMetrics)
    assert scores.metrics.window.rows == 10
    assert ClassFigures(0.9, 0.3, 0.8, 0.7) == scores.metrics.total.network
    assert ClassFigures(0.5, None, 0.3, None) == scores.metrics.total.last_class


def test_figures_of_numbers_are_compared() -> None:
    """Network, last value and mean, each in its place."""
    found = pb.NumberComparison(
        rows=10,
        network=pb.NumberFigures(mae=1, rmse=2, r2=0.5),
        last_value=pb.NumberFigures(mae=3, rmse=4),
        running_mean=pb.NumberFigures(mae=5, rmse=6, r2=0),
    )

    metrics = scores_of(pb.LearnScores(numbers=pb.NumberMetrics(total=found, window=found))).metrics

    assert isinstance(metrics, NumberMetrics)
    assert NumberFigures(1, 2, 0.5) == metrics.total.network
    assert NumberFigures(3, 4, None) == metrics.window.last_value
    assert NumberFigures(5, 6, 0) == metrics.window.running_mean


def test_alarms_and_anomalies_are_read() -> None:
    """A channel 0 is a channel; an alarm without one is about the error."""
    scores = scores_of(
        pb.LearnScores(
            alarms=[
                pb.DriftAlarm(row=1, detector=pb.DRIFT_DETECTOR_ADWIN, input_channel=0),
                pb.DriftAlarm(row=2, detector=pb.DRIFT_DETECTOR_KSWIN),
            ],
            anomaly=pb.AnomalyScores(
                scores=encode(np.float32([0.25, 1.0])),
                causes=[pb.AnomalyCause(row=1, outputs=[3, 0], errors=[8.0, 2.0])],
            ),
        )
    )

    assert (DriftAlarm(1, "ADWIN", 0), DriftAlarm(2, "KSWIN", None)) == scores.alarms
    assert [0.25, 1.0] == scores.anomaly.tolist()
    assert (AnomalyCause(1, (3, 0), (8.0, 2.0)),) == scores.causes


def test_intervals_are_arrays() -> None:
    """One line for each row."""
    scores = scores_of(
        pb.LearnScores(
            intervals=pb.PredictionIntervals(
                lower=encode(np.float32([[1.0], [2.0]])),
                upper=encode(np.float32([[3.0], [4.0]])),
                coverage=pb.Coverage(expected=0.9, total=0.88),
            )
        )
    )

    assert scores.intervals is not None
    assert [[1.0], [2.0]] == scores.intervals.lower.tolist()
    assert [[3.0], [4.0]] == scores.intervals.upper.tolist()
    assert Coverage(0.9, 0.88, None) == scores.intervals.coverage
    assert scores.label_sets is None


def test_sets_are_divided_by_row() -> None:
    """A row may have an empty set while no label is known."""
    scores = scores_of(
        pb.LearnScores(
            sets=pb.PredictionSets(
                sizes=encode(np.int32([0, 2, 1])), labels=encode(np.int32([0, 4, 1]))
            )
        )
    )

    assert scores.label_sets is not None
    assert [[], [0, 4], [1]] == [labels.tolist() for labels in scores.label_sets.sets]
    assert scores.intervals is None


def test_what_was_not_said_is_empty() -> None:
    """Rows without targets have no anomaly score, and a stream may ask for little."""
    scores = scores_of(pb.LearnScores(scored_rows=3))

    assert (None, (), 0, ()) == (scores.metrics, scores.alarms, scores.anomaly.size, scores.causes)
