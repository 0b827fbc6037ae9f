"""Which targets came in which shares, so that nothing is decided on rows that are all alike.

While one class comes alone, or a machine stays in one mode, every input looks useless. So what is
to be decided on some rows is decided only if their targets are about as diverse as all so far.
"""

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.indices import (
    SHARE_ALL,
    SHARE_COLUMNS,
    SHARE_QUIET,
    SHARE_SAMPLE,
    SHARE_UNIT,
)

__all__ = ["add_target", "cover_targets", "follow_numbers", "has_news"]


@growth_part
def follow_numbers(slot: int, list_target: np.ndarray, shares: np.ndarray) -> None:
    """Let the middle and width of the bins of numbers follow a row: means over all such rows.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        slot: list slot of the row.
    """
    for output in range(min(list_target.shape[1], SHARE_COLUMNS // 4)):
        column = 4 * output
        shares[SHARE_UNIT, column] += 1.0
        rate = 1.0 / shares[SHARE_UNIT, column]
        difference = np.float64(list_target[slot, output]) - shares[SHARE_UNIT, column + 1]
        shares[SHARE_UNIT, column + 1] += rate * difference
        distance = abs(difference) - shares[SHARE_UNIT, column + 2]
        shares[SHARE_UNIT, column + 2] += rate * distance


@growth_kernel
def add_target(
    line: int,
    slot: int,
    classes: bool,
    list_label: np.ndarray,
    list_target: np.ndarray,
    shares: np.ndarray,
) -> None:
    """Count a row's target in a line of `shares`.

    A class counts by its label modulo 16. Of numbers the first four count, each in one of four
    bins: below or above the mean of all so far, and by less or more than the mean distance.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        line: one of the SHARE_ names in `indices`.
        slot: list slot of the row.
        classes: True for class labels, False for numbers.
    """
    if classes:
        shares[line, np.int64(list_label[slot]) % SHARE_COLUMNS] += 1.0
        return
    for output in range(min(list_target.shape[1], SHARE_COLUMNS // 4)):
        column = 4 * output
        difference = np.float64(list_target[slot, output]) - shares[SHARE_UNIT, column + 1]
        far = int(abs(difference) > shares[SHARE_UNIT, column + 2])
        shares[line, column + 2 * int(difference > 0.0) + far] += 1.0


@growth_kernel
def cover_targets(line: int, shares: np.ndarray) -> float:
    """Compare the diversity of the targets in a line of `shares` with that of all so far.

    Of Gini's index, p (1 - p) summed over the columns, that part counts which is there: of each
    column as much as came of its usual share. So a rare class is missed as much as the frequent
    one: rows of one class alone have half of what two classes have.

    Args:
        line: one of the SHARE_ names in `indices`.
        shares: see the layout table in `kyouko.domain.engine.growing.state`.

    Returns:
        0 to 1; 0 as long as all targets have been the same.
    """
    rows = 0.0
    total = 0.0
    for column in range(SHARE_COLUMNS):
        rows += shares[line, column]
        total += shares[SHARE_ALL, column]
    found = 0.0
    whole = 0.0
    for column in range(SHARE_COLUMNS):
        usual = shares[SHARE_ALL, column] / max(total, 1.0)
        found += (1.0 - usual) * min(shares[line, column] / max(rows, 1.0), usual)
        whole += (1.0 - usual) * usual
    return found / whole if whole > 0.0 else 0.0


@growth_kernel
def has_news(shares: np.ndarray) -> bool:
    """Tell whether the sampled targets are others than those of the trial that silenced channels.

    They are if a quarter of them lies in columns of which the trial had less than a 64th.

    Args:
        shares: see the layout table in `kyouko.domain.engine.growing.state`.
    """
    rows = 0.0
    judged = 0.0
    for column in range(SHARE_COLUMNS):
        rows += shares[SHARE_SAMPLE, column]
        judged += shares[SHARE_QUIET, column]
    fresh = 0.0
    for column in range(SHARE_COLUMNS):
        if shares[SHARE_QUIET, column] * 64.0 < judged:
            fresh += shares[SHARE_SAMPLE, column]
    return bool(rows >= 16.0 and fresh > 0.25 * rows)
