"""Networks that nobody uses: what they cost in memory, and how soon one is back."""

import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from hanami_sdk import AsyncClient
from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.home import MeshHome
from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Labels, Learner, Rows
from kyouko.domain.networks.ledger import Ledger
from kyouko.kernels.warmup import warm_up
from kyouko.storage.snapshots import BlobSnapshotStore
from mesh.blobs import BlobStore
from tests.bench.gateway import free_port
from tests.bench.mnist import Mnist
from tests.bench.networks import structure_of
from tests.bench.progress import follow
from tests.bench.report import Figure, at_most

NETWORKS = 500
MOST_BYTES = 200e6
MOST_SECONDS = 0.1
_TEMPLATE = "templates/flat"
# The network that has learned all rows; the others have learned few.
_LEARNED = "first"
# Idle networks that are woken in each run beside it.
_WOKEN = 20
_FRAME_ROWS = 256
_TAUGHT_ROWS = 64
_IDLE_SECONDS = 1.0
# The server looks four times a second, and takes a snapshot before it lets go.
_LEAVING_SECONDS = _IDLE_SECONDS + 2.0


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Wake a network without a mesh, then fill a mesh with idle ones and wake one there."""
    warm_up()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        alone = asyncio.run(_wake_alone(data, folder / "snapshots", runs))
        stack.enter_context(_soon_idle())
        home = MeshHome(folder / "home")
        stack.callback(local_mesh.stop, home, lambda event: None)
        state = local_mesh.start(home, on_event=lambda event: None, port=free_port())
        password = home.admin_password_file.read_text(encoding="utf-8").strip()
        kyouko = psutil.Process(int(home.pid_file("kyouko").read_text().split()[0]))
        found = asyncio.run(_in_mesh(state.gateway_url, password, kyouko, data, runs))
    return [
        Figure(
            "idle.memory",
            found.bytes,
            "bytes",
            must=at_most(MOST_BYTES),
            note=f"{NETWORKS} networks",
        ),
        Figure("idle.wake.alone", median(alone), "s", must=at_most(MOST_SECONDS), runs=alone),
        Figure(
            "idle.wake.mesh",
            median(found.cold),
            "s",
            "the same stream to one in memory",
            median(found.cold) / median(found.warm),
            must=at_most(MOST_SECONDS),
            runs=found.cold,
        ),
        Figure(
            "idle.wake.mesh.most",
            max(found.cold),
            "s",
            "the slowest of the same streams to one in memory",
            max(found.cold) / max(found.warm),
            goal=at_most(MOST_SECONDS),
            note=f"the slowest of {len(found.cold)}",
        ),
    ]


@dataclass(frozen=True)
class _Found:
    """What a mesh with idle networks has shown.

    Attributes:
        bytes: what kyouko grew by.
        cold: seconds of a stream to a network that has left memory, for one row.
        warm: the same to one that is there.
    """

    bytes: float
    cold: list[float]
    warm: list[float]


async def _wake_alone(data: Mnist, folder: Path, runs: int) -> list[float]:
    """Return the times from a snapshot's file to a network that is ready."""
    store = BlobSnapshotStore(BlobStore.at("", service="kyouko", default=folder))
    structure = structure_of(_TEMPLATE)
    learner = Learner(structure, None)
    for first in range(0, len(data.train_images), _FRAME_ROWS):
        part = slice(first, first + _FRAME_ROWS)
        labels = Labels(data.train_labels[part].tolist())
        learner.learn(Rows(data.train_images[part], labels), Arrival.STREAMED)
    name = await store.save("net", learner.export())
    del learner
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        content = await store.load(name)
        ledger = Ledger(Learner(structure, content), content)
        seconds.append(time.perf_counter() - started)
        if ledger.learner.learned_rows != len(data.train_images):
            raise RuntimeError("the snapshot has not all rows")
    return seconds


async def _in_mesh(
    url: str, password: str, kyouko: psutil.Process, data: Mnist, runs: int
) -> _Found:
    """Fill a mesh with idle networks, and wake some of them and one that learned all rows."""
    project = f"bench-{uuid.uuid4().hex[:8]}"
    async with AsyncClient(url, project=project, user="admin", password=password) as client:
        await client.projects.create(project)
        await _taught(client, _LEARNED, data, len(data.train_images))
        await asyncio.sleep(_LEAVING_SECONDS)
        before = kyouko.memory_info().rss
        for number in follow(range(NETWORKS), "networks"):
            await _taught(client, f"idle-{number}", data, _TAUGHT_ROWS)
        # All that are in memory still leave it.
        await asyncio.sleep(_LEAVING_SECONDS + 10.0)
        grown = kyouko.memory_info().rss - before
        cold, warm = [], []
        for run in range(runs):
            networks = [
                _LEARNED,
                *(f"idle-{(run * _WOKEN + place) % NETWORKS}" for place in range(_WOKEN)),
            ]
            for network in networks:
                cold.append(await _stream_seconds(client, network, data))
                warm.append(await _stream_seconds(client, network, data))
            await asyncio.sleep(_LEAVING_SECONDS)
    return _Found(float(grown), cold, warm)


async def _taught(client: AsyncClient, network: str, data: Mnist, rows: int) -> None:
    await client.networks.create(network, template=_TEMPLATE, channels=784)
    async with client.learn(network) as stream:
        await stream.learn_rows(
            data.train_images[:rows], data.train_labels[:rows], frame_rows=_FRAME_ROWS
        )


async def _stream_seconds(client: AsyncClient, network: str, data: Mnist) -> float:
    started = time.perf_counter()
    async with client.learn(network, mode="PREDICT") as stream:
        await stream.learn_rows(data.train_images[:1], data.train_labels[:1])
        return time.perf_counter() - started


@contextmanager
def _soon_idle() -> Iterator[None]:
    """Have the services of a mesh let networks go soon."""
    name = "HANAMI_NETWORK_IDLE_SECONDS"
    os.environ[name] = str(_IDLE_SECONDS)
    try:
        yield
    finally:
        del os.environ[name]
