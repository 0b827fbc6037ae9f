"""The engine alone on raw MNIST: accuracy over seeds, speed against a dense peer.

Defaults only: the same options for every network, chosen by the engine. Runs of
the engine and of the peer alternate, so that both see the same machine.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from kyouko.domain.engine import Arrival, Engine, NetworkStructure, create_engine
from kyouko.kernels.warmup import warm_up
from tests.bench.dense_network import DenseNetwork
from tests.bench.mnist import Mnist
from tests.bench.networks import flat_structure, structure_of
from tests.bench.report import Figure, at_least, at_most

_FRAME_ROWS = 64
_PASSES = 10


@dataclass(frozen=True)
class Learned:
    """What one network reached: seconds of learning and predicting, accuracy in percent."""

    learn_seconds: float
    predict_seconds: float
    accuracy: float


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Measure flat and local networks over `runs` seeds beside the dense peer."""
    started = time.perf_counter()
    warm_up()
    warm = time.perf_counter() - started
    dense = [_learn_dense(data, seed) for seed in range(1, runs + 1)]
    figures = [
        Figure("engine.warm_up", warm, "s"),
        _accuracy("engine.dense_784_128_10", dense, None),
        _rate("engine.dense_784_128_10", dense, data, None, None),
    ]
    for name, template, least, least_speed in (
        ("flat64", None, None, None),
        ("flat128", "templates/flat", 97.1, None),
        ("grid512", "templates/grid", 97.9, 1.0),
    ):
        structure = structure_of(template) if template else flat_structure(784, 64)
        learned = [_learn(_seeded(structure, seed), data) for seed in range(1, runs + 1)]
        figures.append(_accuracy(f"engine.{name}", learned, least))
        figures.append(_rate(f"engine.{name}", learned, data, dense, least_speed))
        figures.append(_predicting(f"engine.{name}", learned))
    for name, structure, least in (
        ("flat256", flat_structure(784, 256), 98.2),
        ("grid512", structure_of("templates/grid"), 98.4),
    ):
        learned = [_learn(_seeded(structure, 1), data, passes=_PASSES)]
        figures.append(_accuracy(f"engine.{name}.ten_passes", learned, least))
    return figures


def _seeded(structure: NetworkStructure, seed: int) -> Engine:
    return create_engine(replace(structure, options=replace(structure.options, seed=seed)))


def _learn(engine: Engine, data: Mnist, *, passes: int = 1) -> Learned:
    started = time.perf_counter()
    for _ in range(passes):
        for first in range(0, len(data.train_images), _FRAME_ROWS):
            part = slice(first, first + _FRAME_ROWS)
            engine.learn(data.train_images[part], data.train_labels[part], arrival=Arrival.STORED)
    learned = time.perf_counter()
    predicted = engine.predict(data.test_images).argmax(axis=1)
    done = time.perf_counter()
    accuracy = 100 * float(np.mean(predicted == data.test_labels))
    return Learned(learned - started, done - learned, accuracy)


def _learn_dense(data: Mnist, seed: int) -> Learned:
    rows = data.train_images.astype(np.float32) / np.float32(255)
    network = DenseNetwork.create(rows.shape[1], 128, 10, seed=seed)
    DenseNetwork.create(rows.shape[1], 128, 10, seed=seed).learn(rows[:1], data.train_labels[:1])
    started = time.perf_counter()
    network.learn(rows, data.train_labels)
    learned = time.perf_counter()
    predicted = network.predict(data.test_images.astype(np.float32) / np.float32(255))
    done = time.perf_counter()
    accuracy = 100 * float(np.mean(predicted == data.test_labels))
    return Learned(learned - started, done - learned, accuracy)


def _accuracy(name: str, found: list[Learned], least: float | None) -> Figure:
    runs = [run.accuracy for run in found]
    mean = float(np.mean(runs))
    if least is None:
        return Figure(f"{name}.accuracy", mean, "%", runs=runs)
    return Figure(f"{name}.accuracy", mean, "%", must=at_least(least), runs=runs)


def _rate(
    name: str, found: list[Learned], data: Mnist, peer: list[Learned] | None, least: float | None
) -> Figure:
    rates = [len(data.train_images) / run.learn_seconds for run in found]
    median = float(np.median(rates))
    if peer is None:
        return Figure(f"{name}.learn", median, "rows/s", runs=rates)
    ratios = [
        other.learn_seconds / run.learn_seconds for other, run in zip(peer, found, strict=True)
    ]
    ratio = float(np.median(ratios))
    reference = "engine.dense_784_128_10.learn"
    must = None if least is None else at_least(least, of="ratio")
    return Figure(f"{name}.learn", median, "rows/s", reference, ratio, must=must, runs=rates)


def _predicting(name: str, found: list[Learned]) -> Figure:
    seconds = float(np.median([run.predict_seconds for run in found]))
    ratio = float(np.median([run.predict_seconds / run.learn_seconds for run in found]))
    return Figure(
        f"{name}.predict_all",
        seconds,
        "s",
        f"{name} learning",
        ratio,
        must=at_most(0.2, of="ratio"),
    )
