"""What networks take: bytes of each kind, and a process that fills a pool to its bound."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, replace

import numpy as np
import psutil

from kyouko.domain.engine import Arrival, NetworkStructure, Spiking, create_engine
from kyouko.kernels.warmup import warm_up
from tests.bench.mnist import Mnist
from tests.bench.networks import flat_structure, structure_of
from tests.bench.progress import follow
from tests.bench.report import Figure, at_most

_ROWS = 20_000
_FRAME_ROWS = 64
_FULL_LIMIT = 64 * 1024 * 1024
_MOST_FRAMES = 2_000


@dataclass(frozen=True)
class Filled:
    """A network whose pool of weights is full.

    Attributes:
        told_bytes: what it said it holds.
        resident_bytes: what the process grew by since before the network was made.
        stopped: whether growth stopped.
        finite: whether it still predicts finite numbers.
    """

    told_bytes: int
    resident_bytes: int
    stopped: bool
    finite: bool


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Measure every kind after 20,000 rows of MNIST, then fill a pool."""
    kinds = kinds_of_networks()
    figures = [_taken(kind, kinds[kind], data) for kind in follow(list(kinds), "memory")]
    command = [sys.executable, "-m", "tests.bench.memory"]
    filled = Filled(**json.loads(subprocess.check_output(command, text=True)))
    if not (filled.stopped and filled.finite):
        raise RuntimeError(f"the pool was not filled as it should: {filled}")
    # Python's own objects come on top of what the network is.
    for name, found, most in (
        ("told", filled.told_bytes, 1.0),
        ("resident", filled.resident_bytes, 1.01),
    ):
        figures.append(
            Figure(
                f"memory.full_pool.{name}",
                found,
                "bytes",
                "declared limit",
                found / _FULL_LIMIT,
                must=at_most(most, of="ratio"),
            )
        )
    return figures


def kinds_of_networks() -> dict[str, NetworkStructure]:
    """Return one network of each kind over 784 channels, with the limit that is the default."""
    flat = structure_of("templates/flat")
    spiking = tuple(replace(item, spiking=Spiking()) for item in flat.populations)
    delayed = tuple(replace(item, delays=(1, 2)) for item in flat.inputs)
    return {
        "flat128": flat,
        "flat256": flat_structure(784, 256),
        "grid512": structure_of("templates/grid"),
        "self_organised": structure_of("templates/self-organised"),
        "spiking128": replace(flat, populations=spiking),
        "flat128.delays": replace(flat, inputs=delayed),
        "flat128.experts": replace(flat, options=replace(flat.options, experts=True)),
        "static": structure_of("templates/static"),
    }


def _taken(kind: str, structure: NetworkStructure, data: Mnist) -> Figure:
    engine = create_engine(structure)
    for first in range(0, _ROWS, _FRAME_ROWS):
        part = slice(first, first + _FRAME_ROWS)
        engine.learn(data.train_images[part], data.train_labels[part], arrival=Arrival.STORED)
    statistics = engine.statistics()
    return Figure(
        f"memory.{kind}",
        statistics.memory_bytes,
        "bytes",
        "declared limit",
        statistics.memory_bytes / statistics.memory_limit_bytes,
        must=at_most(1.0, of="ratio"),
        note=f"after {_ROWS:,} rows of MNIST",
    )


def fill() -> Filled:
    """Send noise on all channels until growth stops, in this process."""
    warm_up()
    random = np.random.default_rng(1)
    frame = random.normal(size=(_FRAME_ROWS, 784)).astype(np.float32)
    labels = random.integers(0, 10, _FRAME_ROWS).astype(np.int32)
    structure = flat_structure(784, 1024)
    limited = replace(structure.options, memory_limit_bytes=_FULL_LIMIT)
    bounded = replace(structure, options=limited)
    # What the process needs for a frame is not the network's: it is there from now on.
    create_engine(bounded).learn(frame * np.float32(1), labels, arrival=Arrival.STREAMED)
    process = psutil.Process()
    before = process.memory_info().rss
    engine = create_engine(bounded)
    for place in range(_MOST_FRAMES):
        engine.learn(frame * np.float32(1.5**place % 1e30), labels, arrival=Arrival.STREAMED)
        if engine.statistics().growth_stopped:
            break
    finite = bool(np.isfinite(engine.predict(frame)).all())
    statistics = engine.statistics()
    grown = process.memory_info().rss - before
    return Filled(statistics.memory_bytes, grown, statistics.growth_stopped, finite)


if __name__ == "__main__":
    print(json.dumps(asdict(fill())))
