"""Weight rows, handed out and taken back."""

import numpy as np

from kyouko.kernels.compile import growth_part
from kyouko.kernels.indices import FREE_ROWS, HOME_ROWS, ROW_TOP, USED_ROWS

__all__ = ["count_spare_rows", "return_row", "take_row"]


@growth_part
def take_row(home: int, row_used: np.ndarray, free_rows: np.ndarray, counters: np.ndarray) -> int:
    """Hand out a weight row; the caller has made sure that one is left."""
    if home >= 0 and row_used[home] == 0:
        row = home
    elif counters[FREE_ROWS] > 0:
        counters[FREE_ROWS] -= 1
        row = int(np.int64(free_rows[counters[FREE_ROWS]]))
    else:
        row = int(counters[ROW_TOP])
        counters[ROW_TOP] += 1
    row_used[row] = 1
    counters[USED_ROWS] += 1
    return row


@growth_part
def return_row(row: int, row_used: np.ndarray, free_rows: np.ndarray, counters: np.ndarray) -> None:
    """Take a weight row back; one that is an edge's home waits for that edge."""
    row_used[row] = 0
    counters[USED_ROWS] -= 1
    if row >= counters[HOME_ROWS]:
        free_rows[counters[FREE_ROWS]] = row
        counters[FREE_ROWS] += 1


@growth_part
def count_spare_rows(row_used: np.ndarray, counters: np.ndarray) -> int:
    """Return how many weight rows the pool can still hand out."""
    return int(row_used.shape[0] - counters[ROW_TOP] + counters[FREE_ROWS])
