"""Networks, synapses and snapshots count, and those that grow are followed."""

from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, NetworkKind
from kyouko.domain.growth import GrowthWatch
from kyouko.domain.holdings import Holdings, holding_of
from kyouko.domain.networks.learner import Labels, Rows
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveLimits, LiveNetwork
from kyouko.domain.networks.network import Network, NetworkStatistics
from kyouko.domain.networks.workers import Workers
from kyouko.domain.rates import RowRates
from mesh.errors import AlreadyExists, DomainError
from mesh.quota_counts import QuotaCounts
from mesh.quotas import Quota, QuotaBook, QuotaExceeded
from tests.contract.kyouko.builders import network
from tests.contract.kyouko.in_memory import (
    MemoryJournals,
    MemoryNetworkRepository,
    MemorySnapshotStore,
)

FLOWERS, ALICE = "projects/flowers", "users/alice"


def used(counts: QuotaCounts, quota: Quota) -> tuple[int, int]:
    """Return how much the project and alice have."""
    return counts.used(FLOWERS, quota), counts.used(ALICE, quota)


def grown(connections: int, *, snapshots: int = 0) -> Network:
    """Return a network with so many synapses and snapshots."""
    return replace(
        network(),
        statistics=NetworkStatistics(input_connections=connections),
        snapshot="new" if snapshots else "",
        snapshot_before="old" if snapshots > 1 else "",
    )


@pytest.fixture
def counts() -> QuotaCounts:
    """Return counts of nothing."""
    return QuotaCounts(QuotaBook())


@pytest.fixture
def holdings(counts: QuotaCounts) -> Holdings:
    """Return holdings without networks."""
    return Holdings(counts)


def test_what_is_stored_counts_and_what_is_deleted_does_not(
    holdings: Holdings, counts: QuotaCounts
) -> None:
    """A network of the start, one that is made, and both gone again."""
    holdings.begin([holding_of(replace(grown(7, snapshots=2), uid="old"))])
    with holdings.making(replace(grown(5), uid="new")):
        pass
    both = [used(counts, quota) for quota in (Quota.NETWORKS, Quota.SYNAPSES, Quota.SNAPSHOTS)]

    for uid in ("old", "new", "new"):
        holdings.forget(uid)

    assert [(2, 2), (12, 12), (2, 2)] == both
    assert {(0, 0)} == {used(counts, quota) for quota in Quota}


def test_network_that_cannot_be_stored_does_not_count(
    holdings: Holdings, counts: QuotaCounts
) -> None:
    """What fails leaves nothing behind."""
    with pytest.raises(AlreadyExists), holdings.making(grown(5)):
        raise AlreadyExists("net")

    assert {(0, 0)} == {used(counts, quota) for quota in Quota}


def test_network_with_too_many_synapses_is_not_made(
    holdings: Holdings, counts: QuotaCounts
) -> None:
    """A static network has all of them from the start: it is refused, and nothing counts."""
    counts.book.change({ALICE: {Quota.SYNAPSES: 4}})

    with pytest.raises(QuotaExceeded) as caught, holdings.making(grown(5)):
        pass

    assert (ALICE, Quota.SYNAPSES) == (caught.value.subject, caught.value.quota)
    assert {(0, 0)} == {used(counts, quota) for quota in Quota}


def test_growth_counts_in_both_directions(holdings: Holdings, counts: QuotaCounts) -> None:
    """More synapses are growth, fewer are none, and a network that is gone is left alone."""
    with holdings.making(grown(5)):
        pass

    told = [holdings.update(grown(0), synapses) for synapses in (9, 9, 3)]

    assert [True, False, False] == told
    assert (3, 3) == used(counts, Quota.SYNAPSES)
    assert not holdings.update(replace(network(), uid="gone"), 100)
    assert (3, 3) == used(counts, Quota.SYNAPSES)


