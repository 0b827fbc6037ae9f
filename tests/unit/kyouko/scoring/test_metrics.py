"""Prequential figures against slow twins, and what they are worth."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.domain.scoring.metrics import ClassTally, NumberTally
from kyouko.domain.scoring.report import ClassFigures, NumberFigures
from tests.reference import scoring as twin
from tests.unit.kyouko.scoring.builders import frames

WIDTH = 12
SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=6)
LABELS = st.integers(-1, 4)


@st.composite
def labelled(draw: st.DrawFn) -> tuple[list[int], list[int], list[int]]:
    """Draw true and predicted labels, and sizes of frames."""
    sizes = draw(SIZES)
    rows = sum(sizes)
    lists = st.lists(LABELS, min_size=rows, max_size=rows)
    return draw(lists), draw(lists), sizes


def close(expected: tuple[float, float, float | None], found: ClassFigures) -> bool:
    """Tell whether figures are the same but for rounding."""
    return (found.accuracy, found.macro_f1) == pytest.approx(expected[:2]) and (
        found.kappa == expected[2]
        if expected[2] is None
        else found.kappa == pytest.approx(expected[2], abs=1e-9)
    )


@given(labelled())
def test_class_figures_are_those_of_the_twin(
    drawn: tuple[list[int], list[int], list[int]],
) -> None:
    """Network and baselines, in total and over the window, after every frame."""
    truth, predicted, sizes = drawn
    losses = np.linspace(0, 2, len(truth), dtype=np.float32)
    majority, last, frequency = twin.naive_labels(truth)
    tally = ClassTally(WIDTH)

    for part in frames(len(truth), sizes):
        metrics = tally.add(
            np.array(truth[part], np.int32), np.array(predicted[part], np.int32), losses[part]
        )

        for found, rows in (
            (metrics.total, slice(0, part.stop)),
            (metrics.window, slice(max(0, part.stop - WIDTH), part.stop)),
        ):
            assert found.rows == rows.stop - rows.start
            assert close(twin.class_figures(truth[rows], predicted[rows]), found.network)
            assert close(twin.class_figures(truth[rows], majority[rows]), found.majority_class)
            assert close(twin.class_figures(truth[rows], last[rows]), found.last_class)
            assert found.network.log_loss == pytest.approx(losses[rows].mean(), rel=1e-5)
            assert found.majority_class.log_loss == pytest.approx(np.mean(frequency[rows]))
            assert found.last_class.log_loss is None


def test_kappa_is_zero_for_chance_and_not_defined_for_one_label() -> None:
    """Who always says the same is no better than chance."""
    zeros = np.zeros(10, np.int32)
    halves = np.array([0, 1] * 5, np.int32)
    loss = np.zeros(10, np.float32)

    assert ClassTally(50).add(halves, zeros, loss).total.network.kappa == 0.0
    assert ClassTally(50).add(halves, halves, loss).total.network.kappa == 1.0
    assert ClassTally(50).add(zeros, zeros, loss).total.network.kappa is None


def check_numbers(
    found: NumberFigures, outputs: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]
) -> None:
    """Compare figures with the twin's."""
    mae, rmse, r2 = twin.number_figures(outputs, targets)
    assert (found.mae, found.rmse) == pytest.approx((mae, rmse), abs=1e-9)
    assert found.r2 == (r2 if r2 is None else pytest.approx(r2, rel=1e-6, abs=1e-6))


@given(SIZES, st.integers(1, 3), st.integers(0, 1000))
def test_number_figures_are_those_of_the_twin(sizes: list[int], outputs: int, seed: int) -> None:
    """Network and baselines, in total and over the window, on all rows but the first."""
    random = np.random.default_rng(seed)
    targets = random.integers(-3, 4, size=(sum(sizes), outputs)) * 0.5 + 100
    said = targets + random.normal(size=targets.shape)
    tally = NumberTally(WIDTH, outputs)

    for part in frames(len(targets), sizes):
        metrics = tally.add(said[part] - targets[part], targets[part])

        if part.stop == 1:
            assert metrics is None
            continue
        last, mean = twin.naive_numbers(targets[: part.stop])
        assert metrics is not None
        for found, most in ((metrics.total, part.stop), (metrics.window, WIDTH)):
            true = targets[1 : part.stop][-most:]
            assert found.rows == len(true)
            check_numbers(found.network, said[1 : part.stop][-most:], true)
            check_numbers(found.last_value, last[-most:], true)
            check_numbers(found.running_mean, mean[-most:], true)


def test_numbers_that_do_not_vary_have_no_r2() -> None:
    """Without variance there is nothing to explain."""
    targets = np.full((20, 1), 0.1)

    metrics = NumberTally(50, 1).add(np.ones((20, 1)), targets)

    assert metrics is not None
    assert metrics.total.network == NumberFigures(mae=1.0, rmse=1.0, r2=None)
    assert metrics.window.network == NumberFigures(mae=1.0, rmse=1.0, r2=None)
