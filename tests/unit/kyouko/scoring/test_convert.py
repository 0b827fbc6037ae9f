"""Scores as messages: what is asked for, and what is said."""

import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb

from kyouko.convert.scores import scores_message, scoring_options
from kyouko.domain.engine import TaskKind
from kyouko.domain.scoring import (
    AnomalyOptions,
    Detector,
    DriftOptions,
    ScoreReport,
    ScoringOptions,
)
from kyouko.domain.scoring.report import Alarm
from mesh.errors import InvalidArgument
from mesh.tensors import array_of
from mesh.validation import check
from tests.unit.kyouko.scoring.builders import ALL_PARTS, score_labels, score_numbers, scorer_of

NETWORK = "projects/garden/networks/roses"


def opening(**scoring: object) -> pb.LearnOpen:
    """Return an open message that asks for scores."""
    asked = pb.LearnScoring(**scoring)  # type: ignore[arg-type]
    return pb.LearnOpen(network=NETWORK, mode=pb.LEARN_MODE_LEARN, scoring=asked)


def test_a_stream_that_asks_for_no_scores_gets_none() -> None:
    """The field is not set."""
    assert scoring_options(pb.LearnOpen(network=NETWORK)) is None


def test_what_is_not_said_has_a_default() -> None:
    """Empty parts ask for the usual."""
    found = scoring_options(
        opening(
            metrics=True,
            drift=pb.DriftOptions(),
            anomaly=pb.AnomalyOptions(),
            intervals=pb.IntervalOptions(),
        )
    )

    assert (
        ScoringOptions(0, True, DriftOptions((Detector.ADWIN,)), AnomalyOptions(0.99, 3), 0.9)
        == found
    )


def test_what_is_said_is_taken_over() -> None:
    """Every field has its place."""
    drift = pb.DriftOptions(
        detectors=[pb.DRIFT_DETECTOR_KSWIN, pb.DRIFT_DETECTOR_PAGE_HINKLEY], input_channels=[3, 1]
    )
    found = scoring_options(
        opening(
            window_rows=50,
            drift=drift,
            anomaly=pb.AnomalyOptions(threshold=0.5, most_contributions=7),
            intervals=pb.IntervalOptions(coverage=0.75),
        )
    )

    expected = ScoringOptions(
        window_rows=50,
        drift=DriftOptions((Detector.KSWIN, Detector.PAGE_HINKLEY), (3, 1)),
        anomaly=AnomalyOptions(0.5, 7),
        coverage=0.75,
    )
    assert expected == found


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (opening(window_rows=50), "open.scoring"),
        (
            opening(drift=pb.DriftOptions(input_channels=[1], all_input_channels=True)),
            "open.scoring.drift.input_channels",
        ),
    ],
)
def test_contradictions_are_refused_by_name(message: pb.LearnOpen, field: str) -> None:
    """Scores of nothing, and some channels beside all."""
    with pytest.raises(InvalidArgument) as caught:
        scoring_options(message)

    assert field == caught.value.metadata["field"]


@pytest.mark.parametrize(
    ("scoring", "field"),
    [
        ({"window_rows": 15}, "scoring.window_rows"),
        ({"window_rows": 100_001}, "scoring.window_rows"),
        ({"drift": pb.DriftOptions(detectors=[0])}, "scoring.drift.detectors[0]"),
        ({"drift": pb.DriftOptions(detectors=[1, 1])}, "scoring.drift.detectors"),
        ({"drift": pb.DriftOptions(input_channels=[-1])}, "scoring.drift.input_channels[0]"),
        ({"anomaly": pb.AnomalyOptions(threshold=1.5)}, "scoring.anomaly.threshold"),
        ({"anomaly": pb.AnomalyOptions(threshold=float("nan"))}, "scoring.anomaly.threshold"),
        ({"intervals": pb.IntervalOptions(coverage=1.0)}, "scoring.intervals.coverage"),
        ({"intervals": pb.IntervalOptions(coverage=float("nan"))}, "scoring.intervals.coverage"),
    ],
)
def test_the_contract_refuses_what_cannot_be(scoring: dict[str, object], field: str) -> None:
    """Out of range, twice the same, or not a number."""
    with pytest.raises(InvalidArgument) as caught:
        check(opening(**scoring), prefix="open.")

    assert [f"open.{field}"] == [violation.field for violation in caught.value.violations]


