"""Scale, offset, sign and outliers hardly matter: the laws on handwritten digits.

Made-up data has no dead pixels, no rare strokes and no order; MNIST has. A tenth of it is enough
to tell a point of accuracy. `python -m tests.bench scale` measures the same on all of it.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kyouko.domain.engine import (
    Arrival,
    NetworkKind,
    NetworkStructure,
    Organisation,
    create_engine,
)
from tests.bench.mnist import load_mnist
from tests.bench.networks import flat_structure, structure_of

LEARNED, TESTED = 6000, 4000
SEEDS = (1, 2)
# One point for scales and outliers, two for offset and sign: what users are promised.
SCALE_POINTS, SIGN_POINTS = 1.0, 2.0

STRUCTURES: dict[str, NetworkStructure] = {
    "flat": structure_of("templates/flat"),
    "local": structure_of("templates/grid"),
    "organised": replace(flat_structure(784, 64), organisation=Organisation()),
    "static": replace(flat_structure(784, 64), kind=NetworkKind.STATIC),
}
EVERY_KIND = pytest.mark.parametrize("kind", list(STRUCTURES))
EVERY_ARRIVAL = pytest.mark.parametrize("arrival", list(Arrival))
few_examples = settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The first rows to learn and, after them, the first rows to test."""
    data = load_mnist()
    rows = np.concatenate([data.train_images[:LEARNED], data.test_images[:TESTED]])
    labels = np.concatenate([data.train_labels[:LEARNED], data.test_labels[:TESTED]])
    return rows.astype(np.float32), labels


def accuracy(kind: str, arrival: Arrival, rows: np.ndarray) -> float:
    """Percent of the test rows after learning, or of a stream's rows; mean over the seeds."""
    structure, labels = STRUCTURES[kind], digits()[1]
    right = []
    for seed in SEEDS:
        engine = create_engine(replace(structure, options=replace(structure.options, seed=seed)))
        if arrival is Arrival.STREAMED:
            scored = engine.learn(rows, labels, arrival=arrival)
            right.append(100.0 * float(scored.correct[TESTED:].mean()))
        else:
            engine.learn(rows[:LEARNED], labels[:LEARNED], arrival=arrival)
            predicted = engine.predict(rows[LEARNED:]).argmax(axis=1)
            right.append(100.0 * float(np.mean(predicted == labels[LEARNED:])))
    return float(np.mean(right))


@cache
def plain_accuracy(kind: str, arrival: Arrival) -> float:
    """The accuracy on the rows as they are."""
    return accuracy(kind, arrival, digits()[0])


def changed(factors: np.ndarray | float = 1.0, offsets: np.ndarray | float = 0.0) -> np.ndarray:
    """The rows, multiplied and moved."""
    return (digits()[0].astype(np.float64) * factors + offsets).astype(np.float32)


@EVERY_ARRIVAL
@EVERY_KIND
def test_the_rows_are_learned_at_all(kind: str, arrival: Arrival) -> None:
    """The comparison is between networks that can read digits."""
    assert plain_accuracy(kind, arrival) > 88.0


@EVERY_ARRIVAL
@EVERY_KIND
@few_examples
@given(exponent=st.floats(-30.0, 30.0))
def test_one_scale_for_all(kind: str, arrival: Arrival, exponent: float) -> None:
    """Multiplying all inputs by one factor costs less than a point."""
    found = accuracy(kind, arrival, changed(10.0**exponent))

    assert found > plain_accuracy(kind, arrival) - SCALE_POINTS


@EVERY_ARRIVAL
@EVERY_KIND
@few_examples
@given(seed=st.integers(0, 1000))
def test_a_scale_for_each_channel(kind: str, arrival: Arrival, seed: int) -> None:
    """A factor between 0.001 and 1,000 for each channel costs less than a point."""
    factors = 10.0 ** np.random.default_rng(seed).uniform(-3.0, 3.0, 784)

    found = accuracy(kind, arrival, changed(factors))

    assert found > plain_accuracy(kind, arrival) - SCALE_POINTS


@EVERY_ARRIVAL
@EVERY_KIND
@few_examples
@given(seed=st.integers(0, 1000), mirrored=st.booleans())
def test_offset_and_sign(kind: str, arrival: Arrival, seed: int, mirrored: bool) -> None:
    """Adding a constant to each channel and negating some costs less than two points."""
    random = np.random.default_rng(seed)
    signs = -np.ones(784) if mirrored else random.choice([-1.0, 1.0], 784)

    found = accuracy(kind, arrival, changed(signs, random.uniform(-1000.0, 1000.0, 784).round()))

    assert found > plain_accuracy(kind, arrival) - SIGN_POINTS


@EVERY_ARRIVAL
@EVERY_KIND
@few_examples
@given(seed=st.integers(0, 1000))
def test_outliers_in_a_hundredth_of_the_rows(kind: str, arrival: Arrival, seed: int) -> None:
    """One channel a million times too large in 1 % of the rows costs less than a point."""
    random = np.random.default_rng(seed)
    rows = digits()[0].copy()
    hit = np.flatnonzero(random.random(LEARNED) < 0.01)
    rows[hit, random.integers(0, 784, len(hit))] = 1e6

    found = accuracy(kind, arrival, rows)

    assert found > plain_accuracy(kind, arrival) - SCALE_POINTS
