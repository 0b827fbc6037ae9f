"""Deletions whose callers leave."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.catalogue import NetworkLimits, Networks, NewNetwork
from kyouko.domain.networks.learner import Labels, Rows
from kyouko.domain.networks.live import LiveLimits, LiveNetworks
from kyouko.templates import shipped_templates
from mesh.access import Role
from mesh.errors import NotFound
from tests.contract.kyouko.in_memory import MemoryNetworkRepository, MemorySnapshotStore
from tests.factories import caller, principal

ALICE = caller(principal(flowers=Role.MEMBER))
NEW = NewNetwork("flowers", "net", shipped_templates()["flat"].template, channels=1)


async def test_a_deletion_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if whoever asked for it left when the row was gone and the snapshots were not."""
    repository, snapshots = MemoryNetworkRepository(), MemorySnapshotStore()
    deleting, may_delete, deleted = asyncio.Event(), asyncio.Event(), asyncio.Event()
    delete = snapshots.delete

    async def slow_delete(name: str) -> None:
        deleting.set()
        await may_delete.wait()
        await delete(name)
        deleted.set()

    with ThreadPoolExecutor(1) as executor:
        live = LiveNetworks(
            repository, snapshots, executor, new_id=lambda: "id", limits=LiveLimits()
        )
        networks = Networks(
            repository,
            live,
            executor,
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            new_id=lambda: "uid",
            limits=NetworkLimits(),
        )
        await networks.create(ALICE, NEW)
        async with live.using("flowers", "net") as used:
            one = Rows(np.ones((1, 1), np.float32), Labels(["a"]))
            await used.owner.run(lambda learner: learner.learn(one, Arrival.STREAMED))
            await live.keep(used)
        monkeypatch.setattr(snapshots, "delete", slow_delete)
        leaving = asyncio.create_task(networks.delete(ALICE, "flowers", "net"))
        await deleting.wait()
        leaving.cancel()
        await asyncio.wait({leaving})
        may_delete.set()
        await deleted.wait()
        await asyncio.sleep(0)

        assert [] == list(await snapshots.names(""))
        assert not live.is_deleting("uid")
        with pytest.raises(NotFound):
            await networks.get(ALICE, "flowers", "net")
