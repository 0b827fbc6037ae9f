"""Learning through the whole mesh, against the engine alone and a bare stream.

One run measures, in turn and with the same 64-row uint8 frames: (a) the engine
alone, (b) a bare grpc.aio stream through the same Envoy, (c) learning over the
real route. If nothing but engine and wire cost time, (c) would be the serial
rate 1 / (1/a + 1/b); the demand is 60 % of it, as the median of the runs.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import uvloop

from hanami_sdk import AsyncClient
from hanami_sdk.frames import encode_frame, split_rows
from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.home import MeshHome
from kyouko.domain.engine import Arrival, create_engine
from kyouko.kernels.warmup import warm_up
from tests.bench.echo_client import WINDOW, measure_stream
from tests.bench.echo_server import METHOD
from tests.bench.gateway import bench_gateway, free_port
from tests.bench.mnist import Mnist
from tests.bench.networks import structure_of
from tests.bench.report import Figure, at_least

FRAME_ROWS = 64
TEMPLATE = "templates/grid"
LEAST_SHARE = 0.6


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Start a mesh of its own, measure, stop it."""
    warm_up()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home = MeshHome(folder)
        stack.callback(local_mesh.stop, home, lambda event: None)
        state = local_mesh.start(home, on_event=lambda event: None, port=free_port())
        password = home.admin_password_file.read_text(encoding="utf-8").strip()
        answer_bytes = asyncio.run(_answer_bytes(state.gateway_url, password, data))
        echo = stack.enter_context(_echo_server(answer_bytes))
        gateway = stack.enter_context(bench_gateway(state, folder, echo))
        single: list[tuple[float, float, float]] = []
        for _ in range(runs):
            engine = _engine_rate(data)
            bare = uvloop.run(_bare_rate(gateway, data))
            real = uvloop.run(_real_rate(f"http://{gateway}", password, data))
            single.append((engine, bare, real))
    return _figures(single)


def _figures(single: list[tuple[float, float, float]]) -> list[Figure]:
    engine, bare, real = ([run[i] for run in single] for i in range(3))
    limits = [1 / (1 / a + 1 / b) for a, b, _ in single]
    shares = [c / limit for c, limit in zip(real, limits, strict=True)]
    median = statistics.median
    return [
        Figure("mesh.engine_alone", median(engine), "rows/s", runs=engine),
        Figure("mesh.bare_stream", median(bare), "rows/s", runs=bare),
        Figure("mesh.serial_limit", median(limits), "rows/s", runs=limits),
        Figure(
            "mesh.learn",
            median(real),
            "rows/s",
            "mesh.serial_limit",
            median(shares),
            must=at_least(LEAST_SHARE, of="ratio"),
            runs=shares,
        ),
    ]


def _engine_rate(data: Mnist) -> float:
    engine = create_engine(structure_of(TEMPLATE))
    started = time.perf_counter()
    for first in range(0, len(data.train_images), FRAME_ROWS):
        part = slice(first, first + FRAME_ROWS)
        engine.learn(data.train_images[part], data.train_labels[part], arrival=Arrival.STREAMED)
    return len(data.train_images) / (time.perf_counter() - started)


async def _bare_rate(address: str, data: Mnist) -> float:
    frames = split_rows(data.train_images, data.train_labels, frame_rows=FRAME_ROWS)
    messages = [encode_frame(frame).SerializeToString() for frame in frames]
    return len(data.train_images) / await measure_stream(address, METHOD, messages)


async def _real_rate(url: str, password: str, data: Mnist) -> float:
    project = f"bench-{uuid.uuid4().hex[:8]}"
    async with AsyncClient(url, project=project, user="admin", password=password) as client:
        await client.projects.create(project)
        await client.networks.create("speed", template=TEMPLATE)
        async with client.learn("speed", max_outstanding_rows=WINDOW * FRAME_ROWS) as stream:
            started = time.perf_counter()
            score = await stream.learn_rows(
                data.train_images, data.train_labels, frame_rows=FRAME_ROWS
            )
            seconds = time.perf_counter() - started
        if score.rows != len(data.train_images):
            raise RuntimeError(f"only {score.rows} rows were learned")
    return score.rows / seconds


async def _answer_bytes(url: str, password: str, data: Mnist) -> int:
    """Return the size of a real answer to a frame, taken from a living stream."""
    project = f"bench-{uuid.uuid4().hex[:8]}"
    async with AsyncClient(url, project=project, user="admin", password=password) as client:
        await client.projects.create(project)
        await client.networks.create("size", template=TEMPLATE)
        async with client.learn("size") as stream:
            sizes = [
                result.size_bytes
                async for result in stream.results(
                    split_rows(data.train_images[:1280], data.train_labels[:1280])
                )
            ]
    return int(np.median(sizes))


@contextmanager
def _echo_server(answer_bytes: int) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.echo_server", str(port), str(answer_bytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("the echo server did not start")
            yield port
        finally:
            process.terminate()
