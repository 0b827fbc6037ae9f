"""One scorer for one stream: what holds for all of its parts together."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyouko.domain.engine import TaskKind
from kyouko.domain.networks.labels import LabelBook
from kyouko.domain.networks.learner import Labels, Numbers, Rows
from kyouko.domain.scoring import DriftOptions, ScoringOptions, truth_of
from kyouko.domain.scoring.report import Anomalies, Intervals, LabelSets, NumberMetrics, ScoreReport
from mesh.errors import InvalidArgument
from tests.unit.kyouko.scoring.builders import (
    ALL_PARTS,
    frames,
    label_results,
    number_results,
    score_labels,
    score_numbers,
    scorer_of,
)

NOTHING = Anomalies(np.zeros(0, np.float32), ())
SIZES = st.lists(st.integers(1, 90), min_size=1, max_size=8)


def by_rows(reports: list[ScoreReport], starts: list[int]) -> dict[str, object]:
    """Return what reports say of the rows of the stream, and how it stands after the last."""
    anomalies = [report.anomalies or NOTHING for report in reports]
    last = reports[-1]
    metrics = [report.metrics for report in reports if report.metrics]
    found: dict[str, object] = {
        "end": (last.scored_rows, last.since_learned_rows, metrics[-1:]),
        "scores": [
            score for part in anomalies for score in part.scores[~np.isnan(part.scores)].tolist()
        ],
        "alarms": [
            (start + alarm.row, alarm.detector, alarm.channel)
            for start, report in zip(starts, reports, strict=True)
            for alarm in report.alarms
        ],
        "causes": [
            (start + cause.row, cause.outputs, cause.errors)
            for start, part in zip(starts, anomalies, strict=True)
            for cause in part.causes
        ],
    }
    bounds = [report.expected for report in reports]
    found["bounds"] = [
        part.lower.tolist() if isinstance(part, Intervals) else part.sizes.tolist()
        for part in bounds
        if part is not None
    ]
    found["bounds"] = [row for part in found["bounds"] for row in part]  # type: ignore[attr-defined]
    found["sets"] = [
        label for part in bounds if isinstance(part, LabelSets) for label in part.labels.tolist()
    ]
    return found


@settings(max_examples=15, deadline=None)
@given(SIZES, st.integers(0, 100))
def test_frames_of_numbers_do_not_matter(sizes: list[int], seed: int) -> None:
    """Rows in one frame, in any frames and one by one are scored alike, bit for bit."""
    random = np.random.default_rng(seed)
    rows = sum(sizes)
    inputs = random.normal(size=(rows, 2)) + np.linspace(0, 5, rows)[:, np.newaxis]
    targets = (random.normal(size=(rows, 3)) * [1, 100, 0.01]).astype(np.float32)
    outputs = (targets + random.normal(size=(rows, 3)) * 0.1).astype(np.float32)
    # Some values are not known, and some rows not at all.
    targets[random.random((rows, 3)) < 0.1] = np.nan
    targets[random.random(rows) < 0.1] = np.nan

    found = []
    for cuts in ([rows], sizes, [1] * rows):
        scorer = scorer_of(ALL_PARTS, TaskKind.NUMBERS, outputs=3)
        reports = score_numbers(scorer, outputs, targets, inputs, sizes=cuts)
        found.append(by_rows(reports, [part.start for part in frames(rows, cuts)]))

    assert found[0] == found[1]
    assert found[0] == found[2]


@settings(max_examples=15, deadline=None)
@given(SIZES, st.integers(0, 100))
def test_frames_of_labels_do_not_matter(sizes: list[int], seed: int) -> None:
    """Also while labels open outputs within a frame."""
    random = np.random.default_rng(seed)
    rows = sum(sizes)
    inputs = random.normal(size=(rows, 2))
    truth = random.integers(0, 1 + np.arange(rows) // 8 % 6).astype(np.int32)
    known = np.maximum.accumulate(truth) + 1
    chances = random.random((rows, 6)) * (np.arange(6) < np.concatenate(([0], known[:-1]))[:, None])
    chances /= np.maximum(chances.sum(axis=1), 1e-9)[:, np.newaxis]

    found = []
    for cuts in ([rows], sizes, [1] * rows):
        scorer = scorer_of(ALL_PARTS, TaskKind.CLASSES)
        reports = [
            scorer.score(
                label_results(chances[part, : known[part.stop - 1]], truth[part]),
                truth[part],
                inputs[part],
            )
            for part in frames(rows, cuts)
        ]
        found.append(by_rows(reports, [part.start for part in frames(rows, cuts)]))

    assert found[0] == found[1]
    assert found[0] == found[2]


@pytest.mark.parametrize("kind", list(TaskKind))
def test_what_is_not_a_number_leaves_scores_finite(kind: TaskKind) -> None:
    """NaN and infinities among the inputs, and the largest numbers among the targets."""
    inputs = np.array([[np.nan, np.inf], [-np.inf, 1e300]] * 60)
    scorer = scorer_of(ALL_PARTS, kind)
    if kind is TaskKind.CLASSES:
        outputs = np.tile(np.float32([0.5, 0.5]), (120, 1))
        reports = score_labels(scorer, outputs, np.arange(120, dtype=np.int32) % 2, inputs)
    else:
        targets = np.resize(np.float32([3e38, -3e38, 1e-45, 0]), (120, 1))
        reports = score_numbers(scorer, targets[::-1].copy(), targets, inputs)

    report = reports[-1]
    assert report.metrics is not None
    figures = report.metrics.total.network
    assert all(value is None or np.isfinite(value) for value in vars(figures).values())
    assert report.anomalies is not None
    assert np.isfinite(report.anomalies.scores).all()


def test_nothing_but_what_was_asked_for_is_said() -> None:
    """Each part stands for itself."""
    targets = np.ones((30, 1), np.float32)
    for asked, name in (
        (ScoringOptions(metrics=True), "metrics"),
        (ScoringOptions(coverage=0.9), "expected"),
        (ScoringOptions(anomaly=ALL_PARTS.anomaly), "anomalies"),
    ):
        (report,) = score_numbers(scorer_of(asked, TaskKind.NUMBERS), targets, targets)

        said = {key for key in ("metrics", "expected", "anomalies") if getattr(report, key)}
        assert {name} == said
        assert () == report.alarms
        assert (30, 100) == (report.scored_rows, report.since_learned_rows)


def test_another_number_of_outputs_begins_anew() -> None:
    """Errors of three outputs are not compared with those of two."""
    scorer = scorer_of(ALL_PARTS, TaskKind.NUMBERS, outputs=2)
    two, three = np.ones((30, 2), np.float32), np.ones((30, 3), np.float32)
    score_numbers(scorer, two, two)

    (report,) = score_numbers(scorer, three, three)

    assert 30 == report.scored_rows
    assert isinstance(report.expected, Intervals)
    assert (30, 3) == report.expected.lower.shape


def test_rows_without_a_score_stand_between_those_with_one() -> None:
    """They get intervals, no anomaly score, and count in no figure."""
    random = np.random.default_rng(1)
    targets = random.normal(size=(120, 1)).astype(np.float32)
    targets[[0, 60, 61, 119]] = np.nan
    scorer = scorer_of(ALL_PARTS, TaskKind.NUMBERS)

    (report,) = score_numbers(scorer, np.zeros_like(targets), targets)

    assert report.anomalies is not None
    assert [0, 60, 61, 119] == np.flatnonzero(np.isnan(report.anomalies.scores)).tolist()
    assert isinstance(report.expected, Intervals)
    assert (120, 1) == report.expected.lower.shape
    assert isinstance(report.metrics, NumberMetrics)
    assert (116, 115) == (report.scored_rows, report.metrics.total.rows)
    assert all(targets[cause.row] == targets[cause.row] for cause in report.anomalies.causes)


def test_an_output_that_is_never_known_changes_nothing() -> None:
    """A dead sensor beside a living one: figures, scores and bounds are those of the living one."""
    random = np.random.default_rng(1)
    targets = random.normal(size=(300, 2)).astype(np.float32)
    targets[:, 1] = np.nan
    outputs = np.zeros_like(targets)

    (alone,) = score_numbers(scorer_of(ALL_PARTS, TaskKind.NUMBERS), outputs[:, :1], targets[:, :1])
    (both,) = score_numbers(scorer_of(ALL_PARTS, TaskKind.NUMBERS, outputs=2), outputs, targets)

    assert alone.metrics == both.metrics
    assert alone.anomalies is not None
    assert both.anomalies is not None
    assert alone.anomalies.scores.tolist() == both.anomalies.scores.tolist()
    assert isinstance(alone.expected, Intervals)
    assert isinstance(both.expected, Intervals)
    assert alone.expected.upper[:, 0].tolist() == both.expected.upper[:, 0].tolist()
    assert np.isposinf(both.expected.upper[:, 1]).all()
    assert alone.expected.coverage == both.expected.coverage


def test_a_forecast_is_judged_by_what_had_been_said() -> None:
    """Bounds are about the forecast of a row; errors about what was said of it before."""
    said = np.zeros((100, 1), np.float32)
    actual = np.random.default_rng(1).normal(size=(100, 1)).astype(np.float32)
    outputs = np.full((100, 1), 1000, np.float32)
    scorer = scorer_of(ScoringOptions(metrics=True, coverage=0.8), TaskKind.NUMBERS)
    results = replace(number_results(said, actual), outputs=outputs)

    report = scorer.score(results, actual, None, said=said)

    assert isinstance(report.metrics, NumberMetrics)
    assert report.metrics.total.network.mae < 2
    assert isinstance(report.expected, Intervals)
    assert report.expected.lower[-1, 0] > 990
    assert report.expected.coverage.total is not None
    assert 0.7 < report.expected.coverage.total < 0.9


def test_a_frame_without_rows_changes_nothing() -> None:
    """It has nothing to be scored."""
    scorer = scorer_of(ALL_PARTS, TaskKind.NUMBERS)
    nothing = np.zeros((0, 1), np.float32)

    report = scorer.score(number_results(nothing, None), None, np.zeros((0, 2)))

    assert ScoreReport(0, 100) == report


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (ScoringOptions(drift=DriftOptions(channels=(0, 2))), "drift.input_channels[1]"),
        (ScoringOptions(window_rows=100_000, metrics=True), "window_rows"),
    ],
)
def test_what_the_network_cannot_do_is_refused(asked: ScoringOptions, field: str) -> None:
    """The error names the field and what is allowed."""
    with pytest.raises(InvalidArgument) as caught:
        scorer_of(asked, TaskKind.NUMBERS, outputs=20)

    assert f"open.scoring.{field}" == caught.value.metadata["field"]
    assert "limit" in caught.value.metadata


def test_too_many_channels_are_not_all_watched() -> None:
    """More than 256 detectors a row would hold the stream up."""
    asked = replace(ALL_PARTS, drift=DriftOptions(all_channels=True))

    with pytest.raises(InvalidArgument, match="257 channels"):
        scorer_of(asked, TaskKind.NUMBERS, channels=257)


def test_the_truth_is_what_the_network_was_taught() -> None:
    """Labels become their outputs, numbers a matrix, no target nothing."""
    book = LabelBook(("cat", "7"), limit=9)
    inputs = np.zeros((2, 1), np.float32)

    labels = truth_of(Rows(inputs, Labels(["7", "cow"])), book)
    digits = truth_of(Rows(inputs, Labels([7, 7])), book)
    numbers = truth_of(Rows(inputs, Numbers(np.array([1.0, 2.0]))), book)

    assert labels is not None
    assert digits is not None
    assert numbers is not None
    assert [1, -1] == labels.tolist()
    assert [1, 1] == digits.tolist()
    assert (np.float32, [[1.0], [2.0]]) == (numbers.dtype, numbers.tolist())
    assert truth_of(Rows(inputs), book) is None


def test_river_is_not_imported_before_somebody_asks_for_alarms() -> None:
    """It takes a second and 80 MiB."""
    code = (
        "import sys; import kyouko.convert.scores; "
        "print([name for name in ('river', 'scipy.stats') if name in sys.modules])"
    )

    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment()
    )

    assert "[]" == found.stdout.strip()


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(entry for entry in sys.path if entry)}
