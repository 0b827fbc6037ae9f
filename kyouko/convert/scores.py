"""What a stream asks to be told about its rows, and what it is told, to and from messages."""

from dataclasses import asdict

from hanami.kyouko.v1 import learning_service_pb2 as pb

from kyouko.domain.scoring import (
    AnomalyOptions,
    Detector,
    DriftOptions,
    ScoreReport,
    ScoringOptions,
)
from kyouko.domain.scoring.options import DEFAULT_COVERAGE
from kyouko.domain.scoring.report import (
    Alarm,
    Anomalies,
    ClassComparison,
    ClassMetrics,
    Coverage,
    Intervals,
    LabelSets,
    NumberComparison,
    NumberMetrics,
)
from mesh.errors import InvalidArgument
from mesh.status import internal_status
from mesh.tensors import tensor_of

_DETECTORS = {
    pb.DRIFT_DETECTOR_ADWIN: Detector.ADWIN,
    pb.DRIFT_DETECTOR_PAGE_HINKLEY: Detector.PAGE_HINKLEY,
    pb.DRIFT_DETECTOR_KSWIN: Detector.KSWIN,
}
_DETECTOR_NUMBERS = {detector: number for number, detector in _DETECTORS.items()}


def scoring_options(message: pb.LearnOpen) -> ScoringOptions | None:
    """Return what a validated open message asks for; None where it asks for no scores.

    Raises:
        InvalidArgument: FIELD_INVALID: `scoring` without any part, or channels named one by one
            and all at once.
    """
    if not message.HasField("scoring"):
        return None
    asked = message.scoring
    options = ScoringOptions(
        window_rows=asked.window_rows,
        metrics=asked.metrics,
        drift=_drift_options(asked.drift) if asked.HasField("drift") else None,
        anomaly=_anomaly_options(asked.anomaly) if asked.HasField("anomaly") else None,
        coverage=(
            asked.intervals.coverage or DEFAULT_COVERAGE if asked.HasField("intervals") else None
        ),
    )
    if not (options.metrics or options.drift or options.anomaly or options.coverage):
        raise InvalidArgument.for_field(
            "open.scoring",
            "asks for nothing; set metrics, drift, anomaly or intervals, or leave it",
        )
    return options


def _drift_options(asked: pb.DriftOptions) -> DriftOptions:
    if asked.all_input_channels and asked.input_channels:
        raise InvalidArgument.for_field(
            "open.scoring.drift.input_channels", "names channels beside all_input_channels"
        )
    return DriftOptions(
        detectors=tuple(_DETECTORS[item] for item in asked.detectors) or (Detector.ADWIN,),
        channels=tuple(asked.input_channels),
        all_channels=asked.all_input_channels,
    )


def _anomaly_options(asked: pb.AnomalyOptions) -> AnomalyOptions:
    usual = AnomalyOptions()
    return AnomalyOptions(
        threshold=asked.threshold or usual.threshold,
        most_contributions=asked.most_contributions or usual.most_contributions,
    )


def scores_message(report: ScoreReport) -> pb.LearnScores:
    """Return a report as a message."""
    message = pb.LearnScores(
        scored_rows=report.scored_rows,
        since_learned_rows=report.since_learned_rows,
        alarms=[_alarm_message(alarm) for alarm in report.alarms],
    )
    if isinstance(report.metrics, ClassMetrics):
        _put_classes(message.classes.total, report.metrics.total)
        _put_classes(message.classes.window, report.metrics.window)
    elif isinstance(report.metrics, NumberMetrics):
        _put_numbers(message.numbers.total, report.metrics.total)
        _put_numbers(message.numbers.window, report.metrics.window)
    if report.anomalies is not None:
        message.anomaly.CopyFrom(_anomaly_message(report.anomalies))
    if isinstance(report.expected, Intervals):
        message.intervals.CopyFrom(_intervals_message(report.expected))
    elif isinstance(report.expected, LabelSets):
        message.sets.CopyFrom(_sets_message(report.expected))
    if report.incident:
        message.failure.CopyFrom(internal_status(report.incident))
    return message


def _alarm_message(alarm: Alarm) -> pb.DriftAlarm:
    return pb.DriftAlarm(
        row=alarm.row,
        detector=_DETECTOR_NUMBERS[alarm.detector],
        input_channel=alarm.channel,
    )


def _put_classes(message: pb.ClassComparison, found: ClassComparison) -> None:
    message.rows = found.rows
    message.network.CopyFrom(pb.ClassFigures(**vars(found.network)))
    message.majority_class.CopyFrom(pb.ClassFigures(**vars(found.majority_class)))
    message.last_class.CopyFrom(pb.ClassFigures(**vars(found.last_class)))


def _put_numbers(message: pb.NumberComparison, found: NumberComparison) -> None:
    message.rows = found.rows
    message.network.CopyFrom(pb.NumberFigures(**vars(found.network)))
    message.last_value.CopyFrom(pb.NumberFigures(**vars(found.last_value)))
    message.running_mean.CopyFrom(pb.NumberFigures(**vars(found.running_mean)))


def _anomaly_message(found: Anomalies) -> pb.AnomalyScores:
    return pb.AnomalyScores(
        scores=tensor_of(found.scores),
        causes=[pb.AnomalyCause(**asdict(cause)) for cause in found.causes],
    )


def _intervals_message(found: Intervals) -> pb.PredictionIntervals:
    return pb.PredictionIntervals(
        lower=tensor_of(found.lower),
        upper=tensor_of(found.upper),
        coverage=_coverage_message(found.coverage),
    )


def _sets_message(found: LabelSets) -> pb.PredictionSets:
    return pb.PredictionSets(
        sizes=tensor_of(found.sizes),
        labels=tensor_of(found.labels),
        coverage=_coverage_message(found.coverage),
    )


def _coverage_message(found: Coverage) -> pb.Coverage:
    return pb.Coverage(**vars(found))
