"""One scorer for one stream: the parts that were asked for, fed frame by frame."""

from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import NetworkStructure, TaskKind
from kyouko.domain.networks.labels import LabelBook
from kyouko.domain.networks.learner import Labels, RowResults, Rows
from kyouko.domain.networks.scoring import most_probable
from kyouko.domain.scoring.anomaly import ClassAnomalies, NumberAnomalies
from kyouko.domain.scoring.conformal import ClassSets, NumberIntervals
from kyouko.domain.scoring.drift import DriftAlarms
from kyouko.domain.scoring.joining import joined, runs_of
from kyouko.domain.scoring.metrics import ClassTally, NumberTally
from kyouko.domain.scoring.options import (
    DEFAULT_WINDOW_ROWS,
    LEAST_WINDOW_ROWS,
    MOST_CHANNELS,
    DriftOptions,
    ScoringOptions,
)
from kyouko.domain.scoring.report import (
    Anomalies,
    ClassMetrics,
    Intervals,
    LabelSets,
    NumberMetrics,
    ScoreReport,
)
from mesh.errors import InvalidArgument

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]

MOST_MEMORY_BYTES: Final = 64 * 2**20
# About what a detector remembers, and what a scorer takes that remembers nothing yet.
_DETECTOR_BYTES: Final = 8 * 2**10
_LEAST_BYTES: Final = 32 * 2**10
_PLACE: Final = "open.scoring."


def truth_of(rows: Rows, labels: LabelBook) -> Array | None:
    """Return what was right in rows that a network took; None without targets.

    Args:
        rows: as they came.
        labels: the network's, after it learned them.

    Returns:
        Labels as int32, shape (rows,), -1 for unknown ones; numbers as float32, shape
        (rows, outputs).
    """
    if rows.target is None:
        return None
    if isinstance(rows.target, Labels):
        return labels.known(rows.target.values)
    values = rows.target.values.astype(np.float32, copy=False)
    return values.reshape(len(values), -1)


class StreamScorer:
    """Scores a stream; called by one thread at a time, after the network has seen the rows.

    Attributes:
        learned_rows: rows that the network had learned in its life when it was last called.
        has_failed: whether it has made a mistake, and is good for nothing any more.
    """

    def __init__(
        self, options: ScoringOptions, structure: NetworkStructure, *, learned_rows: int
    ) -> None:
        """Make what was asked for; River is imported here, so not in an event loop.

        Args:
            options: What to report.
            structure: The network's.
            learned_rows: Rows the network has learned in its life.

        Raises:
            InvalidArgument: FIELD_INVALID, with the field: a channel that the network does not
                have, or a window that takes more memory than a stream may.
        """
        self.learned_rows = learned_rows
        self.has_failed = False
        self._options = options
        self._is_classes = structure.output.kind is TaskKind.CLASSES
        if options.drift is not None:
            _check_channels(options.drift, structure.channels)
        # A window of labels is as wide as there are labels in it, not as outputs.
        self._begin(0 if self._is_classes else structure.output.size, learned_rows)

    @property
    def most_bytes(self) -> int:
        """About the most memory that it takes."""
        drift = self._options.drift
        channels = 0 if drift is None else len(drift.channels)
        watched = 0 if drift is None else 1 + (MOST_CHANNELS if drift.all_channels else channels)
        detectors = 0 if drift is None else len(drift.detectors)
        return self._window_bytes + watched * detectors * _DETECTOR_BYTES + _LEAST_BYTES

    def fail(self, incident: str) -> ScoreReport:
        """Score nothing any more, as it may be wrong from now on; returns the last word."""
        self.has_failed = True
        return ScoreReport(self._scored_rows, self._since, incident=incident)

    def score(
        self,
        results: RowResults,
        truth: Array | None,
        inputs: Array | None,
        *,
        said: Float32 | None = None,
    ) -> ScoreReport:
        """Score the rows of a frame; those whose loss is NaN count as rows without targets.

        Args:
            results: what the network said of them.
            truth: what was right, as of `truth_of`, numbers NaN where one is not known; None when
                nothing is known yet.
            inputs: the rows, shape (rows, channels); None for rows that were seen before, whose
                targets came late.
            said: what had been said of the truth; None where that is `results.outputs`, as it is
                unless these are forecasts whose truth is still to come.
        """
        self.learned_rows = results.learned_rows
        if len(results.outputs) == 0:
            return ScoreReport(self._scored_rows, self._since)
        if not self._is_classes and results.outputs.shape[1] != self._outputs:
            self._begin(results.outputs.shape[1], results.learned_rows)
        if truth is None or results.loss is None:
            return self._report(results, None, inputs, None)
        said = results.outputs if said is None else said
        is_scored = ~np.isnan(results.loss)
        if is_scored.all():
            return self._report(results, truth, inputs, said)
        runs = runs_of(is_scored)
        reports = [
            self._report(
                _some(results, run),
                truth[run] if is_scored[run.start] else None,
                None if inputs is None else inputs[run],
                said[run],
            )
            for run in runs
        ]
        return joined(reports, runs)

    def _report(
        self, results: RowResults, truth: Array | None, inputs: Array | None, said: Float32 | None
    ) -> ScoreReport:
        """Score rows, all of which have a truth, or none."""
        judged = self._parts.judge(results, truth, said)
        loss = None if truth is None else results.loss
        alarms = self._drift.alarms(inputs, loss, judged.wrong) if self._drift else ()
        self._scored_rows += 0 if truth is None else len(truth)
        return ScoreReport(
            scored_rows=self._scored_rows,
            since_learned_rows=self._since,
            metrics=judged.metrics,
            alarms=alarms,
            anomalies=judged.anomalies,
            expected=judged.expected,
        )

    def _begin(self, outputs: int, learned_rows: int) -> None:
        options = _fitting(self._options, outputs)
        self._outputs = outputs
        self._window_bytes = _row_bytes(options, outputs) * options.window_rows
        self._since = learned_rows
        self._scored_rows = 0
        self._parts = _ClassParts(options) if self._is_classes else _NumberParts(options, outputs)
        self._drift = (
            None
            if options.drift is None
            else DriftAlarms(options.drift, is_classes=self._is_classes)
        )


