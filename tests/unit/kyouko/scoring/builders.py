"""Rows, results and scorers for the tests of scores."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import (
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    TaskKind,
)
from kyouko.domain.networks.learner import RowResults
from kyouko.domain.networks.scoring import class_loss, most_probable
from kyouko.domain.scoring import (
    AnomalyOptions,
    Detector,
    DriftOptions,
    ScoreReport,
    ScoringOptions,
    StreamScorer,
)

Array = npt.NDArray[Any]
ALL_PARTS = ScoringOptions(
    window_rows=40,
    metrics=True,
    drift=DriftOptions((Detector.ADWIN, Detector.PAGE_HINKLEY), all_channels=True),
    anomaly=AnomalyOptions(threshold=0.9, most_contributions=2),
    coverage=0.8,
)


def structure(kind: TaskKind, *, outputs: int = 1, channels: int = 2) -> NetworkStructure:
    """Return a small network."""
    return NetworkStructure(
        inputs=(InputPopulation("input", channels, (channels, 1, 1), (0.0, 0.0, 0.0)),),
        populations=(Population("hidden", (0.0, 0.0, 1.0), 4),),
        output=OutputPopulation("output", kind, 0 if kind is TaskKind.CLASSES else outputs),
    )


def scorer_of(
    options: ScoringOptions, kind: TaskKind, *, outputs: int = 1, channels: int = 2
) -> StreamScorer:
    """Return a scorer of a small network that has learned 100 rows."""
    return StreamScorer(
        options, structure(kind, outputs=outputs, channels=channels), learned_rows=100
    )


def label_results(outputs: Array, truth: Array | None) -> RowResults:
    """Return what a network of classes says with these probabilities."""
    outputs = np.asarray(outputs, np.float32)
    predicted = most_probable(outputs)
    if outputs.shape[1]:
        predicted[outputs.max(axis=1) <= 0] = -1
    loss = None
    if truth is not None:
        known = np.where(truth < outputs.shape[1], truth, -1).astype(np.int32)
        loss = class_loss(outputs, known)
    return RowResults(outputs, predicted, loss, 0, 0.0, 0, 0, learned_rows=100)


def number_results(outputs: Array, truth: Array | None) -> RowResults:
    """Return what a network of numbers says, with losses in units of 1; NaN is not known."""
    outputs = np.asarray(outputs, np.float32)
    loss = None
    if truth is not None:
        squares = (outputs.astype(np.float64) - truth) ** 2
        known = ~np.isnan(squares)
        loss = np.where(known, squares, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        loss = np.minimum(loss, np.finfo(np.float32).max).astype(np.float32)
        loss[~known.any(axis=1)] = np.nan
    return RowResults(outputs, None, loss, 0, 0.0, 0, 0, learned_rows=100)


def frames(rows: int, sizes: Iterable[int]) -> list[slice]:
    """Divide rows into frames of these sizes, the rest in one."""
    cuts, first = [], 0
    for size in sizes:
        if first >= rows:
            break
        cuts.append(slice(first, min(first + size, rows)))
        first += size
    return [*cuts, slice(first, rows)] if first < rows else cuts


def score_numbers(
    scorer: StreamScorer,
    outputs: Array,
    targets: Array,
    inputs: Array | None = None,
    *,
    sizes: Sequence[int] = (),
) -> list[ScoreReport]:
    """Return the reports on a stream of numbers, cut into frames."""
    return [
        scorer.score(
            number_results(outputs[part], targets[part]),
            targets[part],
            None if inputs is None else inputs[part],
        )
        for part in frames(len(targets), sizes)
    ]


def score_labels(
    scorer: StreamScorer,
    outputs: Array,
    truth: Array,
    inputs: Array | None = None,
    *,
    sizes: Sequence[int] = (),
) -> list[ScoreReport]:
    """Return the reports on a stream of labels, cut into frames."""
    return [
        scorer.score(
            label_results(outputs[part], truth[part]),
            truth[part],
            None if inputs is None else inputs[part],
        )
        for part in frames(len(truth), sizes)
    ]
