"""Scores of predictions that are not learned from."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.domain.networks.scoring import WORST_LOSS, TargetScale, class_loss, most_probable

NUMBERS = st.floats(-1e6, 1e6, width=32)


def test_most_probable_is_minus_one_without_outputs() -> None:
    """A network that knows no label predicts none."""
    assert [-1, -1] == most_probable(np.zeros((2, 0), np.float32)).tolist()
    assert [1, 0] == most_probable(np.array([[0.1, 0.9], [0.6, 0.4]], np.float32)).tolist()


def test_class_loss_is_the_cross_entropy_with_a_bound() -> None:
    """A label with probability one half costs ln 2; an unknown or impossible one the most."""
    outputs = np.array([[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]], np.float32)

    loss = class_loss(outputs, np.array([0, 1, -1], np.int32))

    assert [math.log(2), WORST_LOSS, WORST_LOSS] == pytest.approx(loss.tolist(), rel=1e-5)


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=9), min_size=1, max_size=9))
def test_the_scale_of_parts_is_that_of_the_whole(parts: list[list[float]]) -> None:
    """Mean and variance do not depend on how the rows came."""
    scale = TargetScale(1)
    for part in parts:
        scale.add(np.array(part, np.float32)[:, np.newaxis])

    every = np.array([value for part in parts for value in part], np.float32).astype(np.float64)

    assert len(every) == scale.count
    assert scale.mean[0] == pytest.approx(every.mean(), abs=1e-6)
    assert scale.squares[0] / scale.count == pytest.approx(every.var(), rel=1e-6, abs=1e-3)


def test_the_loss_of_numbers_is_in_units_of_their_variance() -> None:
    """Always saying the mean costs 1 on average; without variance there is no unit."""
    targets = np.array([[1.0], [3.0]], np.float32)
    scale = TargetScale(1)

    without = scale.loss(np.zeros_like(targets), targets)
    scale.add(targets)
    means = scale.loss(np.full_like(targets, 2.0), targets)

    assert [0.0, 0.0] == without.tolist()
    assert [1.0, 1.0] == pytest.approx(means.tolist())


def test_the_loss_of_numbers_is_always_finite() -> None:
    """The greatest error in units of the least variance is the greatest float32."""
    scale = TargetScale(1)
    scale.add(np.array([[0.0], [1e-45]], np.float32))

    loss = scale.loss(np.array([[-3e38]], np.float32), np.array([[3e38]], np.float32))

    assert [float(np.finfo(np.float32).max)] == loss.tolist()


def test_a_scale_is_restored_exactly() -> None:
    """What was exported goes on as if nothing had happened."""
    scale = TargetScale(2)
    scale.add(np.array([[1, 2], [3, 5]], np.float32))

    restored = TargetScale.restore(2, scale.export())

    assert (scale.count, scale.mean.tolist(), scale.squares.tolist()) == (
        restored.count,
        restored.mean.tolist(),
        restored.squares.tolist(),
    )