class _Judged(NamedTuple):
    """What the parts say of a frame; `wrong` is about labels."""

    metrics: ClassMetrics | NumberMetrics | None
    anomalies: Anomalies | None
    expected: Intervals | LabelSets | None
    wrong: Bool | None


class _ClassParts:
    """What can be said of a network that tells classes apart."""

    def __init__(self, options: ScoringOptions) -> None:
        width = options.window_rows
        self._tally = ClassTally(width) if options.metrics else None
        self._anomalies = options.anomaly and ClassAnomalies(options.anomaly, width)
        self._sets = ClassSets(options.coverage, width) if options.coverage else None

    def judge(self, results: RowResults, truth: Int32 | None, _: Float32 | None) -> _Judged:
        """Judge rows."""
        outputs, predicted, loss = results.outputs, results.predicted, results.loss
        if predicted is None:
            predicted = most_probable(outputs)
        sets = self._sets.expect(outputs, predicted, truth) if self._sets else None
        if truth is None or loss is None:
            return _Judged(None, None, sets, None)
        return _Judged(
            metrics=self._tally.add(truth, predicted, loss) if self._tally else None,
            anomalies=self._anomalies.judge(outputs, truth, loss) if self._anomalies else None,
            expected=sets,
            wrong=(predicted != truth) | (truth < 0),
        )


class _NumberParts:
    """What can be said of a network that predicts numbers."""

    def __init__(self, options: ScoringOptions, outputs: int) -> None:
        width = options.window_rows
        self._tally = NumberTally(width, outputs) if options.metrics else None
        self._anomalies = options.anomaly and NumberAnomalies(options.anomaly, width, outputs)
        self._intervals = (
            NumberIntervals(options.coverage, width, outputs) if options.coverage else None
        )

    def judge(self, results: RowResults, truth: Float32 | None, said: Float32 | None) -> _Judged:
        """Judge rows by what was said of their truth."""
        outputs = results.outputs
        said = outputs if said is None else said
        intervals = self._intervals.expect(outputs, truth, said) if self._intervals else None
        if truth is None:
            return _Judged(None, None, intervals, None)
        targets = truth.astype(np.float64)
        errors = said - targets
        return _Judged(
            metrics=self._tally.add(errors, targets) if self._tally else None,
            anomalies=self._anomalies.judge(np.abs(errors)) if self._anomalies else None,
            expected=intervals,
            wrong=None,
        )


def _some(results: RowResults, rows: slice) -> RowResults:
    predicted = None if results.predicted is None else results.predicted[rows]
    loss = None if results.loss is None else results.loss[rows]
    return replace(results, outputs=results.outputs[rows], predicted=predicted, loss=loss)


def _check_channels(drift: DriftOptions, channels: int) -> None:
    if drift.all_channels and channels > MOST_CHANNELS:
        raise _invalid(
            "drift.all_input_channels",
            f"the network has {channels} channels, and at most {MOST_CHANNELS} can be watched; "
            f"name some in input_channels",
            limit=MOST_CHANNELS,
            actual=channels,
        )
    for place, channel in enumerate(drift.channels):
        if not 0 <= channel < channels:
            raise _invalid(
                f"drift.input_channels[{place}]",
                f"the network has no channel {channel}; its channels are 0 to {channels - 1}",
                limit=channels - 1,
                actual=channel,
            )


def _fitting(options: ScoringOptions, outputs: int) -> ScoringOptions:
    """Return the options with a window that fits into the memory of a stream."""
    row_bytes = _row_bytes(options, outputs)
    most = max(MOST_MEMORY_BYTES // row_bytes, LEAST_WINDOW_ROWS)
    if options.window_rows == 0:
        return replace(options, window_rows=min(DEFAULT_WINDOW_ROWS, most))
    if options.window_rows > most:
        raise _invalid(
            "window_rows",
            f"{options.window_rows} rows of {outputs} outputs take "
            f"{row_bytes * options.window_rows} bytes, and a stream may take "
            f"{MOST_MEMORY_BYTES}; that is {most} rows",
            limit=most,
            actual=options.window_rows,
        )
    return options


def _row_bytes(options: ScoringOptions, outputs: int) -> int:
    """Return about what a row of the window takes; classes remember no outputs."""
    of_metrics = 48 + 144 * outputs if options.metrics else 0
    of_anomalies = 8 + 8 * outputs if options.anomaly else 0
    of_intervals = 24 + 8 * outputs if options.coverage else 0
    return 1 + of_metrics + of_anomalies + of_intervals


def _invalid(field: str, problem: str, *, limit: int, actual: int) -> InvalidArgument:
    return InvalidArgument.for_field(
        f"{_PLACE}{field}", problem, metadata={"limit": str(limit), "actual": str(actual)}
    )
