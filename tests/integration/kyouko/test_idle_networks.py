"""Networks that nobody uses any more: they leave memory, and nothing of them stays behind."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb

from kyouko.domain.engine.growing.engine import GrowingEngine
from kyouko.domain.networks.learner import Learner
from kyouko.domain.networks.ledger import Ledger
from kyouko.domain.networks.live_network import LiveNetwork
from kyouko.domain.networks.owner import Owner
from kyouko.domain.networks.sessions import Session
from kyouko.domain.streams.stream import LearnStream
from kyouko.storage.journal.file_journal import FileJournal
from tests.integration.kyouko.servers import RunningKyouko, start_kyouko
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

NETWORKS = 16
CHANNELS = 784
# What is made for one network or stream, and has no reason to outlive it.
KINDS = frozenset(
    {FileJournal, GrowingEngine, Learner, LearnStream, Ledger, LiveNetwork, Owner, Session}
)
Rows = npt.NDArray[np.float32]
Reference = weakref.ref[object]


class Things:
    """Objects of such kinds that came since the collector froze, without keeping them alive."""

    def __init__(self) -> None:
        self._seen: list[Reference] = []

    def look(self) -> None:
        """Remember all that are there now."""
        known = {id(thing) for thing in self.alive()}
        found = (thing for thing in gc.get_objects() if type(thing) in KINDS)
        self._seen += [weakref.ref(thing) for thing in found if id(thing) not in known]

    def alive(self) -> list[object]:
        """Return those that are still there."""
        return [thing for reference in self._seen if (thing := reference()) is not None]

    async def wait_until_gone(self) -> list[object]:
        """Return those that will not go."""
        for _ in range(200):
            gc.collect()
            if not self.alive():
                break
            await asyncio.sleep(0.1)
        return self.alive()


@pytest.fixture
def frozen() -> Iterator[None]:
    """Let the collector pass over all that was there before: there is much of it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def teach(kyouko: RunningKyouko, network_id: str, rows: Rows, *, in_peace: bool) -> None:
    """Make a network, teach it and leave it: with a farewell, or by hanging up in the middle."""
    await kyouko.create_network(network_id, channels=CHANNELS)
    labels = ["high" if row[0] > 0 else "low" for row in rows]
    async with kyouko.stream(network_id=network_id, label_horizon_rows=64) as stream:
        await stream.opened()
        await stream.send(1, rows, labels)
        assert "result" == (await stream.read()).WhichOneof("message")
        await stream.send(2, rows)
        if in_peace:
            assert "result" == (await stream.read()).WhichOneof("message")
            await stream.close()


async def first_answer(kyouko: RunningKyouko, network_id: str, rows: Rows) -> pb.LearnResult:
    """Return what a network says of rows, in a stream that changes nothing."""
    async with kyouko.stream(
        pb.LEARN_MODE_PREDICT, network_id=network_id, return_outputs=True
    ) as stream:
        await stream.opened()
        await stream.send(1, rows)
        return (await stream.read()).result


@pytest.mark.usefixtures("frozen")
async def test_idle_networks_leave_nothing_behind(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """No part of them stays alive, no file open, and no memory taken; they come back as they were.

    Half of their streams end in peace, the others break off.
    """
    rows = np.random.default_rng(5).normal(size=(64, CHANNELS)).astype(np.float32)
    process = psutil.Process()
    async with start_kyouko(
        misaki, "127.0.0.1:1", tmp_path, shiori.alice, network_idle_seconds=1.5
    ) as kyouko:
        # What the first one brings stays: pools of threads, statements of SQL, kernels.
        things = Things()
        await teach(kyouko, "first", rows, in_peace=True)
        await first_answer(kyouko, "first", rows)
        things.look()
        assert not await things.wait_until_gone()
        memory = process.memory_info().rss

        answers, most, kinds = [], 0, set[type]()
        for number in range(NETWORKS):
            await teach(kyouko, f"net-{number}", rows, in_peace=number % 2 == 0)
            answers.append(await first_answer(kyouko, f"net-{number}", rows[:4]))
            things.look()
            alive = [type(thing) for thing in things.alive()]
            kinds |= set(alive)
            most = max(most, alive.count(GrowingEngine))
        stayed = await things.wait_until_gone()
        grown = process.memory_info().rss - memory
        files = [file.path for file in process.open_files() if file.path.endswith(".journal")]
        again = [
            await first_answer(kyouko, f"net-{number}", rows[:4]) for number in range(NETWORKS)
        ]

    # They were there, and several at once.
    assert most > 1
    assert kinds == KINDS
    assert ([], []) == (stayed, files)
    # The heap keeps some of what the busiest moment took, of frames and snapshots.
    assert grown < NETWORKS * 4 * 2**20
    assert [answer.outputs for answer in answers] == [answer.outputs for answer in again]
