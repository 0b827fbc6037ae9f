"""Naive guesses beside a network, over all rows and over the last ones."""

import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb

from hanami_sdk.cli.csv_rows import Row, RowBatch
from hanami_sdk.cli.streaming.naive import NaiveScores
from hanami_sdk.cli.streaming.standing import compared, standing_json
from hanami_sdk.results import Result
from hanami_sdk.tensors import encode


def answered(*, correct: int = 0, rows: int, outputs: list[list[float]] | None = None) -> Result:
    """Return an answer to scored rows."""
    message = pb.LearnResult(correct_rows=correct, loss=encode(np.zeros(rows, np.float32)))
    if outputs is not None:
        message.outputs.CopyFrom(encode(np.array(outputs, np.float32)))
    return Result(message, rows=rows, labels=[])


def labelled(labels: str) -> RowBatch:
    """Return rows with a letter each as their label."""
    return RowBatch([Row(n, [0.0], label, []) for n, label in enumerate(labels, 2)])


def valued(*values: float) -> RowBatch:
    """Return rows with a number each to learn."""
    return RowBatch([Row(n, [0.0], None, [value]) for n, value in enumerate(values, 2)])


def test_classes_are_compared_with_the_majority_and_the_last_one() -> None:
    """Each guess knows only the rows before."""
    scores = NaiveScores(100)

    scores.add(labelled("aabab"), answered(correct=4, rows=5))

    assert scores.window is not None
    assert {"majority class": 2 / 5, "last class": 1 / 5} == scores.window.baselines
    assert ("accuracy", 5, 0.8) == (
        scores.window.measure,
        scores.window.rows,
        scores.window.network,
    )
    assert "accuracy 80.0% (majority class 40.0%) over 5 rows" == compared(scores.window)


def test_numbers_are_compared_with_the_last_value_and_the_mean() -> None:
    """Over frames as over rows; the least error is the best guess."""
    scores = NaiveScores(100)

    scores.add(valued(1.0, 3.0), answered(rows=2, outputs=[[1.0], [2.0]]))
    scores.add(valued(5.0), answered(rows=1, outputs=[[5.0]]))

    assert scores.total is not None
    assert ("error", 1 / 3) == (scores.total.measure, scores.total.network)
    assert {"last value": 4 / 3, "running mean": 2.0} == scores.total.baselines
    assert ("last value", 4 / 3) == scores.total.baseline


def test_the_window_forgets() -> None:
    """The total does not."""
    scores = NaiveScores(4)

    for correct in (0, 0, 2, 2):
        scores.add(labelled("ab"), answered(correct=correct, rows=2))

    assert scores.window is not None
    assert scores.total is not None
    assert (4, 1.0) == (scores.window.rows, scores.window.network)
    assert (8, 0.5) == (scores.total.rows, scores.total.network)


def test_rows_without_scores_do_not_count() -> None:
    """Neither those without a label nor those that were known."""
    scores = NaiveScores(4)

    scores.add(labelled("ab"), Result(pb.LearnResult(), rows=2, labels=[]))

    assert scores.window is None
    assert standing_json(scores.window) is None