def test_the_contract_takes_what_can_be() -> None:
    """Zeros stand for the defaults."""
    asked = opening(
        window_rows=16,
        drift=pb.DriftOptions(detectors=[1, 2, 3], input_channels=[0, 255]),
        anomaly=pb.AnomalyOptions(threshold=1.0, most_contributions=32),
        intervals=pb.IntervalOptions(coverage=0.999),
    )

    check(asked)
    check(opening(intervals=pb.IntervalOptions()))

    assert scoring_options(asked) is not None


def test_a_report_on_numbers_becomes_a_message() -> None:
    """Figures, anomalies and intervals arrive as they are."""
    random = np.random.default_rng(1)
    targets = random.normal(size=(200, 2)).astype(np.float32)
    scorer = scorer_of(ALL_PARTS, TaskKind.NUMBERS, outputs=2)
    (report,) = score_numbers(scorer, np.zeros_like(targets), targets, np.zeros((200, 2)))

    message = scores_message(report)

    assert report.metrics is not None
    assert report.anomalies is not None
    assert (200, 100) == (message.scored_rows, message.since_learned_rows)
    assert (199, 40) == (message.numbers.total.rows, message.numbers.window.rows)
    assert vars(report.metrics.window.network) == {
        name: getattr(message.numbers.window.network, name) for name in ("mae", "rmse", "r2")
    }
    assert message.numbers.total.running_mean.mae < message.numbers.total.last_value.mae
    scores = array_of(message.anomaly.scores, field="scores")
    assert report.anomalies.scores.tolist() == scores.tolist()
    assert [cause.row for cause in report.anomalies.causes] == [
        cause.row for cause in message.anomaly.causes
    ]
    assert list(report.anomalies.causes[0].outputs) == list(message.anomaly.causes[0].outputs)
    assert [200, 2] == list(message.intervals.lower.shape)
    assert 0.8 == message.intervals.coverage.expected
    assert 0.5 < message.intervals.coverage.window <= 1.0


def test_a_report_on_labels_becomes_a_message() -> None:
    """What is not defined is not set."""
    truth = np.zeros(30, np.int32)
    scorer = scorer_of(ALL_PARTS, TaskKind.CLASSES)
    (report,) = score_labels(scorer, np.tile(np.float32([0.7, 0.3]), (30, 1)), truth)

    message = scores_message(report)

    figures = message.classes.total
    assert (30, 1.0) == (figures.rows, figures.network.accuracy)
    assert not figures.network.HasField("kappa")
    assert not figures.last_class.HasField("log_loss")
    sizes = array_of(message.sets.sizes, field="sizes")
    assert (30,) == sizes.shape
    assert sizes.sum() == message.sets.labels.shape[0]


def test_alarms_say_what_has_changed() -> None:
    """Channel 0 is a channel; the error is none."""
    report = ScoreReport(
        5, 0, alarms=(Alarm(1, Detector.KSWIN, 0), Alarm(3, Detector.PAGE_HINKLEY))
    )

    input_changed, error_rose = scores_message(report).alarms

    assert (1, pb.DRIFT_DETECTOR_KSWIN) == (input_changed.row, input_changed.detector)
    assert (True, 0) == (input_changed.HasField("input_channel"), input_changed.input_channel)
    assert (3, pb.DRIFT_DETECTOR_PAGE_HINKLEY) == (error_rose.row, error_rose.detector)
    assert not error_rose.HasField("input_channel")
