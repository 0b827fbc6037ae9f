"""Classes and inputs that come one after the other: MNIST in orders that nobody would choose.

One pass over all rows, defaults only, but for the number of kept rows that is in question.
"""

from dataclasses import replace

import numpy as np

from kyouko.domain.engine import NetworkStructure
from tests.bench.learning_mnist import learn_and_test, seeded
from tests.bench.mnist import Mnist
from tests.bench.networks import structure_of
from tests.bench.progress import follow
from tests.bench.report import Bound, Figure, at_least

_KEPT = 5000
_DARK_ROWS = 30_000
_HALF = 392  # channels of the upper half of a picture
_FLAT = "templates/flat"
_GRID = "templates/grid"


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Measure sorted labels, five classes before the others, and inputs that come late."""
    by_label = _arranged(data, np.argsort(data.train_labels, kind="stable"))
    by_half = _arranged(data, np.argsort(data.train_labels >= 5, kind="stable"))
    dark = _darkened(data)
    flat, grid = structure_of(_FLAT), structure_of(_GRID)
    one = "one seed"
    return [
        _figure("sorted", flat, by_label, 1, note=f"nothing is kept; {one}"),
        _figure("sorted.kept5000", _keeping(flat), by_label, runs, at_least(95.0), at_least(96.0)),
        _figure("sorted.grid512.kept5000", _keeping(grid), by_label, 1, note=one),
        _figure("halves", flat, by_half, 1, note=f"0 to 4, then 5 to 9; nothing is kept; {one}"),
        _figure("halves.kept5000", _keeping(flat), by_half, runs, at_least(96.5), at_least(97.0),
                note="0 to 4, then 5 to 9"),
        _figure("shuffled.kept5000", _keeping(flat), data, 1, note=f"rows in file order; {one}"),
        _figure("late_inputs.flat128", flat, dark, runs, None, at_least(96.3),
                note="the lower half is dark for 30,000 rows"),
        _figure("late_inputs.grid512", grid, dark, runs, None, at_least(96.9),
                note="the lower half is dark for 30,000 rows"),
    ]  # fmt: skip


def _keeping(structure: NetworkStructure) -> NetworkStructure:
    return replace(structure, options=replace(structure.options, rehearsal_rows=_KEPT))


def _arranged(data: Mnist, order: np.ndarray) -> Mnist:
    images, labels = data.train_images[order], data.train_labels[order]
    return replace(data, train_images=images, train_labels=labels)


def _darkened(data: Mnist) -> Mnist:
    images = data.train_images.copy()
    images[:_DARK_ROWS, _HALF:] = 0
    return replace(data, train_images=images)


def _figure(
    name: str,
    structure: NetworkStructure,
    data: Mnist,
    runs: int,
    must: Bound | None = None,
    goal: Bound | None = None,
    *,
    note: str = "",
) -> Figure:
    """Measure one network in one order over some seeds."""
    seeds = follow(list(range(1, runs + 1)), name)
    found = [learn_and_test(seeded(structure, seed), data).accuracy for seed in seeds]
    mean = float(np.mean(found))
    return Figure(f"incremental.{name}", mean, "%", must=must, goal=goal, runs=found, note=note)
