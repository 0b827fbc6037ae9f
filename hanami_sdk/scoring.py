"""Scores in the stream: what to ask for when a stream is opened, and what its results say.

with client.learn("pumps", scoring=Scoring(anomaly=True, coverage=0.9)) as stream:
result = stream.send(values, targets=pressures)
result.scores.metrics.window.network.mae
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.type.v1 import tensor_pb2
from numpy.typing import NDArray

from hanami_sdk.errors import HanamiError, InvalidArgument, error_from_status
from hanami_sdk.tensors import decode

Detector = Literal["ADWIN", "PAGE_HINKLEY", "KSWIN"]

_DETECTORS: dict[str, pb.DriftDetector.ValueType] = {
    "ADWIN": pb.DRIFT_DETECTOR_ADWIN,
    "PAGE_HINKLEY": pb.DRIFT_DETECTOR_PAGE_HINKLEY,
    "KSWIN": pb.DRIFT_DETECTOR_KSWIN,
}
_NAMES = {number: name for name, number in _DETECTORS.items()}


@dataclass(frozen=True)
class Scoring:
    """What a stream is to say about its rows; each part costs only who asks for it.

    Attributes:
        window_rows: how far back windowed figures, anomaly scores and intervals
            look; 0 lets the server decide (1,000).
        metrics: how well rows were predicted, beside naive baselines.
        drift: who looks for changes of the error and of `drift_channels`: one
            detector or several, such as `"ADWIN"`; None for no alarms.
        drift_channels: input channels to watch as well, or `"all"`.
        anomaly: how unusual the network's error is in each row.
        anomaly_threshold: rows with this score or a higher one come with the
            outputs that were the most wrong; 0 lets the server decide (0.99).
        most_contributions: how many of these outputs; 0 lets the server decide (3).
        coverage: the share of rows whose truth is to lie within the interval, or
            among the set of labels, that comes with each row; None for neither.
    """

    window_rows: int = 0
    metrics: bool = True
    drift: Detector | Iterable[Detector] | None = None
    drift_channels: Iterable[int] | Literal["all"] = ()
    anomaly: bool = False
    anomaly_threshold: float = 0.0
    most_contributions: int = 0
    coverage: float | None = None

    def message(self) -> pb.LearnScoring:
        """Return the message that asks for it.

        Raises:
            InvalidArgument: there is no such detector (FIELD_INVALID).
        """
        asked = pb.LearnScoring(window_rows=self.window_rows, metrics=self.metrics)
        if self.drift is not None:
            asked.drift.SetInParent()
            names = [self.drift] if isinstance(self.drift, str) else self.drift
            asked.drift.detectors.extend(_detector_number(name) for name in names)
            if self.drift_channels == "all":
                asked.drift.all_input_channels = True
            else:
                asked.drift.input_channels.extend(self.drift_channels)
        if self.anomaly:
            asked.anomaly.SetInParent()
            asked.anomaly.threshold = self.anomaly_threshold
            asked.anomaly.most_contributions = self.most_contributions
        if self.coverage is not None:
            asked.intervals.coverage = self.coverage
        return asked


def _detector_number(name: str) -> pb.DriftDetector.ValueType:
    number = _DETECTORS.get(name)
    if number is None:
        raise InvalidArgument(
            f"There is no drift detector {name!r}; there are {', '.join(_DETECTORS)}.",
            reason="FIELD_INVALID",
            metadata={"field": "drift"},
        )
    return number


@dataclass(frozen=True)
class ClassFigures:
    """How well labels were predicted.

    Attributes:
        accuracy: the share of rows.
        log_loss: in nats; None for predictions without probabilities.
        macro_f1: mean over the labels of the harmonic mean of precision and recall.
        kappa: Cohen's; None where only one label came and was predicted.
    """

    accuracy: float
    log_loss: float | None
    macro_f1: float
    kappa: float | None


@dataclass(frozen=True)
class NumberFigures:
    """How well numbers were predicted, each figure the mean over the outputs.

    Attributes:
        r2: None where no target varies.
    """

    mae: float
    rmse: float
    r2: float | None


@dataclass(frozen=True)
class ClassComparison:
    """A network and its baselines on the same rows."""

    rows: int
    network: ClassFigures
    majority_class: ClassFigures
    last_class: ClassFigures


@dataclass(frozen=True)
class NumberComparison:
    """A network and its baselines on the same rows."""

    rows: int
    network: NumberFigures
    last_value: NumberFigures
    running_mean: NumberFigures


@dataclass(frozen=True)
class ClassMetrics:
    """How well labels were predicted, over all rows and over the last ones."""

    total: ClassComparison
    window: ClassComparison


@dataclass(frozen=True)
class NumberMetrics:
    """How well numbers were predicted, over all rows and over the last ones."""

    total: NumberComparison
    window: NumberComparison


@dataclass(frozen=True)
class DriftAlarm:
    """A change that a detector found.

    Attributes:
        row: the row of the frame, from 0.
        input_channel: the channel that changed; None where the error rose.
    """

    row: int
    detector: Detector
    input_channel: int | None


@dataclass(frozen=True)
class AnomalyCause:
    """What made a row unusual.

    Attributes:
        row: the row of the frame, from 0.
        outputs: the most wrong ones, the worst first.
        errors: how wrong each was: numbers in units of the output's median
            absolute error, classes by how much the probability was off.
    """

    row: int
    outputs: tuple[int, ...]
    errors: tuple[float, ...]


@dataclass(frozen=True)
class Coverage:
    """How often the truth was as expected; None before the first scored row."""

    expected: float
    total: float | None
    window: float | None


@dataclass(frozen=True)
class Intervals:
    """Between which bounds the truth is expected, float32 [rows, outputs]."""

    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    coverage: Coverage


@dataclass(frozen=True)
class LabelSets:
    """Among which labels the truth is expected.

    Attributes:
        sets: the indices of the labels for each row.
    """

    sets: tuple[NDArray[np.int32], ...]
    coverage: Coverage


class Scores:
    """What a result says of the rows beside the predictions; decoded when asked for.

    Attributes:
        scored_rows: rows of the stream with labels or targets so far.
        since_learned_rows: rows the network had learned when scoring began.
    """

    def __init__(self, message: pb.LearnScores) -> None:
        self._message = message
        self.scored_rows = message.scored_rows
        self.since_learned_rows = message.since_learned_rows

    @cached_property
    def failure(self) -> HanamiError | None:
        """Why these are the last scores of the stream, if they are; learning goes on."""
        if not self._message.HasField("failure"):
            return None
        return error_from_status(self._message.failure)

    @cached_property
    def metrics(self) -> ClassMetrics | NumberMetrics | None:
        """How well the rows were predicted; None if not asked for, and before there are any."""
        kind = self._message.WhichOneof("metrics")
        if kind == "classes":
            found = self._message.classes
            return ClassMetrics(_classes(found.total), _classes(found.window))
        if kind == "numbers":
            numbers = self._message.numbers
            return NumberMetrics(_numbers(numbers.total), _numbers(numbers.window))
        return None

    @cached_property
    def alarms(self) -> tuple[DriftAlarm, ...]:
        """Changes that were found in the rows of this frame."""
        return tuple(_alarm(alarm) for alarm in self._message.alarms)

    @cached_property
    def anomaly(self) -> NDArray[np.float32]:
        """How unusual the error is in each row, 0 to 1; empty without labels or targets."""
        if not self._message.HasField("anomaly"):
            return np.empty(0, np.float32)
        return cast("NDArray[np.float32]", decode(self._message.anomaly.scores))

    @cached_property
    def causes(self) -> tuple[AnomalyCause, ...]:
        """What made rows unusual, for those whose score reaches the threshold."""
        return tuple(
            AnomalyCause(cause.row, tuple(cause.outputs), tuple(cause.errors))
            for cause in self._message.anomaly.causes
        )

    @cached_property
    def intervals(self) -> Intervals | None:
        """Between which bounds the truth is expected (numbers); None if not asked for."""
        if self._message.WhichOneof("expected") != "intervals":
            return None
        found = self._message.intervals
        return Intervals(
            lower=cast("NDArray[np.float32]", decode(found.lower)),
            upper=cast("NDArray[np.float32]", decode(found.upper)),
            coverage=_coverage(found.coverage),
        )

    @cached_property
    def label_sets(self) -> LabelSets | None:
        """Among which labels the truth is expected (classes); None if not asked for."""
        if self._message.WhichOneof("expected") != "sets":
            return None
        found = self._message.sets
        return LabelSets(_divided(found.labels, found.sizes), _coverage(found.coverage))


def _divided(labels: tensor_pb2.Tensor, sizes: tensor_pb2.Tensor) -> tuple[NDArray[np.int32], ...]:
    ends = np.cumsum(decode(sizes)).tolist()
    every = cast("NDArray[np.int32]", decode(labels))
    return tuple(np.split(every, ends[:-1])) if ends else ()


def _classes(found: pb.ClassComparison) -> ClassComparison:
    return ClassComparison(
        found.rows,
        *(
            ClassFigures(
                accuracy=figures.accuracy,
                log_loss=figures.log_loss if figures.HasField("log_loss") else None,
                macro_f1=figures.macro_f1,
                kappa=figures.kappa if figures.HasField("kappa") else None,
            )
            for figures in (found.network, found.majority_class, found.last_class)
        ),
    )


def _numbers(found: pb.NumberComparison) -> NumberComparison:
    return NumberComparison(
        found.rows,
        *(
            NumberFigures(
                mae=figures.mae,
                rmse=figures.rmse,
                r2=figures.r2 if figures.HasField("r2") else None,
            )
            for figures in (found.network, found.last_value, found.running_mean)
        ),
    )


def _alarm(found: pb.DriftAlarm) -> DriftAlarm:
    channel = found.input_channel if found.HasField("input_channel") else None
    return DriftAlarm(found.row, cast("Detector", _NAMES[found.detector]), channel)


def _coverage(found: pb.Coverage) -> Coverage:
    return Coverage(
        expected=found.expected,
        total=found.total if found.HasField("total") else None,
        window=found.window if found.HasField("window") else None,
    )
