"""Scores in the stream: what each costs beside learning, and whether they keep what they promise.

Cost is CPU time of the scorer alone, per row, beside that of the network that it scores, in the
same run. Real series: hourly water flow with gaps and faults, and image segments.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import (
    Arrival,
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    TaskKind,
)
from kyouko.domain.networks.learner import Labels, Learner, Numbers, RowResults, Rows
from kyouko.domain.scoring import (
    AnomalyOptions,
    Detector,
    DriftOptions,
    ScoreReport,
    ScoringOptions,
    StreamScorer,
    truth_of,
)
from kyouko.domain.scoring.report import Intervals, LabelSets
from kyouko.kernels.warmup import warm_up
from tests.bench.mnist import Mnist
from tests.bench.progress import follow
from tests.bench.report import Figure, at_least, at_most
from tests.bench.series import mackey_glass
from tests.bench.stream_data import load

_FRAME_ROWS: Final = 64
_LAGS: Final = 24
_COVERAGE: Final = 0.9
# Rows before anomaly scores and intervals are judged: a network that has just begun is no
# stationary source of errors.
_WARM_UP_ROWS: Final = 300
_ALL: Final = ScoringOptions(
    metrics=True, anomaly=AnomalyOptions(), coverage=_COVERAGE, drift=DriftOptions()
)
_PARTS: Final = {
    "metrics": ScoringOptions(metrics=True),
    "anomaly": ScoringOptions(anomaly=AnomalyOptions()),
    "intervals": ScoringOptions(coverage=_COVERAGE),
    "adwin": ScoringOptions(drift=DriftOptions()),
    "page_hinkley": ScoringOptions(drift=DriftOptions((Detector.PAGE_HINKLEY,))),
    "kswin": ScoringOptions(drift=DriftOptions((Detector.KSWIN,))),
    "adwin_of_inputs": ScoringOptions(drift=DriftOptions(all_channels=True)),
    "all_but_inputs": _ALL,
}


@dataclass(frozen=True)
class Source:
    """A stream to be learned: raw inputs and what there is to learn."""

    name: str
    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[Any]

    @property
    def is_classes(self) -> bool:
        """Whether the targets are classes."""
        return self.targets.ndim == 1

    def frame(self, part: slice) -> Rows:
        """Return rows as they come."""
        if self.is_classes:
            return Rows(self.inputs[part], Labels(self.targets[part].tolist()))
        return Rows(self.inputs[part], Numbers(self.targets[part]))

    def learner(self, seed: int) -> Learner:
        """Return a flat network with nothing but defaults."""
        channels = self.inputs.shape[1]
        kind = TaskKind.CLASSES if self.is_classes else TaskKind.NUMBERS
        return Learner(
            NetworkStructure(
                inputs=(InputPopulation("input", channels, (channels, 1, 1), (0.0, 0.0, 0.0)),),
                populations=(Population("hidden", (0.0, 0.0, 1.0), 128),),
                output=OutputPopulation("output", kind, 0 if self.is_classes else 1),
                options=EngineOptions(seed=seed),
            ),
            None,
        )


@dataclass(frozen=True)
class Said:
    """A frame as the network answered it."""

    results: RowResults
    truth: npt.NDArray[Any] | None
    inputs: npt.NDArray[Any]


def measure(_: Mnist, runs: int) -> list[Figure]:
    """Measure the costs on made streams, and the promises on real ones."""
    warm_up()
    sources = (_series(), _rows("agrawal"))
    figures = [figure for item in follow(sources, "scores") for figure in _costs(item, runs)]
    figures += _promises(_water_flow(), runs) + _promises(_image_segments(), runs)
    return figures + _agreement(_image_segments())


def _series() -> Source:
    made = mackey_glass(12_000, 6)
    return Source("numbers", _lagged(made.inputs[:, 0]), made.targets[_LAGS - 1 :])


def _rows(name: str) -> Source:
    made = load(name)
    return Source("classes", made.inputs[:12_000], made.targets[:12_000])


def _lagged(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    windows = np.lib.stride_tricks.sliding_window_view(values, _LAGS)
    return np.ascontiguousarray(windows)


def _water_flow() -> Source:
    """The next hour's flow from the last 24 of them."""
    from river import datasets

    flow = np.array([value for _, value in datasets.WaterFlow()], np.float32)
    return Source("water_flow", _lagged(flow[:-1]), flow[_LAGS:, np.newaxis])


def _image_segments() -> Source:
    from river import datasets

    rows, answers = zip(*datasets.ImageSegments(), strict=True)
    order = np.random.default_rng(42).permutation(len(rows))
    inputs = np.array([[float(value) for value in row.values()] for row in rows], np.float32)
    _, labels = np.unique(np.array(answers), return_inverse=True)
    return Source("image_segments", inputs[order], labels[order].astype(np.int32))


