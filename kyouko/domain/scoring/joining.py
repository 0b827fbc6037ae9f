"""Reports on the parts of a frame, put together to one on all of it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kyouko.domain.scoring.report import (
    Anomalies,
    Intervals,
    LabelSets,
    ScoreReport,
)

Bool = npt.NDArray[np.bool_]


def runs_of(marks: Bool) -> list[slice]:
    """Return the rows in runs of the same mark."""
    cuts = [0, *(np.flatnonzero(marks[1:] != marks[:-1]) + 1).tolist(), len(marks)]
    return [slice(first, end) for first, end in pairwise(cuts)]


def joined(reports: Sequence[ScoreReport], runs: Sequence[slice]) -> ScoreReport:
    """Return the report on rows of which these are the reports on runs."""
    metrics = [report.metrics for report in reports if report.metrics is not None]
    return ScoreReport(
        scored_rows=reports[-1].scored_rows,
        since_learned_rows=reports[-1].since_learned_rows,
        metrics=metrics[-1] if metrics else None,
        alarms=tuple(
            alarm.moved(run.start)
            for report, run in zip(reports, runs, strict=True)
            for alarm in report.alarms
        ),
        anomalies=_anomalies(reports, runs),
        expected=_expected(reports),
    )


def _anomalies(reports: Sequence[ScoreReport], runs: Sequence[slice]) -> Anomalies | None:
    if all(report.anomalies is None for report in reports):
        return None
    scores = np.full(runs[-1].stop, np.nan, np.float32)
    causes = []
    for report, run in zip(reports, runs, strict=True):
        if report.anomalies is not None:
            scores[run] = report.anomalies.scores
            causes += [cause.moved(run.start) for cause in report.anomalies.causes]
    return Anomalies(scores, tuple(causes))


def _expected(reports: Sequence[ScoreReport]) -> Intervals | LabelSets | None:
    parts = [report.expected for report in reports]
    intervals = [part for part in parts if isinstance(part, Intervals)]
    if intervals:
        return Intervals(
            lower=np.concatenate([part.lower for part in intervals]),
            upper=np.concatenate([part.upper for part in intervals]),
            coverage=intervals[-1].coverage,
        )
    sets = [part for part in parts if isinstance(part, LabelSets)]
    if not sets:
        return None
    return LabelSets(
        sizes=np.concatenate([part.sizes for part in sets]),
        labels=np.concatenate([part.labels for part in sets]),
        coverage=sets[-1].coverage,
    )
