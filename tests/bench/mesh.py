"""Learning through the whole mesh, against the engine alone and a bare stream.

One run measures, in turn and with the same frames of uint8 rows: (a) the engine alone, (b) a
bare grpc.aio echo of the frames through the same Envoy, (c) learning over the real route, with
the journal in files. If nothing but engine and wire cost time, (c) would be the serial rate
1 / (1/a + 1/b); the demand is 90 % of it, as the median of the runs. (b) and (c) have the same
bare client with ready-made messages; beside it stand what the client library reaches, which makes
them and reads the answers, and what is left of the limit if the bare stream sends back only as
many bytes as a real answer has. Then one row at a time, as `tests.bench.ping_pong` says.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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
from tests.bench.echo_server import TEMPLATE
from tests.bench.gateway import bench_gateway, free_port
from tests.bench.learn_client import Target, measure_learning, messages_of
from tests.bench.mnist import Mnist
from tests.bench.networks import structure_of
from tests.bench.ping_pong import (
    Latency,
    durable_delays,
    echo_latency,
    engine_latency,
    learn_latency,
)
from tests.bench.report import Figure, at_least, at_most

FRAMES_ROWS = (64, 256)
LEAST_SHARE = 0.9
MOST_P50 = 1.3
MOST_P99 = 2.0
LEAST_RUNS = 5
_ENGINE_NOTE = (
    "the least a service that learns can do: a bare stream whose server parses the row, lets the "
    "engine learn it, and answers; without checks, session, scores or journal"
)
# Enough for a second or so; all of them, so often, would take minutes.
ROWS = 20_000


@dataclass(frozen=True)
class _Gateway:
    """The way into a mesh that runs.

    Attributes:
        answer_bytes: the size of a real answer, by the rows of its frame.
    """

    address: str
    password: str
    answer_bytes: dict[int, int]

    def client(self, project: str) -> AsyncClient:
        return AsyncClient(
            f"http://{self.address}", project=project, user="admin", password=self.password
        )


@dataclass(frozen=True)
class _Rates:
    """Rows a second, one run."""

    engine: float
    echo: float
    small_answers: float
    real: float
    two_streams: float
    library: float

    @property
    def limit(self) -> float:
        return 1 / (1 / self.engine + 1 / self.echo)

    @property
    def tight_limit(self) -> float:
        return 1 / (1 / self.engine + 1 / self.small_answers)


@dataclass(frozen=True)
class _Latencies:
    echo: Latency
    engine: Latency
    learn: Latency
    durable: Sequence[float]


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Start a mesh of its own, measure, stop it."""
    warm_up()
    data = replace(
        data, train_images=data.train_images[:ROWS], train_labels=data.train_labels[:ROWS]
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home = MeshHome(folder)
        stack.callback(local_mesh.stop, home, lambda event: None)
        state = local_mesh.start(home, on_event=lambda event: None, port=free_port())
        password = home.admin_password_file.read_text(encoding="utf-8").strip()
        echo = stack.enter_context(_echo_server())
        address = stack.enter_context(bench_gateway(state, folder, echo))
        # One loop for all: gRPC's poller may still hold on to one that has ended.
        rates, latencies = uvloop.run(_measured(address, password, data, max(runs, LEAST_RUNS)))
    figures = [figure for rows, found in rates.items() for figure in _rate_figures(rows, found)]
    return [*figures, *_latency_figures(latencies)]


async def _measured(
    address: str, password: str, data: Mnist, runs: int
) -> tuple[dict[int, list[_Rates]], list[_Latencies]]:
    answer_bytes = await _answer_bytes(f"http://{address}", password, data)
    gateway = _Gateway(address, password, answer_bytes)
    rates: dict[int, list[_Rates]] = {rows: [] for rows in FRAMES_ROWS}
    latencies = []
    for _ in range(runs):
        for rows, measured in rates.items():
            measured.append(await _rates(gateway, data, rows))
        latencies.append(await _latencies(gateway, data))
    return rates, latencies


async def _rates(gateway: _Gateway, data: Mnist, rows: int) -> _Rates:
    return _Rates(
        _engine_rate(data, rows),
        await _bare_rate(gateway, data, rows),
        await _bare_rate(gateway, data, rows, answer_bytes=gateway.answer_bytes[rows]),
        await _real_rate(gateway, data, rows),
        await _real_rate(gateway, data, rows, streams=2),
        await _library_rate(gateway, data, rows),
    )


def _rate_figures(rows: int, found: list[_Rates]) -> list[Figure]:
    name = f"mesh.{rows}_rows"
    limits = [run.limit for run in found]
    reference = f"{name}.serial_limit"
    return [
        _rate(f"{name}.engine_alone", [run.engine for run in found]),
        _rate(f"{name}.echo", [run.echo for run in found]),
        _rate(f"{name}.small_answers", [run.small_answers for run in found]),
        _rate(reference, limits),
        Figure(
            f"{name}.learn",
            statistics.median(run.real for run in found),
            "rows/s",
            reference,
            statistics.median(run.real / run.limit for run in found),
            must=at_least(LEAST_SHARE, of="ratio"),
            runs=[run.real / run.limit for run in found],
        ),
        Figure(
            f"{name}.learn_of_tight_limit",
            statistics.median(run.real / run.tight_limit for run in found),
            "",
            runs=[run.real / run.tight_limit for run in found],
            note="the same against a bare stream whose answers are as small as real ones",
        ),
        Figure(
            f"{name}.two_streams",
            statistics.median(run.two_streams for run in found),
            "rows/s",
            reference,
            statistics.median(run.two_streams / run.limit for run in found),
            runs=[run.two_streams / run.limit for run in found],
            note="two networks at once, both streams together",
        ),
        Figure(
            f"{name}.client_library",
            statistics.median(run.library for run in found),
            "rows/s",
            reference,
            statistics.median(run.library / run.limit for run in found),
            runs=[run.library / run.limit for run in found],
            note="from arrays to scores by `hanami_sdk`, in the process of the bench",
        ),
    ]


def _rate(name: str, runs: list[float]) -> Figure:
    return Figure(name, statistics.median(runs), "rows/s", runs=runs)


def _latency_figures(found: list[_Latencies]) -> list[Figure]:
    durable = [statistics.median(run.durable) for run in found]
    figures = []
    for name, most in (("p50", MOST_P50), ("p99", MOST_P99)):
        echo = [1000 * getattr(run.echo, name) for run in found]
        reference = f"mesh.ping_pong.echo_{name}"
        figures.append(Figure(reference, statistics.median(echo), "ms", runs=echo))
        for way, must in (("engine", None), ("learn", at_most(most, of="ratio"))):
            times = [1000 * getattr(getattr(run, way), name) for run in found]
            ratios = [a / b for a, b in zip(times, echo, strict=True)]
            figures.append(
                Figure(
                    f"mesh.ping_pong.{way}_{name}",
                    statistics.median(times),
                    "ms",
                    reference,
                    statistics.median(ratios),
                    must=must,
                    runs=ratios,
                    note=_ENGINE_NOTE if way == "engine" else "",
                )
            )
    delays = [1000 * delay for delay in durable]
    figures.append(
        Figure(
            "mesh.ping_pong.durable_after",
            statistics.median(delays),
            "ms",
            runs=delays,
            note="median time from a result to the message that says that it is durable",
        )
    )
    return figures


def _engine_rate(data: Mnist, rows: int) -> float:
    engine = create_engine(structure_of(TEMPLATE))
    started = time.perf_counter()
    for first in range(0, len(data.train_images), rows):
        part = slice(first, first + rows)
        engine.learn(data.train_images[part], data.train_labels[part], arrival=Arrival.STREAMED)
    return len(data.train_images) / (time.perf_counter() - started)


async def _bare_rate(gateway: _Gateway, data: Mnist, rows: int, *, answer_bytes: int = 0) -> float:
    frames = split_rows(data.train_images, data.train_labels, frame_rows=rows)
    messages = [encode_frame(frame).SerializeToString() for frame in frames]
    seconds = await measure_stream(gateway.address, messages, answer_bytes=answer_bytes)
    return len(data.train_images) / seconds


async def _real_rate(gateway: _Gateway, data: Mnist, rows: int, *, streams: int = 1) -> float:
    messages = messages_of(data.train_images, data.train_labels, frame_rows=rows)
    targets = await _new_networks(gateway, streams)
    times = await asyncio.gather(*(measure_learning(target, messages) for target in targets))
    seconds = max(end for _, end in times) - min(start for start, _ in times)
    return streams * len(data.train_images) / seconds


async def _library_rate(gateway: _Gateway, data: Mnist, rows: int) -> float:
    project = f"bench-{uuid.uuid4().hex[:8]}"
    async with gateway.client(project) as client:
        await client.projects.create(project)
        await client.networks.create("speed", template=TEMPLATE)
        async with client.learn("speed", max_outstanding_rows=WINDOW * rows) as stream:
            started = time.perf_counter()
            score = await stream.learn_rows(data.train_images, data.train_labels, frame_rows=rows)
            seconds = time.perf_counter() - started
    if score.rows != len(data.train_images):
        raise RuntimeError(f"only {score.rows} rows were learned")
    return score.rows / seconds


async def _latencies(gateway: _Gateway, data: Mnist) -> _Latencies:
    (target,) = await _new_networks(gateway, 1)
    return _Latencies(
        await echo_latency(gateway.address, data),
        await engine_latency(gateway.address, data),
        await learn_latency(target, data),
        await durable_delays(target, data),
    )


async def _new_networks(gateway: _Gateway, count: int) -> list[Target]:
    project = f"bench-{uuid.uuid4().hex[:8]}"
    async with gateway.client(project) as client:
        await client.projects.create(project)
        networks = [
            await client.networks.create(f"speed-{number}", template=TEMPLATE)
            for number in range(count)
        ]
        tokens = client.tokens
    if tokens is None:
        raise RuntimeError("the client has logged in without a token")
    return [Target(gateway.address, network.name, tokens.access) for network in networks]


async def _answer_bytes(url: str, password: str, data: Mnist) -> dict[int, int]:
    """Return the size of a real answer by the rows of its frame, taken from a living stream."""
    project = f"bench-{uuid.uuid4().hex[:8]}"
    sizes = {}
    async with AsyncClient(url, project=project, user="admin", password=password) as client:
        await client.projects.create(project)
        await client.networks.create("size", template=TEMPLATE)
        async with client.learn("size") as stream:
            for rows in FRAMES_ROWS:
                part = slice(20 * rows)
                images, labels = data.train_images[part], data.train_labels[part]
                found = [
                    result.size_bytes
                    async for result in stream.results(split_rows(images, labels, frame_rows=rows))
                ]
                sizes[rows] = int(np.median(found))
    return sizes


@contextmanager
def _echo_server() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.echo_server", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("the echo server did not start")
            yield port
        finally:
            process.terminate()