def _learn(source: Source, seed: int, frame_rows: int = _FRAME_ROWS) -> tuple[list[Said], float]:
    """Return what was said of each frame, and the CPU time of learning a row, us."""
    learner = source.learner(seed)
    found, spent = [], 0.0
    for first in range(0, len(source.inputs), frame_rows):
        rows = source.frame(slice(first, first + frame_rows))
        started = time.thread_time()
        results = learner.learn(rows, Arrival.STREAMED)
        spent += time.thread_time() - started
        found.append(Said(results, truth_of(rows, learner.labels), rows.inputs))
    return found, 1e6 * spent / len(source.inputs)


def _score(source: Source, said: list[Said], options: ScoringOptions) -> list[ScoreReport]:
    scorer = StreamScorer(options, source.learner(1).structure, learned_rows=0)
    return [scorer.score(item.results, item.truth, item.inputs) for item in said]


def _costs(source: Source, runs: int) -> list[Figure]:
    name = f"scores.{source.name}"
    learned = [_learn(source, seed) for seed in range(1, runs + 1)]
    said, alone = learned[0][0], float(np.median([cost for _, cost in learned]))
    figures = [Figure(f"{name}.learn", alone, "us/row", note="64 rows a frame")]
    for part, options in _PARTS.items():
        # KSWIN takes its time, and does not change its pace.
        some = said[:40] if part == "kswin" else said
        spent = [_cost(source, some, options) for _ in range(runs)]
        cost = float(np.median(spent))
        figures.append(
            Figure(f"{name}.{part}", cost, "us/row", "learning alone", cost / alone, runs=spent)
        )
    one, alone_one = _learn(Source(source.name, *_first(source, 2000)), 1, frame_rows=1)
    spent = [_cost(source, one, _ALL) for _ in range(runs)]
    cost = float(np.median(spent))
    figures.append(
        Figure(
            f"{name}.all_but_inputs.one_row", cost, "us/row", "learning alone",
            cost / alone_one, runs=spent, note="one row a frame",
        )
    )  # fmt: skip
    return figures


def _first(source: Source, rows: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    return source.inputs[:rows], source.targets[:rows]


def _cost(source: Source, said: list[Said], options: ScoringOptions) -> float:
    started = time.thread_time()
    _score(source, said, options)
    return 1e6 * (time.thread_time() - started) / sum(len(item.inputs) for item in said)


def _promises(source: Source, runs: int) -> list[Figure]:
    """Return how often the truth was within, and how uniform the anomaly scores were."""
    options = ScoringOptions(window_rows=500, anomaly=AnomalyOptions(), coverage=_COVERAGE)
    coverages, highest, uneven = [], [], []
    for seed in range(1, runs + 1):
        reports = _score(source, _learn(source, seed)[0], options)
        expected = reports[-1].expected
        assert isinstance(expected, Intervals | LabelSets)
        coverages.append(100.0 * float(expected.coverage.total or 0.0))
        scores = np.concatenate([item.anomalies.scores for item in reports if item.anomalies])
        scores = scores[_WARM_UP_ROWS:]
        highest.append(100.0 * float(np.mean(scores >= 0.9)))
        counts, _ = np.histogram(scores, bins=10, range=(0.0, 1.0))
        uneven.append(100.0 * float(np.abs(counts / len(scores) - 0.1).max()))
    name = f"scores.{source.name}"
    coverage = at_least(100.0 * _COVERAGE - 2.0)
    return [
        Figure(
            f"{name}.coverage", float(np.mean(coverages)), "%", "90 asked for",
            must=coverage, runs=coverages, note="sets hold at least one label" * source.is_classes,
        ),
        Figure(
            f"{name}.anomaly_above_0.9", float(np.mean(highest)), "% of rows", "10 expected",
            goal=at_most(15.0), runs=highest,
        ),
        Figure(
            f"{name}.anomaly_uneven", float(np.mean(uneven)), "% of rows",
            "10 in each tenth of the scores", runs=uneven, note="the tenth that is farthest off",
        ),
    ]  # fmt: skip


def _agreement(source: Source) -> list[Figure]:
    """Return how far the figures are from those of scikit-learn, over all rows and a window."""
    from sklearn import metrics

    said, _ = _learn(source, 1)
    report = _score(source, said, ScoringOptions(window_rows=500, metrics=True))[-1]
    truth = np.concatenate([item.truth for item in said if item.truth is not None])
    predicted = np.concatenate([item.results.predicted for item in said])
    figures: list[tuple[str, Callable[..., float]]] = [
        ("accuracy", metrics.accuracy_score),
        ("macro_f1", lambda a, b: metrics.f1_score(a, b, average="macro", labels=np.unique(a))),
        ("kappa", metrics.cohen_kappa_score),
    ]
    assert report.metrics is not None
    apart = [
        abs(getattr(part.network, name) - judge(truth[-rows:], predicted[-rows:]))
        for part, rows in ((report.metrics.total, len(truth)), (report.metrics.window, 500))
        for name, judge in figures
    ]
    return [
        Figure(
            "scores.figures_apart", max(apart), "", "scikit-learn", must=at_most(1e-9),
            note="accuracy, macro-F1, kappa; all rows, and the last 500",
        )
    ]  # fmt: skip
