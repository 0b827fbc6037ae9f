"""Networks that are created at the same time, and deletions whose callers leave."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from kyouko.domain.engine import Arrival
from kyouko.domain.holdings import Holdings
from kyouko.domain.networks.catalogue import NetworkLimits, Networks, NewNetwork
from kyouko.domain.networks.learner import Labels, Rows
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveLimits
from kyouko.domain.networks.workers import Workers
from kyouko.templates import shipped_templates
from mesh.access import Role
from mesh.errors import NotFound
from mesh.quota_counts import QuotaCounts
from mesh.quotas import QuotaBook
from tests.contract.kyouko.in_memory import (
    MemoryJournals,
    MemoryNetworkRepository,
    MemorySnapshotStore,
)
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

    with Workers(1, "kernels") as executor:
        live = LiveNetworks(repository, snapshots, MemoryJournals(), executor, limits=LiveLimits())
        networks = Networks(
            repository,
            live,
            executor,
            Holdings(QuotaCounts(QuotaBook())),
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            new_id=lambda: "uid",
            limits=NetworkLimits(),
        )
        await networks.create(ALICE, NEW)
        async with live.using("flowers", "net") as used:
            one = Rows(np.ones((1, 1), np.float32), Labels(["a"]))
            await used.owner.run(lambda ledger: ledger.learn(one, Arrival.STREAMED))
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


class CountingExecutor(Workers):
    """Notes how much work was under way whenever some more was handed over."""

    def __init__(self) -> None:
        super().__init__(4, "kernels")
        self.under_way: list[int] = []
        self._futures: list[Future[Any]] = []

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Hand work over."""
        self.under_way.append(sum(not future.done() for future in self._futures))
        future = super().submit(work, *arguments, **options)
        self._futures.append(future)
        return future


async def test_networks_are_built_one_at_a_time() -> None:
    """A new network may fill its memory, which nobody counts yet: two never do so at once."""
    repository, ids = MemoryNetworkRepository(), iter("abcd")
    with CountingExecutor() as executor:
        live = LiveNetworks(
            repository, MemorySnapshotStore(), MemoryJournals(), executor, limits=LiveLimits()
        )
        networks = Networks(
            repository,
            live,
            executor,
            Holdings(QuotaCounts(QuotaBook())),
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            new_id=lambda: next(ids),
            limits=NetworkLimits(),
        )

        await asyncio.gather(
            *(networks.create(ALICE, replace(NEW, network_id=f"net-{place}")) for place in range(4))
        )

    assert [0, 0, 0, 0] == executor.under_way
    assert 4 == len(await repository.holdings())
