"""Two networks on two cores: kernels release the interpreter, so threads add up."""

import time
from collections.abc import Callable
from threading import Thread

import numpy as np

from kyouko.domain.engine import Arrival, create_engine
from kyouko.kernels.warmup import warm_up
from tests.bench.mnist import Mnist
from tests.bench.networks import structure_of
from tests.bench.progress import follow
from tests.bench.report import Figure, at_least

_TEMPLATES = ("templates/flat", "templates/grid")
_PASSES = 2


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Learn with one network and with two at once, in turn; compare rows in a second."""
    warm_up()
    figures = []
    for template in _TEMPLATES:
        alone, gains = [], []
        for _ in follow(range(runs), f"threads: {template}"):
            one = _seconds(1, template, data)
            two = _seconds(2, template, data)
            alone.append(_PASSES * len(data.train_images) / one)
            gains.append(2 * one / two)
        name = f"threads.{template.removeprefix('templates/')}"
        gain = float(np.median(gains))
        figures += [
            Figure(f"{name}.one", float(np.median(alone)), "rows/s", runs=alone),
            Figure(
                f"{name}.two", gain, "x of one", must=at_least(1.6), goal=at_least(1.9), runs=gains
            ),
        ]
    return figures


def _seconds(networks: int, template: str, data: Mnist) -> float:
    """Return the wall time until as many networks have learned all rows."""
    threads = [Thread(target=_learner(template, data)) for _ in range(networks)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def _learner(template: str, data: Mnist) -> Callable[[], None]:
    engine = create_engine(structure_of(template))

    def learn() -> None:
        for _ in range(_PASSES):
            engine.learn(data.train_images, data.train_labels, arrival=Arrival.STORED)

    return learn
