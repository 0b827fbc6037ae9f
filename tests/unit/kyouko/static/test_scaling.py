"""The running scale of raw values: what it finds, what it minds, what it follows."""

import numpy as np
import pytest

from kyouko.domain.engine.static.scaling import BLOCK_ROWS, Scaling


def follow(scaling: Scaling, rows: np.ndarray) -> None:
    """Record rows in the largest pieces allowed."""
    start = 0
    while start < len(rows):
        stop = min(start + scaling.rows_until_review(), len(rows))
        scaling.record(rows[start:stop])
        start = stop


def noise(rows: int, *, seed: int = 1, columns: int = 4) -> np.ndarray:
    """Standard normal values."""
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def test_reviews_come_early_and_then_rarely() -> None:
    """The scale is reviewed after rows 1, 2, 4 to 64, every 64, and at last every 256."""
    scaling = Scaling.create(1)
    reviews = [row + 1 for row in range(2000) if scaling.record(np.ones((1, 1), np.float32))]

    expected = [1, 2, 4, 8, 16, 32, *range(64, 1025, 64), 1280, 1536, 1792]
    assert expected == reviews


def test_mean_and_deviation_are_found() -> None:
    """Columns of any offset and size come to centre and deviation within a few percent."""
    size, offset = np.array([1e-20, 1.0, 1e3, 1e15]), np.array([1e-19, -7.0, 1e6, 0.0])
    scaling = Scaling.create(4)

    follow(scaling, (noise(20_000) * size + offset).astype(np.float32))

    np.testing.assert_allclose(scaling.deviation, size, rtol=0.06)
    np.testing.assert_allclose(scaling.center / size, offset / size, atol=0.1)
    np.testing.assert_allclose(scaling.inverse * scaling.deviation, np.ones(4))


def test_constant_and_missing_columns_have_no_scale() -> None:
    """A column that never varied, or was never there, says nothing."""
    rows = np.full((300, 3), 7.0, np.float32)
    rows[:, 1] = np.nan
    rows[:, 2] = np.inf
    scaling = Scaling.create(3)

    follow(scaling, rows)

    assert [0.0, 0.0, 0.0] == scaling.deviation.tolist()
    assert [7.0, 0.0, 0.0] == scaling.center.tolist()
    assert not scaling.inverse.any()


def test_a_resting_column_is_measured_when_it_is_active() -> None:
    """A pixel that is mostly dark has its size when lit, however rarely that is."""
    random = np.random.default_rng(5)
    rows = np.where(random.random((6000, 1)) < 0.02, random.uniform(100, 200, (6000, 1)), 0.0)
    scaling = Scaling.create(1)

    follow(scaling, rows.astype(np.float32))

    assert 1 == scaling.resting[0]
    assert 0.0 == scaling.center[0]
    assert 120.0 < scaling.deviation[0] < 180.0


@pytest.mark.parametrize("outlier", [30.0, 1e6, -1e30])
def test_outliers_in_one_percent_of_the_rows_hardly_matter(outlier: float) -> None:
    """Rare values of any size widen the deviation by less than a quarter."""
    rows = noise(10_000)
    rows[np.random.default_rng(2).random(10_000) < 0.01] = outlier
    scaling = Scaling.create(4)

    follow(scaling, rows)

    assert (scaling.deviation < 1.25).all()
    assert (np.abs(scaling.center) < 0.15).all()


def test_a_first_row_a_million_times_too_large_is_forgotten() -> None:
    """After 64 rows nothing is left of it."""
    rows = noise(BLOCK_ROWS)
    rows[0] *= 1e6
    scaling = Scaling.create(4)

    follow(scaling, rows)

    assert (scaling.deviation < 1.3).all()
    assert (np.abs(scaling.center) < 0.5).all()


@pytest.mark.parametrize(("factor", "patience"), [(1e6, 512), (30.0, 512), (1e-6, 5120)])
def test_a_jump_of_scale_is_followed(factor: float, patience: int) -> None:
    """After a jump to another scale the new one is found within some hundred or thousand rows."""
    scaling = Scaling.create(4)
    follow(scaling, noise(5000) + np.float32(3.0))

    follow(scaling, (noise(patience, seed=2) + np.float32(3.0)) * np.float32(factor))

    assert (scaling.deviation > 0.5 * factor).all()
    assert (scaling.deviation < 2.0 * factor).all()
    assert (np.abs(scaling.center / factor - 3.0) < 1.0).all()


def test_a_silent_hour_does_not_fade_the_scale() -> None:
    """A column that stands still for a long time keeps its deviation."""
    scaling = Scaling.create(4)
    follow(scaling, noise(5000))
    before = scaling.deviation.copy()

    follow(scaling, np.full((50_000, 4), 0.25, np.float32))

    np.testing.assert_allclose(before, scaling.deviation, rtol=0.05)


def test_new_columns_start_while_old_ones_go_on() -> None:
    """Columns appended later find their own scale and leave the others alone."""
    scaling = Scaling.create(2)
    follow(scaling, noise(3000, columns=2))
    before = scaling.deviation.copy()
    wider = scaling.widen(4)

    follow(wider, noise(BLOCK_ROWS, columns=4) * np.array([1, 1, 1e3, 1e-3], np.float32))

    np.testing.assert_allclose(before, wider.deviation[:2], rtol=0.05)
    np.testing.assert_allclose([1e3, 1e-3], wider.deviation[2:], rtol=0.35)


def test_bytes_are_counted() -> None:
    """The count is that of the arrays."""
    scaling = Scaling.create(9)

    assert Scaling.count_bytes(9) == sum(item.nbytes for item in vars(scaling).values())