def test_only_networks_that_grow_need_room_to(holdings: Holdings, counts: QuotaCounts) -> None:
    """A static network learns on when no synapse more may be."""
    counts.book.change({FLOWERS: {Quota.SYNAPSES: 0}})
    growing = network()
    static = replace(growing, structure=replace(growing.structure, kind=NetworkKind.STATIC))

    holdings.check_room_to_grow(static)

    with pytest.raises(QuotaExceeded):
        holdings.check_room_to_grow(growing)


@pytest.mark.parametrize(
    ("snapshots", "is_new", "is_refused"),
    [(0, False, True), (1, True, True), (1, False, False), (2, True, False)],
)
def test_snapshots_count_where_one_more_is_stored(
    holdings: Holdings, counts: QuotaCounts, snapshots: int, is_new: bool, is_refused: bool
) -> None:
    """The third one replaces the first, and what is kept already is not stored again."""
    counts.book.change({FLOWERS: {Quota.SNAPSHOTS: 0}})
    reasons = []

    try:
        with holdings.snapshotting(grown(1, snapshots=snapshots), is_new=is_new):
            pass
    except QuotaExceeded as error:
        reasons.append(error.quota)

    assert ([Quota.SNAPSHOTS] if is_refused else []) == reasons


class House:
    """One network in memory, followed as it grows."""

    def __init__(self, executor: Workers, counts: QuotaCounts, holdings: Holdings) -> None:
        self.repository = MemoryNetworkRepository()
        self.live = LiveNetworks(
            self.repository,
            MemorySnapshotStore(),
            MemoryJournals(),
            executor,
            limits=LiveLimits(),
        )
        self.ended: list[DomainError] = []
        self.watch = GrowthWatch(
            self.live,
            self.repository,
            holdings,
            RowRates(counts),
            end_learning=lambda network, error: self.ended.append(error),
        )

    async def teach(self, live: LiveNetwork) -> None:
        """Let a network learn until it has grown."""
        channels = live.network.structure.channels
        inputs = np.random.default_rng(5).normal(size=(50, channels)).astype(np.float32)
        rows = Rows(inputs, Labels(["a", "b"] * 25))
        await live.owner.run(lambda ledger: ledger.learn(rows, Arrival.STREAMED))


@pytest.fixture
async def house(counts: QuotaCounts, holdings: Holdings) -> AsyncIterator[House]:
    """Return a house with the network of the builders."""
    with Workers(1, "kernels") as executor:
        made = House(executor, counts, holdings)
        await made.repository.create(network())
        holdings.begin(await made.repository.holdings())
        yield made
        await made.live.close()


async def test_network_at_work_is_counted_as_it_grows(house: House, counts: QuotaCounts) -> None:
    """The count follows; within the quota nothing ends."""
    async with house.live.using("flowers", "net") as live:
        await house.teach(live)
        await house.watch.look()
        connections = live.owner.ledger.statistics().connections

    assert 0 < connections == counts.used(FLOWERS, Quota.SYNAPSES)
    assert [] == house.ended


async def test_network_beyond_the_quota_gets_no_more_rows(
    house: House, counts: QuotaCounts
) -> None:
    """It is told once, stays so while it is beyond, and learns again when there is room."""
    counts.book.change({FLOWERS: {Quota.SYNAPSES: 1}})
    async with house.live.using("flowers", "net") as live:
        await house.teach(live)
        await house.watch.look()
        await house.watch.look()
        beyond = live.excess
        counts.book.change({FLOWERS: {}})
        await house.watch.look()
        after = live.excess

    assert ["QUOTA_EXCEEDED"] == [error.reason for error in house.ended]
    assert beyond is not None
    assert after is None


async def test_network_that_has_left_memory_is_counted_to_its_end(
    house: House, counts: QuotaCounts
) -> None:
    """What it grew between the last look and its leaving is not forgotten."""
    async with house.live.using("flowers", "net") as live:
        await house.watch.look()
        await house.teach(live)
        connections = live.owner.ledger.statistics().connections
    live.used_at = float("-inf")
    await house.live.let_idle_go()
    assert {} == house.live.present()

    await house.watch.look()

    assert connections == counts.used(FLOWERS, Quota.SYNAPSES)
    assert 1 == counts.used(FLOWERS, Quota.SNAPSHOTS)
