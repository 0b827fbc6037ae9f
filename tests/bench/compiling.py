"""How long the kernels take until the first row: compiled anew, and loaded from the cache."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import numpy as np

from tests.bench.mnist import Mnist
from tests.bench.progress import follow
from tests.bench.report import Figure, at_most

# Imports are not part of it: a service pays for them with or without kernels.
_PROGRAM = """
import json, os
from kyouko.kernels.warmup import warm_up
before = os.times()
wall = warm_up()
# Of this process and of the one that helped it.
cpu = sum(os.times()[:4]) - sum(before[:4])
print(json.dumps({"wall": wall, "cpu": cpu}))
"""


@dataclass(frozen=True)
class WarmUp:
    """Seconds until every kernel was called once."""

    wall: float
    cpu: float


def measure(_: Mnist, runs: int) -> list[Figure]:
    """Warm up in processes of their own: with an empty cache folder, then with a full one."""
    cold, cached = [], []
    for _run in follow(range(max(1, runs // 2)), "compiling"):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_warm_up(folder))
            cached += [_warm_up(folder) for _ in range(2)]
    figures = []
    for name, found, must, goal in (
        ("cold", cold, None, at_most(10.0)),
        ("cached", cached, at_most(1.0), at_most(0.5)),
    ):
        for clock in ("cpu", "wall"):
            seconds = [float(getattr(item, clock)) for item in found]
            figures.append(
                Figure(
                    f"compile.{name}.{clock}",
                    float(np.median(seconds)),
                    "s",
                    must=must if clock == "cpu" else None,
                    goal=goal if clock == "cpu" else None,
                    runs=seconds,
                )
            )
    return figures


def _warm_up(cache: str) -> WarmUp:
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    output = subprocess.check_output([sys.executable, "-c", _PROGRAM], env=environment, text=True)
    return WarmUp(**json.loads(output))
