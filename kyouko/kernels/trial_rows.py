"""Rows that are judged without the channels on trial, and learned: one call for many of them."""

from typing import Any

import numpy as np

from kyouko.kernels.compile import hot_kernel
from kyouko.kernels.indices import LEAK
from kyouko.kernels.learning import learn_rows
from kyouko.kernels.trials import judge_row

__all__ = ["learn_on_trial"]


@hot_kernel
def learn_on_trial(
    first: int,
    rows: int,
    first_slot: int,
    observe: bool,
    classes: bool,
    settings: np.ndarray,
    judged: tuple[Any, ...],
    learned: tuple[Any, ...],
) -> None:
    """Judge each row by the weights before it, then learn it.

    Args:
        first: place of the first row in the results.
        rows: number of rows, none of them beyond the end of the trial.
        first_slot: list slot of the first row.
        observe: see `learn_rows`.
        classes: True for class labels, False for numbers.
        settings: float32, shape (SETTINGS,), preset of the way of arrival.
        judged: the arrays that `judge_row` takes.
        learned: the arrays that `learn_rows` takes after `settings`.
    """
    leak = np.float64(settings[LEAK])
    for row in range(rows):
        judge_row(first_slot + row, classes, leak, *judged)
        learn_rows(first, row, row + 1, first_slot, observe, classes, settings, *learned)
