"""The engine alone on raw MNIST: accuracy over seeds, speed against peers.

Defaults only: the options of every network are the engine's own, but for the rehearsal that is
reported separately. Networks and the dense peer take turns, seed by seed, so that they see the
same machine; times are CPU time, which other work disturbs least.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from kyouko.domain.engine import Arrival, Engine, NetworkStructure, create_engine
from kyouko.kernels.warmup import warm_up
from tests.bench import mnist_peers
from tests.bench.dense_network import DenseNetwork
from tests.bench.mnist import Mnist
from tests.bench.networks import flat_structure, structure_of
from tests.bench.progress import follow
from tests.bench.report import Bound, Figure, at_least, at_most

_FRAME_ROWS = 2000  # as many of these rows as a stored task gets at once
_PASSES = 10
_DENSE = "engine.dense_784_128_10"


@dataclass(frozen=True)
class Subject:
    """One network and what is expected of it.

    Attributes:
        structure: what to build, seed apart.
        accuracy: demand and goal, percent of the test rows.
        speed: demand on the speed as a multiple of the dense peer's.
        passes: over the training rows.
    """

    structure: NetworkStructure
    accuracy: tuple[Bound | None, Bound | None] = (None, None)
    speed: Bound | None = None
    passes: int = 1


@dataclass(frozen=True)
class Learned:
    """What one network reached: CPU seconds of learning and predicting, accuracy in percent."""

    learn_seconds: float
    predict_seconds: float
    accuracy: float


def subjects() -> dict[str, Subject]:
    """Return the networks by name; the demands are those of docs/benchmarks.md."""
    grid = structure_of("templates/grid")
    options = replace(grid.options, rehearsal_rows=5000, rehearsal_steps=3.0)
    rehearsing = replace(grid, options=options)
    wide = flat_structure(784, 256)
    return {
        "flat64": Subject(flat_structure(784, 64)),
        "flat128": Subject(
            structure_of("templates/flat"),
            (at_least(97.1), at_least(97.5)),
            at_least(3.0, of="ratio"),
        ),
        "flat256": Subject(wide),
        "static128": Subject(structure_of("templates/static")),
        "grid512": Subject(grid, (at_least(97.9), at_least(98.1)), at_least(1.0, of="ratio")),
        "grid512.rehearsal3": Subject(rehearsing, (at_least(98.2), at_least(98.5))),
        "flat256.ten_passes": Subject(wide, (at_least(98.2), at_least(98.7)), passes=_PASSES),
        "grid512.ten_passes": Subject(grid, (at_least(98.4), at_least(98.7)), passes=_PASSES),
    }


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Measure all networks over `runs` seeds beside the dense peer, then the slow peers."""
    warm_up()
    named = subjects()
    few = _first(data, _FRAME_ROWS, _FRAME_ROWS)
    for subject in named.values():
        learn_and_test(create_engine(subject.structure), few)
    dense: list[Learned] = []
    found: dict[str, list[Learned]] = {name: [] for name in named}
    turns = [(seed, name) for seed in range(1, runs + 1) for name in ("", *named)]
    for seed, name in follow(turns, "MNIST"):
        if not name:
            dense.append(_learn_dense(data, seed))
        else:
            subject = named[name]
            engine = seeded(subject.structure, seed)
            found[name].append(learn_and_test(engine, data, passes=subject.passes))
    figures = [_accuracy(_DENSE, dense, Subject(flat_structure(784, 128))), _rate(_DENSE, dense)]
    for name, subject in named.items():
        figures += _figures(f"engine.{name}", subject, found[name], dense)
    peers = [figure for peer in mnist_peers.PEERS for figure in _peer(peer, data, found["flat128"])]
    return figures + peers + [_same_subset(data, runs)]


def seeded(structure: NetworkStructure, seed: int) -> Engine:
    """Make the network with another seed."""
    return create_engine(replace(structure, options=replace(structure.options, seed=seed)))


def learn_and_test(engine: Engine, data: Mnist, *, passes: int = 1) -> Learned:
    """Learn the training rows as a stored task does, then predict the test rows."""
    started = time.process_time()
    for _ in range(passes):
        for first in range(0, len(data.train_images), _FRAME_ROWS):
            part = slice(first, first + _FRAME_ROWS)
            engine.learn(data.train_images[part], data.train_labels[part], arrival=Arrival.STORED)
    learned = time.process_time()
    predicted = engine.predict(data.test_images).argmax(axis=1)
    done = time.process_time()
    accuracy = 100 * float(np.mean(predicted == data.test_labels))
    return Learned(learned - started, done - learned, accuracy)


