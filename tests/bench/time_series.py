"""Series in time, predicted from their own past: delays inside the engine against a window.

Every network is a shipped template with delays on its one channel and nothing else changed, but
for one whose neurons also have a memory of their own. Rows come raw, one stream, and are predicted
before they are learned; the second half is scored. River gets the same values in the same window,
and the scalers that it needs.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import Arrival, NetworkStructure, Spiking, create_engine
from kyouko.domain.template import resolve
from kyouko.kernels.warmup import warm_up
from kyouko.templates.shipped import shipped_templates
from tests.bench.mnist import Mnist
from tests.bench.progress import follow
from tests.bench.report import Bound, Figure, at_least, at_most
from tests.bench.series import Series, hidden_shape, mackey_glass

_ROWS: Final = 20_000
_FRAME_ROWS: Final = 64
_PEER_SEEDS: Final = 1

Answers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """One series and what is asked about it.

    Attributes:
        make: the series of a `seed`.
        template: the shipped template, without delays.
        window: values that are seen, the present one included.
        score: of the answers to all rows.
        unit: of the score.
        must: what is demanded of the score.
        peer: the name of River's model and what makes one.
        spiking: what the neurons remember beside the window.
    """

    make: Callable[..., Series]
    template: str
    window: int
    score: Callable[[Answers, Series], float]
    unit: str
    must: Bound | None
    peer: tuple[str, Callable[[], Any]]
    spiking: Spiking | None = None


@dataclass(frozen=True)
class Run:
    """The score, and rows in a CPU second."""

    score: float
    rows_per_second: float


def questions() -> dict[str, Question]:
    """Return what is asked, by name; the demands are those of docs/benchmarks.md."""
    named = {
        f"mackey_glass.h{ahead}": Question(
            make=partial(mackey_glass, _ROWS, ahead),
            template="flat-numbers",
            window=20,
            score=root_mean_square_error,
            unit="NRMSE",
            must=at_most(0.06) if ahead == 6 else None,
            peer=("River linear regression, scaled inputs and targets", _river_regression),
        )
        for ahead in (1, 6, 84)
    }
    named["hidden_shape"] = Question(
        make=partial(hidden_shape, _ROWS),
        template="flat",
        window=16,
        score=f1_score,
        unit="F1",
        must=at_least(0.94),
        peer=("River logistic regression, scaled inputs", _river_classification),
    )
    spikes = Spiking(leak=0.3, cooldown=0.3, refractory=1)
    named["hidden_shape.spiking"] = replace(named["hidden_shape"], spiking=spikes)
    return named


def measure(_: Mnist, runs: int) -> list[Figure]:
    """Measure every question over `runs` seeds, River on the first one."""
    warm_up()
    figures: list[Figure] = []
    for name, question in questions().items():
        found, peer = [], []
        for seed in follow(range(1, runs + 1), name):
            series = question.make(seed=seed)
            found.append(_ask(question, series, seed))
            if seed <= _PEER_SEEDS:
                peer.append(_ask_river(question, series))
        figures += _figures(f"time.{name}", question, found, peer)
    return figures


def root_mean_square_error(answers: Answers, series: Series) -> float:
    """Return the error over the second half, in standard deviations of the targets."""
    half = len(answers) // 2
    targets = series.targets[half:, 0].astype(np.float64)
    return float(np.sqrt(np.mean((answers[half:] - targets) ** 2)) / targets.std())


def f1_score(answers: Answers, series: Series) -> float:
    """Return the harmonic mean of precision and recall of class 1 over the second half."""
    half = len(answers) // 2
    said, true = answers[half:] == 1, series.targets[half:] == 1
    return float(2 * np.sum(said & true) / max(1, np.sum(said) + np.sum(true)))


def delayed_structure(
    template: str, window: int, *, spiking: Spiking | None = None, seed: int = 1
) -> NetworkStructure:
    """Return a shipped template on one channel that sees `window` values of it."""
    structure = resolve(shipped_templates()[template].template, channels=1, seed=seed)
    past = replace(structure.inputs[0], delays=tuple(range(1, window)))
    populations = tuple(replace(item, spiking=spiking) for item in structure.populations)
    return replace(structure, inputs=(past,), populations=populations)


def _ask(question: Question, series: Series, seed: int) -> Run:
    engine = create_engine(
        delayed_structure(question.template, question.window, spiking=question.spiking, seed=seed)
    )
    answers = np.zeros(_ROWS)
    started = time.process_time()
    for first in range(0, _ROWS, _FRAME_ROWS):
        part = slice(first, first + _FRAME_ROWS)
        scored = engine.learn(series.inputs[part], series.targets[part], arrival=Arrival.STREAMED)
        answers[part] = scored.predicted if series.is_classes else scored.outputs[:, 0]
    return Run(question.score(answers, series), _ROWS / (time.process_time() - started))


def _ask_river(question: Question, series: Series) -> Run:
    model = question.peer[1]()
    answers = np.zeros(_ROWS)
    started = time.process_time()
    for row, seen in enumerate(_windows(series, question.window)):
        target = series.targets[row].item()
        answers[row] = model.predict_one(seen) or 0
        model.learn_one(seen, target)
    return Run(question.score(answers, series), _ROWS / (time.process_time() - started))


def _windows(series: Series, window: int) -> Iterator[dict[int, float]]:
    values = series.inputs[:, 0].tolist()
    for row in range(len(values)):
        seen = values[max(0, row - window + 1) : row + 1]
        yield dict(enumerate(reversed(seen)))


def _river_regression() -> Any:
    from river import linear_model, preprocessing

    model: Any = preprocessing.StandardScaler() | linear_model.LinearRegression()
    return preprocessing.TargetStandardScaler(model)


def _river_classification() -> Any:
    from river import linear_model, preprocessing

    return preprocessing.StandardScaler() | linear_model.LogisticRegression()


def _figures(name: str, question: Question, found: list[Run], peer: list[Run]) -> list[Figure]:
    reference = question.peer[0]
    score = float(np.mean([run.score for run in found]))
    rate = float(np.median([run.rows_per_second for run in found]))
    peer_score = float(np.mean([run.score for run in peer]))
    peer_rate = float(np.median([run.rows_per_second for run in peer]))
    last = question.make(seed=1)
    figures = [
        Figure(
            f"{name}.score",
            score,
            question.unit,
            reference,
            score / peer_score if peer_score else None,
            must=question.must,
            runs=[run.score for run in found],
        ),
        Figure(f"{name}.river", peer_score, question.unit, note="first seed only"),
        Figure(
            f"{name}.learn",
            rate,
            "rows/s",
            reference,
            rate / peer_rate,
            runs=[run.rows_per_second for run in found],
        ),
    ]
    if not last.is_classes:
        repeated = question.score(last.inputs[:, 0].astype(np.float64), last)
        figures.insert(
            1, Figure(f"{name}.persistence", repeated, question.unit, note="the value now")
        )
    return figures
