"""What a predict task keeps of each row."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kyouko.domain.engine import NetworkStructure, TaskKind
from kyouko.domain.networks.learner import RowResults
from kyouko.domain.tasks.columns import TaskRows


def prediction_header(structure: NetworkStructure, *, has_target: bool) -> Sequence[str]:
    """Return the columns of a result data set."""
    size = structure.output.size
    if structure.output.kind is TaskKind.CLASSES:
        return ["row", "predicted", "probability", *(["target"] if has_target else [])]
    names = _numbered("predicted", size)
    return ["row", *names, *(_numbered("target", size) if has_target else [])]


def _numbered(name: str, size: int) -> list[str]:
    return [name] if size == 1 else [f"{name}_{index}" for index in range(size)]


def prediction_columns(
    rows: TaskRows, results: RowResults, labels: Sequence[str]
) -> Sequence[Sequence[Any]]:
    """Return the predictions of some rows, column by column.

    Args:
        rows: the rows, with targets if the task has a target column.
        results: what the network said of them.
        labels: of the network, in the order of its outputs.
    """
    numbers = range(rows.start_row, rows.start_row + len(rows))
    if results.predicted is None:
        targets = [] if rows.targets is None else _transposed(rows.targets)
        return [numbers, *results.outputs.T.tolist(), *targets]
    words = [labels[index] if index >= 0 else "" for index in results.predicted.tolist()]
    best = results.outputs.max(axis=1) if results.outputs.shape[1] else np.zeros(len(rows))
    columns: list[Sequence[Any]] = [numbers, words, best.tolist()]
    if rows.targets is not None:
        columns.append(_known_labels(rows))
    return columns


def _known_labels(rows: TaskRows) -> Sequence[Any]:
    targets = rows.targets or ()
    if rows.known is None:
        return targets
    known = set(rows.known.tolist())
    return [value if index in known else "" for index, value in enumerate(targets)]


def _transposed(rows: Sequence[Sequence[float]]) -> list[list[Any]]:
    # A gap, not the word "nan": the archive reads it back as a missing value.
    columns = zip(*rows, strict=True)
    return [["" if math.isnan(value) else value for value in column] for column in columns]
