"""Cutting rows into batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shiori.domain.rows import BATCH_BYTES, BATCH_ROWS, batch_ends


def test_no_rows_make_no_batch() -> None:
    """Nothing is cut into nothing."""
    assert [] == batch_ends(np.zeros(0, dtype=np.int64), column_count=1)


def test_wide_rows_make_larger_batches() -> None:
    """With many columns a batch has more bytes, since every column of it costs."""
    row_bytes = np.full(1000, 8 * 784)

    narrow, wide = (batch_ends(row_bytes, column_count=count)[0] for count in (1, 784))

    assert narrow < wide


@given(sizes=st.lists(st.integers(0, 2 * BATCH_BYTES), min_size=1, max_size=50))
def test_batches_are_bounded_and_lose_nothing(sizes: list[int]) -> None:
    """Batches follow each other, reach the end, and are small or of a single row."""
    ends = batch_ends(np.array(sizes, dtype=np.int64), column_count=1)

    starts = [0, *ends[:-1]]
    assert len(sizes) == ends[-1]
    assert all(start < end for start, end in zip(starts, ends, strict=True))
    assert all(
        end - start == 1 or (sum(sizes[start:end]) <= BATCH_BYTES and end - start <= BATCH_ROWS)
        for start, end in zip(starts, ends, strict=True)
    )