def _learn_dense(data: Mnist, seed: int) -> Learned:
    rows = data.train_images.astype(np.float32) / np.float32(255)
    network = DenseNetwork.create(rows.shape[1], 128, 10, seed=seed)
    DenseNetwork.create(rows.shape[1], 128, 10, seed=seed).learn(rows[:1], data.train_labels[:1])
    started = time.process_time()
    network.learn(rows, data.train_labels)
    learned = time.process_time()
    predicted = network.predict(data.test_images.astype(np.float32) / np.float32(255))
    done = time.process_time()
    accuracy = 100 * float(np.mean(predicted == data.test_labels))
    return Learned(learned - started, done - learned, accuracy)


def _figures(
    name: str, subject: Subject, found: list[Learned], dense: list[Learned]
) -> list[Figure]:
    accuracy = _accuracy(name, found, subject)
    if subject.passes > 1:
        return [accuracy]
    ratios = [
        peer.learn_seconds / run.learn_seconds for peer, run in zip(dense, found, strict=True)
    ]
    learning = replace(
        _rate(name, found),
        reference=f"{_DENSE}.learn",
        ratio=float(np.median(ratios)),
        must=subject.speed,
    )
    return [accuracy, learning, _predicting(name, found)]


def _accuracy(name: str, found: list[Learned], subject: Subject) -> Figure:
    runs = [run.accuracy for run in found]
    must, goal = subject.accuracy
    mean = float(np.mean(runs))
    return Figure(f"{name}.accuracy", mean, "%", must=must, goal=goal, runs=runs)


def _rate(name: str, found: list[Learned]) -> Figure:
    rates = [60_000 / run.learn_seconds for run in found]
    return Figure(f"{name}.learn", float(np.median(rates)), "rows/CPU s", runs=rates)


def _predicting(name: str, found: list[Learned]) -> Figure:
    seconds = [run.predict_seconds for run in found]
    return Figure(
        f"{name}.predict_10000",
        float(np.median(seconds)),
        "CPU s",
        "learning 60,000",
        float(np.median([run.predict_seconds / run.learn_seconds for run in found])),
        must=at_most(0.2, of="ratio"),
        goal=at_most(0.1, of="ratio"),
        runs=seconds,
    )


def _peer(peer: mnist_peers.Peer, data: Mnist, flat: list[Learned]) -> list[Figure]:
    """Measure a slow peer once and compare its speed with the flat network's."""
    name = f"engine.{peer.name}"
    try:
        found: mnist_peers.Found = peer.measure(data)
    except ModuleNotFoundError as missing:
        return [
            Figure(f"{name}.learn", None, "rows/CPU s", note=f"{missing.name} is not installed")
        ]
    rate = float(np.median([60_000 / run.learn_seconds for run in flat]))
    times = rate / found.rows_per_second
    figures = [
        Figure(f"{name}.accuracy", found.accuracy, "%", note=peer.note),
        Figure(
            f"{name}.learn",
            found.rows_per_second,
            "rows/CPU s",
            "engine.flat128.learn",
            1.0 / times,
            note=peer.note,
        ),
    ]
    if peer.times is not None:
        name = f"engine.flat128.speed_over_{peer.name}"
        figures.append(Figure(name, times, "x", must=at_least(peer.times)))
    return figures


def _same_subset(data: Mnist, runs: int) -> Figure:
    """Return the flat network's accuracy after as few rows as the slow peers get."""
    small = _first(data, mnist_peers.SUBSET_ROWS, mnist_peers.SUBSET_TESTS)
    flat = structure_of("templates/flat")
    found = [learn_and_test(seeded(flat, seed), small) for seed in range(1, runs + 1)]
    figure = _accuracy("engine.flat128.subset", found, Subject(flat))
    return replace(figure, note=mnist_peers.SUBSET_NOTE)


def _first(data: Mnist, rows: int, tests: int) -> Mnist:
    return Mnist(
        data.train_images[:rows],
        data.train_labels[:rows],
        data.test_images[:tests],
        data.test_labels[:tests],
    )
