"""What this machine can do, and what share of it the engine reaches.

Three small kernels measure the roof: reading at each level of the caches, gathering weight rows
(what predicting does: add drive * row into the neurons' sums) and rank-1 updates of weight rows
(what learning adds). The engine's own arithmetic is counted from the network it grew; everything
else that it does (scanning, coding, growth) is overhead in this account.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import Arrival, Engine, NetworkStructure, create_engine
from kyouko.domain.engine.growing.topology import lay_out
from kyouko.kernels.warmup import warm_up
from tests.bench.mnist import Mnist
from tests.bench.networks import flat_structure, structure_of
from tests.bench.progress import follow
from tests.bench.report import Figure

_FAST_MATH = {"reassoc", "contract", "nsz", "arcp", "afn"}
_LEVELS = {"l1": 16 << 10, "l2": 512 << 10, "l3": 8 << 20, "memory": 256 << 20}
_WIDTHS = (32, 128)
_ACTIVE_ROWS = 152
_POOL_ROWS = 784
_SECONDS = 0.15

Float32 = npt.NDArray[np.float32]
UInt32 = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class _Pool:
    """Weight rows of one width, and which of them a sample drives."""

    weights: Float32
    rows: UInt32
    drives: Float32
    sums: Float32

    @classmethod
    def create(cls, width: int) -> "_Pool":
        random = np.random.default_rng(width)
        rows = random.permutation(_POOL_ROWS)[:_ACTIVE_ROWS].astype(np.uint32)
        rows.sort()
        weights = _aligned(_POOL_ROWS * width).reshape(_POOL_ROWS, width)
        weights[:] = random.normal(size=weights.shape)
        drives = random.random(_ACTIVE_ROWS).astype(np.float32)
        return cls(weights, rows, drives, _aligned(width))

    @property
    def flops(self) -> int:
        """Of one pass over the driven rows: a multiplication and an addition a weight."""
        return 2 * _ACTIVE_ROWS * int(self.weights.shape[1])


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Measure the roof, then the engine's share of it."""
    figures = [_reading(level, runs) for level in follow(list(_LEVELS), "reading")]
    roofs = {}
    for width in _WIDTHS:
        pool = _Pool.create(width)
        roofs[width] = _arithmetic(f"machine.gather_{width}", pool, _gather, runs)
        figures += [roofs[width], _arithmetic(f"machine.rank_1_{width}", pool, _update, runs)]
    warm_up()
    for name, structure, width in (
        ("flat128", structure_of("templates/flat"), 128),
        ("flat32", flat_structure(784, 32), 32),
        ("grid512", structure_of("templates/grid"), 32),
    ):
        rates = _predicting(structure, width, data, runs)
        found = float(np.median(rates))
        share = found / float(np.median(roofs[width].runs))
        figures.append(
            Figure(
                f"machine.{name}.predict",
                found,
                "GFLOP/s",
                roofs[width].name,
                share,
                runs=rates,
                note="only driven weights are counted; scanning, coding and softmax are not",
            )
        )
    return figures


def _predicting(structure: NetworkStructure, width: int, data: Mnist, runs: int) -> list[float]:
    """Return the GFLOP/s of predicting with a network that has learned MNIST."""
    engine = create_engine(structure)
    engine.learn(data.train_images, data.train_labels, arrival=Arrival.STORED)
    flops = _flops_of_predicting(engine, data.test_images, width)
    return [flops / _fastest(lambda: engine.predict(data.test_images)) / 1e9 for _ in range(runs)]


def _reading(level: str, runs: int) -> Figure:
    values = np.ones(_LEVELS[level] // 4, np.float32)
    times = max(1, (64 << 20) // values.nbytes)
    rates = [
        times * values.nbytes / _fastest(lambda: _read(values, times)) / 1e9 for _ in range(runs)
    ]
    note = f"{values.nbytes >> 10} KiB read again and again"
    return Figure(f"machine.read_{level}", float(np.median(rates)), "GB/s", runs=rates, note=note)


def _arithmetic(name: str, pool: _Pool, kernel: Callable[..., object], runs: int) -> Figure:
    times = max(1, int(2e8) // pool.flops)
    rates = [
        times
        * pool.flops
        / _fastest(lambda: kernel(pool.weights, pool.rows, pool.drives, pool.sums, times))
        / 1e9
        for _ in range(runs)
    ]
    note = f"{_ACTIVE_ROWS} of {_POOL_ROWS} rows driven"
    return Figure(name, float(np.median(rates)), "GFLOP/s", runs=rates, note=note)


def _fastest(call: Callable[[], object]) -> float:
    """Return the CPU seconds of the fastest call within a short while, after a first one."""
    call()
    best, spent = float("inf"), 0.0
    while spent < _SECONDS:
        started = time.process_time()
        call()
        seconds = time.process_time() - started
        best, spent = min(best, seconds), spent + seconds
    return best


def _flops_of_predicting(engine: Engine, images: npt.NDArray[np.uint8], width: int) -> int:
    """Count the multiplications and additions of hidden sums and outputs for all images."""
    arrays = engine.export_state().arrays
    named = {name.rpartition("/")[2]: array for name, array in arrays.items()}
    active = (images < named["resting_low"]) | (images > named["resting_high"])
    edges = np.diff(lay_out(engine.structure).reach_first)
    driven = active.sum(axis=0) * named["section_count"] * edges
    outputs = len(images) * engine.structure.neurons * engine.outputs
    return 2 * (int(driven.sum()) * width + outputs)


def _aligned(size: int) -> Float32:
    """Return zeros that begin on a cache line."""
    raw = np.zeros(4 * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    values: Float32 = raw[start : start + 4 * size].view(np.float32)
    return values


def _compiled(function: Any) -> Any:
    options: Any = {"fastmath": _FAST_MATH, "error_model": "numpy", "nogil": True, "cache": True}
    return numba.njit(**options)(function)


@_compiled
def _read(values, times):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for n in range(times):
        part = np.float32(n)
        for place in range(values.shape[0]):
            part += values[place]
        total = max(total, part)
    return total


# Rows are unsigned and drives are read before the inner loop: otherwise the compiler has to reckon
# with negative indices and with sums that overlap drives, and neither is vectorised.
@_compiled
def _gather(weights, rows, drives, sums, times):  # type: ignore[no-untyped-def]
    whole = rows.shape[0] - rows.shape[0] % 8
    for _ in range(times):
        for j in range(sums.shape[0]):
            sums[j] = 0
        for k in range(0, whole, 8):
            r0, r1, r2, r3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
            r4, r5, r6, r7 = rows[k + 4], rows[k + 5], rows[k + 6], rows[k + 7]
            d0, d1, d2, d3 = drives[k], drives[k + 1], drives[k + 2], drives[k + 3]
            d4, d5, d6, d7 = drives[k + 4], drives[k + 5], drives[k + 6], drives[k + 7]
            for j in range(sums.shape[0]):
                sums[j] += (
                    d0 * weights[r0, j] + d1 * weights[r1, j]
                    + d2 * weights[r2, j] + d3 * weights[r3, j]
                    + d4 * weights[r4, j] + d5 * weights[r5, j]
                    + d6 * weights[r6, j] + d7 * weights[r7, j]
                )  # fmt: skip


@_compiled
def _update(weights, rows, drives, sums, times):  # type: ignore[no-untyped-def]
    for _ in range(times):
        for place in range(rows.shape[0]):
            step = np.float32(1e-6) * drives[place]
            row = rows[place]
            for j in range(sums.shape[0]):
                weights[row, j] -= step * sums[j]
