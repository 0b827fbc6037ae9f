"""How long `hanami up` takes, with and without compiled kernels."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.home import MeshHome
from tests.bench.gateway import free_port
from tests.bench.mnist import Mnist
from tests.bench.report import Figure, at_most

_CACHE = "NUMBA_CACHE_DIR"
# What the mesh may take to be healthy once its kernels are compiled.
LIMIT_SECONDS = 15.0


def measure(_: Mnist, runs: int) -> list[Figure]:
    """Start a mesh with an empty kernel cache, then again with the filled one."""
    with tempfile.TemporaryDirectory() as folder, _kernel_cache(Path(folder) / "kernels"):
        first = _start_seconds(Path(folder) / "first")
        later = sorted(_start_seconds(Path(folder) / f"home-{run}") for run in range(runs))
    median = later[len(later) // 2]
    return [
        Figure("start.first", first, "s"),
        Figure(
            "start.cached",
            median,
            "s",
            "start.first",
            median / first,
            must=at_most(0.5, of="ratio"),
            runs=later,
        ),
        Figure("start.cached", median, "s", must=at_most(LIMIT_SECONDS), runs=later),
    ]


def _start_seconds(folder: Path) -> float:
    home = MeshHome(folder)
    started = time.perf_counter()
    try:
        local_mesh.start(home, on_event=lambda event: None, port=free_port())
        return time.perf_counter() - started
    finally:
        local_mesh.stop(home, lambda event: None)


@contextmanager
def _kernel_cache(folder: Path) -> Iterator[None]:
    before = os.environ.get(_CACHE)
    os.environ[_CACHE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CACHE]
        else:
            os.environ[_CACHE] = before
