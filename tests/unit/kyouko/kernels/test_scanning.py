"""Scanning of raw rows agrees with its slow twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.kernels.scanning import count_non_finite, scan_byte_rows, scan_float_rows
from tests.reference.network import scan


def run_scan(rows: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[list[tuple[int, float]]]:
    """Scan all rows into slots and read them back as lists."""
    count, channels = rows.shape
    channel = np.zeros((count + 1, channels), np.int32)
    value = np.zeros((count + 1, channels), np.float32)
    length = np.zeros(count + 1, np.int32)
    flags = np.zeros(-(-channels // 8) * 8, np.uint8)
    words = flags.view(np.uint64)
    scan_rows = scan_byte_rows if rows.dtype == np.uint8 else scan_float_rows
    scan_rows(rows, low, high, 0, count, 1, channel, value, length, flags, words)
    return [
        [(int(channel[slot, item]), float(value[slot, item])) for item in range(int(length[slot]))]
        for slot in range(1, count + 1)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_bytes_agree(seed: int) -> None:
    """Byte rows give the channels and values that a plain loop finds."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 256, (4, 33)).astype(np.uint8)
    low = random.integers(-1, 257, 33).astype(np.int16)
    high = np.maximum(low, random.integers(-1, 256, 33)).astype(np.int16)

    found = run_scan(rows, low, high)

    assert [scan(row, low, high) for row in rows] == found


@pytest.mark.parametrize("seed", range(5))
def test_floats_agree(seed: int) -> None:
    """Float rows give the same, and NaN rests while infinity does not."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(4, 33)).astype(np.float32)
    rows[0, 3] = np.nan
    rows[1, 4] = np.inf
    rows[2, 5] = -np.inf
    low = random.normal(size=33).astype(np.float32)
    high = low + np.float32(0.5)

    found = run_scan(rows, low, high)

    assert [scan(row, low, high) for row in rows] == found
    assert 3 not in [channel for channel, _ in found[0]]
    assert (4, np.inf) in found[1]
    assert (5, -np.inf) in found[2]


@given(st.lists(st.floats(width=32), min_size=1, max_size=40))
def test_count_non_finite(values: list[float]) -> None:
    """Every NaN and infinity is counted, and nothing else."""
    row = np.array([values], np.float32)

    with np.errstate(invalid="ignore"):
        found = count_non_finite(row)

    assert int((~np.isfinite(row)).sum()) == found
