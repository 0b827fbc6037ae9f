"""Networks that find out by themselves which pixels of MNIST are neighbours."""

import time
from dataclasses import replace

import numpy as np

from kyouko.domain.engine import Organisation
from kyouko.domain.engine.organising.finding import find_reaches
from tests.bench.learning_mnist import learn_and_test, seeded
from tests.bench.mnist import Mnist
from tests.bench.networks import structure_of
from tests.bench.progress import follow
from tests.bench.report import Figure, at_least, at_most

_SIDE = 28
_ORGANISATION = Organisation()


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Measure the search itself, then the network beside one with a template made by hand."""
    organising = structure_of("templates/self-organised")
    grid = structure_of("templates/grid")
    found, made, mixed = [], [], []
    permuted = _permuted(data)
    for seed in follow(list(range(1, runs + 1)), "topology"):
        found.append(learn_and_test(seeded(organising, seed), data).accuracy)
        made.append(learn_and_test(seeded(grid, seed), data).accuracy)
        mixed.append(learn_and_test(seeded(organising, seed), permuted).accuracy)
    keeping = replace(organising, options=replace(organising.options, rehearsal_rows=5000))
    kept = learn_and_test(seeded(keeping, 1), data).accuracy
    mean, by_hand = float(np.mean(found)), float(np.mean(made))
    return [
        *_search(data),
        Figure("organise.grid512", by_hand, "%", runs=made, note="the template made by hand"),
        Figure(
            "organise.accuracy", mean, "%", "organise.grid512", mean / by_hand,
            goal=at_least(97.7), runs=found,
            note="one flat population, 16 local ones found at row 500",
        ),
        Figure(
            "organise.permuted", float(np.mean(mixed)), "%", goal=at_least(97.7), runs=mixed,
            note="the pixels in random order",
        ),
        Figure("organise.kept5000", kept, "%", note="with 5,000 kept rows; one seed"),
    ]  # fmt: skip


def _permuted(data: Mnist) -> Mnist:
    order = np.random.default_rng(1).permutation(_SIDE * _SIDE)
    return replace(
        data, train_images=data.train_images[:, order], test_images=data.test_images[:, order]
    )


def _search(data: Mnist) -> list[Figure]:
    """Measure how long the search takes, and how near to one another lies what it puts together."""
    rows = data.train_images[: _ORGANISATION.at_row].astype(np.float32)
    started = time.process_time()
    reaches = find_reaches(rows, _ORGANISATION)
    seconds = time.process_time() - started
    places = np.stack(np.divmod(np.arange(_SIDE * _SIDE), _SIDE), axis=1)
    distances = [_mean_distance(places[list(reach)]) for reach in reaches]
    y, x = np.mgrid[-_SIDE:_SIDE, -_SIDE:_SIDE].reshape(2, -1)
    ideal = float(np.sort(np.hypot(x, y))[: _ORGANISATION.channels].mean())
    distance = float(np.mean(distances))
    return [
        Figure("organise.search", seconds, "s", goal=at_most(0.2), note="CPU time, at row 500"),
        Figure(
            "organise.distance", distance, "pixels", "a disc of 140 pixels", distance / ideal,
            runs=distances, note="mean distance of a population's pixels from their middle",
        ),
    ]  # fmt: skip


def _mean_distance(places: np.ndarray) -> float:
    return float(np.hypot(*(places - places.mean(axis=0)).T).mean())
