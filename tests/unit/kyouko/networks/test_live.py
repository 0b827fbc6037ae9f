"""Live networks: loaded once, owned by one, kept by snapshots, bounded in number."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, NetworkStructure
from kyouko.domain.networks.learner import Labels, Rows
from kyouko.domain.networks.ledger import Ledger
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveLimits, LiveNetwork
from kyouko.domain.networks.network import Network, SnapshotContent
from kyouko.domain.networks.sessions import ID_BYTES, MOST_MESSAGE_IDS, MOST_WAITING_BYTES
from kyouko.domain.networks.waiting import FRAME_BYTES
from kyouko.domain.networks.workers import Workers
from kyouko.domain.template import resolve
from kyouko.templates import shipped_templates
from mesh.clients import unavailable
from mesh.errors import NotFound, ResourceExhausted, Unavailable
from tests.contract.kyouko.in_memory import (
    MemoryJournals,
    MemoryNetworkRepository,
    MemorySnapshotStore,
)

STRUCTURE = resolve(shipped_templates()["flat"].template, channels=3)
KEY = b"k" * 16
# So many single rows take all the memory that rows may take which wait for their labels.
HORIZON = MOST_WAITING_BYTES // FRAME_BYTES
# What the messages of a session may take.
MESSAGES = MOST_MESSAGE_IDS * ID_BYTES


class House:
    """Live networks on stores in memory."""

    def __init__(self, **limits: float) -> None:
        self.repository = MemoryNetworkRepository()
        self.snapshots = MemorySnapshotStore()
        self.journals = MemoryJournals()
        self.executor = Workers(2, "kernels")
        self._limits = LiveLimits(**limits)  # type: ignore[arg-type]
        self.live = self.restarted()

    def restarted(self, **limits: float) -> LiveNetworks:
        """Return what a new process would have: the same stores, nothing in memory."""
        return LiveNetworks(
            self.repository,
            self.snapshots,
            self.journals,
            self.executor,
            limits=replace(self._limits, **limits),  # type: ignore[arg-type]
        )

    async def create(
        self, network_id: str = "net", structure: NetworkStructure = STRUCTURE
    ) -> Network:
        """Store a network."""
        network = Network(
            uid=f"uid-of-{network_id}",
            project_id="flowers",
            network_id=network_id,
            structure=structure,
            create_time=datetime(2026, 1, 2, tzinfo=UTC),
            creator="users/alice",
        )
        await self.repository.create(network)
        return network


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Return a house without networks that keeps two in memory."""
    made = House(networks=2)
    yield made
    await made.live.close()
    made.executor.shutdown()


async def teach(live: LiveNetwork, rows: int = 4) -> None:
    """Let a network learn some rows."""
    inputs = np.ones((rows, 3), np.float32)
    await live.owner.run(
        lambda ledger: ledger.learn(Rows(inputs, Labels(["a"] * rows)), Arrival.STREAMED)
    )


async def test_a_network_is_loaded_once(house: House) -> None:
    """Two users at the same time share one network in memory."""
    await house.create()

    async with (
        house.live.using("flowers", "net") as one,
        house.live.using("flowers", "net") as other,
    ):
        assert one is other


async def test_a_missing_network_is_not_found(house: House) -> None:
    """Nothing is loaded for it."""
    with pytest.raises(NotFound):
        async with house.live.using("flowers", "none"):
            raise AssertionError


async def test_work_runs_in_the_order_it_came(house: House) -> None:
    """Also if who asked first is slow, and whoever asked may go away."""
    await house.create()
    seen: list[int] = []

    async with house.live.using("flowers", "net") as live:

        def note(number: int, _: Ledger) -> None:
            seen.append(number)

        futures = [
            await live.owner.submit(lambda ledger, number=number: note(number, ledger))  # type: ignore[misc]
            for number in range(20)
        ]
        futures[7].cancel()
        await asyncio.gather(*futures, return_exceptions=True)

    assert sorted(seen) == seen
    assert {*range(20)} - {7} <= set(seen)


async def test_an_error_of_the_work_reaches_who_asked(house: House) -> None:
    """And the owner goes on with the next piece."""
    await house.create()

    async with house.live.using("flowers", "net") as live:
        with pytest.raises(ZeroDivisionError):
            await live.owner.run(lambda _: 1 // 0)
        await teach(live)

        assert 4 == live.owner.learner.learned_rows


async def test_a_closed_owner_takes_no_work(house: House) -> None:
    """Nobody waits for ever for a network that has left memory."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        await live.owner.close()

        with pytest.raises(RuntimeError, match="left memory"):
            await teach(live)


async def test_keeping_leaves_the_snapshot_and_the_one_before(house: House) -> None:
    """After three of them two are left, and the row points to both."""
    await house.create()

    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await house.live.keep(live)
        await teach(live)
        await house.live.keep(live)
        second = live.network.snapshot
        await house.live.keep(live)
        await teach(live)
        await house.live.keep(live)

    row = await house.repository.get("flowers", "net")
    assert (12, ("a",)) == (row.kept_rows, row.labels)
    assert second == row.snapshot_before != row.snapshot
    assert {second, row.snapshot} == set(await house.snapshots.names("uid-of-net"))


async def test_a_snapshot_is_taken_when_somebody_asks(house: House) -> None:
    """It says what it holds; as long as nothing is learned, the same one is the answer."""
    await house.create()

    async with house.live.using("flowers", "net") as live:
        empty = await house.live.snapshot(live)
        await teach(live)
        taken = await house.live.snapshot(live)
        again = await house.live.snapshot(live)

    row = await house.repository.get("flowers", "net")
    assert (0, 0) == (empty.learned_rows, empty.journal_position)
    assert (4, 1) == (taken.learned_rows, taken.journal_position)
    assert taken == again
    assert taken.size_bytes > 0
    assert {row.snapshot, row.snapshot_before} == set(await house.snapshots.names("uid-of-net"))


async def test_a_snapshot_that_has_vanished_is_taken_again(house: House) -> None:
    """Who asks for one gets one that is there, also if nothing was learned since."""
    await house.create()

    async with house.live.using("flowers", "net") as live:
        for _ in range(2):
            await teach(live)
            await house.live.snapshot(live)
        before = live.network.snapshot_before
        await house.snapshots.delete(live.network.snapshot)
        taken = await house.live.snapshot(live)
        row = await house.repository.get("flowers", "net")
        journal = [record.position async for record in live.journal.read(1)]

    assert 8 == taken.learned_rows
    assert (before, row.snapshot) == (row.snapshot_before, live.network.snapshot)
    assert {before, row.snapshot} == set(await house.snapshots.names("uid-of-net"))
    assert [2] == journal


async def test_a_vanished_snapshot_costs_nothing_when_the_next_one_is_damaged(
    house: House,
) -> None:
    """The one before, which stayed, and the journal since then have all of it."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        for _ in range(2):
            await teach(live)
            await house.live.snapshot(live)
        await house.snapshots.delete(live.network.snapshot)
        await house.live.snapshot(live)
        await house.snapshots.delete(live.network.snapshot)

    async with house.restarted().using("flowers", "net") as again:
        assert 8 == again.owner.learner.learned_rows


async def test_work_that_comes_too_late_is_told_of_the_stop(house: House) -> None:
    """Whoever still holds a network when the service stops: a snapshot, or any other work."""
    await house.create()

    async def ask_after_the_stop(ask: Callable[[LiveNetwork], Awaitable[object]]) -> None:
        async with house.live.using("flowers", "net") as live:
            await house.live.close()
            await ask(live)

    reasons = []
    for ask in (house.live.snapshot, teach):
        with pytest.raises(Unavailable) as stopping:
            await ask_after_the_stop(ask)
        reasons.append(stopping.value.reason)

    assert ["SHUTTING_DOWN"] * 2 == reasons


async def test_a_network_that_is_being_deleted_gets_no_snapshot(house: House) -> None:
    """Nobody is told of a snapshot that is about to go."""
    await house.create()

    async with house.live.using("flowers", "net") as live, house.live.deleting("uid-of-net"):
        with pytest.raises(NotFound):
            await house.live.snapshot(live)


async def test_the_journal_is_let_go_up_to_the_snapshot_before(house: House) -> None:
    """What came after it is needed should the newest snapshot be damaged."""
    await house.create()

    async with house.live.using("flowers", "net") as live:
        for _ in range(3):
            await teach(live)
            await house.live.keep(live)

    assert [3] == list(house.journals.records["uid-of-net"])


async def test_what_is_queued_is_kept_too(house: House) -> None:
    """A snapshot that is asked for while rows wait their turn holds these rows."""
    await house.create()

    async with house.live.using("flowers", "net") as live:
        teaching = asyncio.create_task(teach(live))
        await asyncio.sleep(0)
        await house.live.keep(live)
        await teaching

        assert 4 == live.kept_rows


async def test_a_new_process_finds_all_that_was_learned(house: House) -> None:
    """Rows since the snapshot come back from the journal."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await house.live.keep(live)
        await teach(live)
    restarted = house.restarted()

    async with restarted.using("flowers", "net") as live:
        learned = (live.owner.learner.learned_rows, live.kept_rows, live.now().labels)
    await restarted.close()

    assert (8, 8, ("a",)) == learned


async def test_a_past_without_targets_is_kept_too(house: House) -> None:
    """Rows that only pass a network with delays are in its next snapshot, and then not due."""
    past = replace(STRUCTURE.inputs[0], delays=(1,))
    await house.create(structure=replace(STRUCTURE, inputs=(past,)))
    rows = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    async with house.live.using("flowers", "net") as live:
        ledger = live.owner.ledger
        ledger.learn(Rows(rows, Labels(["a", "b"] * 20)), Arrival.STREAMED)
        await house.live.keep(live)

        ledger.learn(Rows(rows[:5]), Arrival.STREAMED)

        assert live.has_changed
        await house.live.keep(live)
        assert not live.has_changed
        expected = ledger.learner.predict(Rows(rows)).outputs
    restarted = house.restarted()
    async with restarted.using("flowers", "net") as live:
        found = live.owner.learner.predict(Rows(rows)).outputs
    await restarted.close()
    assert np.array_equal(expected, found)


async def test_a_new_process_removes_what_no_network_points_to(house: House) -> None:
    """What was being written, and what was being deleted, when the one before died."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await house.live.keep(live)
        exported = await live.owner.run(Ledger.export)
    for uid in ("uid-of-net", "uid-of-a-deleted-one"):
        await house.snapshots.save(uid, exported.content)

    await house.restarted().sweep()

    assert [live.network.snapshot] == list(await house.snapshots.names(""))


async def test_an_empty_database_empties_no_store(house: House) -> None:
    """Whoever starts with the wrong database loses nothing by it."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await house.live.keep(live)
    await house.repository.delete(live.network.uid)

    await house.restarted().sweep()

    assert [live.network.snapshot] == list(await house.snapshots.names(""))


async def test_idle_networks_make_room(house: House) -> None:
    """With two in memory a third one takes the place of the one used longest ago, kept."""
    for network_id in ("one", "two", "three"):
        await house.create(network_id)
    async with house.live.using("flowers", "one") as live:
        await teach(live)
    async with house.live.using("flowers", "two"):
        pass

    async with house.live.using("flowers", "three"):
        kept = await house.repository.get("flowers", "one")

    assert 4 == kept.kept_rows
    async with house.live.using("flowers", "one") as live:
        assert 4 == live.owner.learner.learned_rows


async def test_networks_that_nobody_uses_leave_memory_after_a_while() -> None:
    """What they learned is in a snapshot, and comes back with them; those in use stay."""
    house = House(idle_seconds=0.0)
    for network_id in ("idle", "used"):
        await house.create(network_id)

    async with house.live.using("flowers", "idle") as idle:
        await teach(idle)
    async with house.live.using("flowers", "used") as used:
        await house.live.let_idle_go()
        closed = (idle.closed, used.closed)
        async with house.live.using("flowers", "idle") as back:
            learned = back.owner.learner.learned_rows
    await house.live.close()
    house.executor.shutdown()

    assert ((True, False), 4) == (closed, learned)


async def test_idle_networks_leave_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is slow for one of them does not keep the other in memory."""
    house = House(idle_seconds=0.0)
    lives = []
    for network_id in ("one", "two"):
        await house.create(network_id)
        async with house.live.using("flowers", network_id) as live:
            await teach(live)
            lives.append(live)
    both = asyncio.Barrier(2)
    save = house.snapshots.save

    async def save_with_the_other(prefix: str, content: SnapshotContent) -> str:
        async with asyncio.timeout(10), both:
            return await save(prefix, content)

    monkeypatch.setattr(house.snapshots, "save", save_with_the_other)
    await house.live.let_idle_go()
    house.executor.shutdown()

    assert [True, True] == [live.closed for live in lives]


async def test_a_network_used_just_now_stays(house: House) -> None:
    """Loading costs more than a minute of memory."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)

    await house.live.let_idle_go()

    assert not live.closed


async def test_networks_in_use_stay(house: House) -> None:
    """When all places are taken by networks at work, the next one has to wait its turn."""
    for network_id in ("one", "two", "three"):
        await house.create(network_id)

    async with house.live.using("flowers", "one"), house.live.using("flowers", "two"):
        with pytest.raises(ResourceExhausted) as full:
            async with house.live.using("flowers", "three"):
                raise AssertionError

    assert ("LIMIT_REACHED", "2") == (full.value.reason, full.value.metadata["limit"])


async def test_networks_in_use_count_as_large_as_they_may_grow() -> None:
    """Idle ones count what they hold, and leave when even that is too much."""
    one_and_a_half = STRUCTURE.options.memory_limit_bytes * 3 // 2
    house = House(memory_bytes=one_and_a_half)
    for network_id in ("one", "two", "three"):
        await house.create(network_id)

    async with house.live.using("flowers", "one"):
        with pytest.raises(ResourceExhausted) as full:
            async with house.live.using("flowers", "two"):
                raise AssertionError
    async with house.live.using("flowers", "two"):
        pass
    async with house.live.using("flowers", "three"):
        pass
    await house.live.close()

    assert ("LIMIT_REACHED", str(one_and_a_half)) == (
        full.value.reason,
        full.value.metadata["limit_bytes"],
    )


async def open_session(live: LiveNetwork, horizon: int) -> None:
    """Open a session whose rows may get their labels later."""
    await live.owner.run(
        lambda ledger: ledger.open_session(
            KEY, "users/alice", since=0, is_new=True, horizon=horizon, holder=1
        )
    )


async def test_rows_that_wait_for_session_have_room_of_their_own() -> None:
    """Other networks make room for them, and are refused while they may come."""
    limit = STRUCTURE.options.memory_limit_bytes
    house = House(memory_bytes=2 * limit)
    for network_id in ("one", "two"):
        await house.create(network_id)
    async with house.live.using("flowers", "two") as two:
        pass

    async with house.live.using("flowers", "one") as one:
        before = one.memory_bytes
        async with house.live.for_session(one, KEY, HORIZON):
            await open_session(one, HORIZON)
        after = one.memory_bytes
        with pytest.raises(ResourceExhausted) as full:
            async with house.live.using("flowers", "two"):
                raise AssertionError
        closed = two.closed
    await house.live.close()

    assert (limit, limit + MOST_WAITING_BYTES + MESSAGES) == (before, after)
    assert ("LIMIT_REACHED", False) == (full.value.reason, closed)


async def test_a_horizon_without_room_is_refused() -> None:
    """Nothing waits then, and the network goes on without."""
    limit = STRUCTURE.options.memory_limit_bytes
    house = House(memory_bytes=limit + MOST_WAITING_BYTES + MESSAGES - 1)
    for network_id in ("one", "idle"):
        await house.create(network_id)
    async with house.live.using("flowers", "idle") as idle:
        pass

    async with house.live.using("flowers", "one") as one:
        closed = [idle.closed]
        with pytest.raises(ResourceExhausted) as full:
            async with house.live.for_session(one, KEY, HORIZON):
                raise AssertionError
        closed.append(idle.closed)
        async with house.live.for_session(one, KEY, 10):
            await open_session(one, 10)
        await teach(one)
    await house.live.close()

    assert "LIMIT_REACHED" == full.value.reason
    # It made room, but that was a byte too little.
    assert [False, True] == closed


async def test_a_network_comes_back_with_its_rows_that_wait_or_not_at_all() -> None:
    """One for whose sessions there is no room any more is refused, and can be loaded later."""
    limit = STRUCTURE.options.memory_limit_bytes
    house = House(memory_bytes=limit + MOST_WAITING_BYTES + MESSAGES)
    await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await open_session(live, HORIZON)
    await house.live.close()

    small = house.restarted(memory_bytes=limit + MOST_WAITING_BYTES + MESSAGES - 1)
    with pytest.raises(ResourceExhausted):
        async with small.using("flowers", "net"):
            raise AssertionError
    await small.close()
    restarted = house.restarted()
    async with restarted.using("flowers", "net") as live:
        counted = live.memory_bytes
    await restarted.close()

    assert limit + MOST_WAITING_BYTES + MESSAGES == counted


async def test_idle_networks_leave_when_memory_runs_out() -> None:
    """One that is about to be used takes the place of those that are not."""
    house = House(memory_bytes=STRUCTURE.options.memory_limit_bytes)
    for network_id in ("one", "two"):
        await house.create(network_id)

    async with house.live.using("flowers", "one") as one:
        await teach(one)
    async with house.live.using("flowers", "two") as two:
        kept = await house.repository.get("flowers", "one")
        closed = (one.closed, two.closed)
    await house.live.close()

    assert (4, (True, False)) == (kept.kept_rows, closed)


async def test_a_slow_network_keeps_nobody_else_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is read from a slow store, another one is used."""
    for network_id in ("slow", "quick"):
        await house.create(network_id)
    async with house.live.using("flowers", "slow") as live:
        await teach(live)
    await house.live.close()
    may_load = asyncio.Event()
    load = house.snapshots.load

    async def slow_load(name: str) -> SnapshotContent:
        await may_load.wait()
        return await load(name)

    async def use_slow() -> int:
        async with house.live.using("flowers", "slow") as live:
            return live.owner.learner.learned_rows

    monkeypatch.setattr(house.snapshots, "load", slow_load)
    using = asyncio.create_task(use_slow())
    async with house.live.using("flowers", "quick") as quick:
        await teach(quick)
        waits = not using.done()
    may_load.set()

    assert (True, 4) == (waits, await using)


async def test_a_network_that_cannot_be_kept_stays_and_another_one_leaves(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is told only when no idle network can make room."""
    lives = {}
    for network_id in ("one", "two", "three", "four"):
        await house.create(network_id)
    for network_id in ("one", "two"):
        async with house.live.using("flowers", network_id) as lives[network_id]:
            await teach(lives[network_id])
    save = house.snapshots.save

    async def save_but_one(prefix: str, content: SnapshotContent) -> str:
        if prefix == "uid-of-one":
            raise unavailable("snapshots")
        return await save(prefix, content)

    monkeypatch.setattr(house.snapshots, "save", save_but_one)
    async with house.live.using("flowers", "three"):
        closed = (lives["one"].closed, lives["two"].closed)
        with pytest.raises(Unavailable):
            async with house.live.using("flowers", "four"):
                raise AssertionError
    monkeypatch.undo()

    assert (False, True) == closed
    assert 4 == lives["one"].owner.learner.learned_rows


async def test_a_network_that_is_wanted_again_stays(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if its last snapshot before leaving is already being written."""
    for network_id in ("one", "two", "three"):
        await house.create(network_id)
    async with house.live.using("flowers", "one") as one:
        await teach(one)
    async with house.live.using("flowers", "two"):
        pass
    saving, may_save = asyncio.Event(), asyncio.Event()
    save = house.snapshots.save

    async def slow_save(prefix: str, content: SnapshotContent) -> str:
        saving.set()
        await may_save.wait()
        return await save(prefix, content)

    async def use_three() -> None:
        async with house.live.using("flowers", "three"):
            return

    monkeypatch.setattr(house.snapshots, "save", slow_save)
    using = asyncio.create_task(use_three())
    await saving.wait()
    async with house.live.using("flowers", "one") as again:
        may_save.set()
        await using
        await teach(again)

    assert again is one
    assert (False, 8) == (one.closed, one.owner.learner.learned_rows)


async def test_a_deletion_waits_for_whoever_is_loading(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody gets hold of a network that was deleted while it was read."""
    network = await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
    await house.live.close()
    loading, may_load = asyncio.Event(), asyncio.Event()
    load = house.snapshots.load

    async def slow_load(name: str) -> SnapshotContent:
        loading.set()
        await may_load.wait()
        return await load(name)

    async def use() -> None:
        async with house.live.using("flowers", "net") as live:
            await teach(live)
            await house.live.keep(live)

    async def delete() -> None:
        async with house.live.deleting(network.uid):
            await house.repository.delete(network.uid)
        await house.live.drop(network.uid)

    monkeypatch.setattr(house.snapshots, "load", slow_load)
    using = asyncio.create_task(use())
    await loading.wait()
    deletion = asyncio.create_task(delete())
    may_load.set()

    with pytest.raises(NotFound):
        await using
    await deletion
    assert [] == list(await house.snapshots.names(network.uid))


async def test_nothing_that_is_gone_is_called_kept(house: House) -> None:
    """Neither while the row goes nor afterwards."""
    network = await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await house.repository.delete(network.uid)
        with pytest.raises(NotFound):
            await house.live.keep(live)
    await house.live.drop(network.uid)

    with pytest.raises(NotFound):
        await house.live.keep(live)
    assert [] == list(await house.snapshots.names(network.uid))


async def test_a_network_being_deleted_is_not_used(house: House) -> None:
    """Neither begun to be used nor kept; afterwards nothing of it is left."""
    network = await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await house.live.keep(live)
        await teach(live)

    async with house.live.deleting(network.uid):
        with pytest.raises(NotFound):
            await house.live.keep(live)
        with pytest.raises(NotFound):
            async with house.live.using("flowers", "net"):
                raise AssertionError
        await house.repository.delete(network.uid)
    await house.live.drop(network.uid)

    assert 8 == live.kept_rows
    assert [] == list(await house.snapshots.names(network.uid))


async def test_whoever_read_the_row_in_time_does_not_load_what_is_gone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that is read before and arrives after the deletion brings nothing back to life."""
    network = await house.create()
    read, gone = asyncio.Event(), asyncio.Event()

    get = house.repository.get

    async def slow_get(project_id: str, network_id: str) -> Network:
        found = await get(project_id, network_id)
        read.set()
        await gone.wait()
        return found

    async def use() -> None:
        async with house.live.using("flowers", "net"):
            raise AssertionError

    async with house.live.deleting(network.uid):
        monkeypatch.setattr(house.repository, "get", slow_get)
        using = asyncio.create_task(use())
        await read.wait()
        await house.repository.delete(network.uid)
    dropping = asyncio.create_task(house.live.drop(network.uid))
    await asyncio.sleep(0)
    gone.set()

    with pytest.raises(NotFound):
        await using
    await dropping
    assert network == house.live.as_now(network)


async def test_a_caller_who_leaves_while_loading_leaves_nothing_in_use(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is loaded to the end, and given back at once."""
    network = await house.create()
    may_read = asyncio.Event()

    async def slow_get(project_id: str, network_id: str) -> Network:
        await may_read.wait()
        return network

    async def use() -> None:
        async with house.live.using("flowers", "net"):
            raise AssertionError

    monkeypatch.setattr(house.repository, "get", slow_get)
    using = asyncio.create_task(use())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    using.cancel()
    await asyncio.gather(using, return_exceptions=True)
    may_read.set()

    async with house.live.using("flowers", "net") as live:
        assert 1 == live.users


async def test_a_failed_deletion_leaves_the_network_usable(house: House) -> None:
    """When something fails on the way, the network goes on."""
    network = await house.create()

    with pytest.raises(ConnectionError):
        async with house.live.deleting(network.uid):
            raise ConnectionError

    async with house.live.using("flowers", "net") as live:
        assert network.uid == live.network.uid


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"snapshot_rows": 4}, 4),
        ({"snapshot_rows": 5}, 0),
        ({"snapshot_seconds": 0.0}, 4),
        ({"snapshot_seconds": 60.0}, 0),
    ],
)
async def test_long_work_is_kept_now_and_then(limits: dict[str, float], expected: int) -> None:
    """After enough rows or enough time a snapshot is due, and not before."""
    house = House(networks=2, **limits)
    await house.create()

    async with house.live.using("flowers", "net") as live:
        await house.live.keep_due()
        await teach(live)
        await house.live.keep_due()

        assert expected == live.snapshot_rows

    await house.live.close()
    house.executor.shutdown()


async def test_a_lost_snapshot_comes_back_from_the_journal(house: House) -> None:
    """The one before it, and the journal after that, lose nothing."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        for _ in range(3):
            await teach(live)
            await house.live.keep(live)
    await house.snapshots.delete(live.network.snapshot)

    async with house.restarted().using("flowers", "net") as live:
        assert (12, "") == (live.owner.learner.learned_rows, live.network.problem)


async def test_the_first_snapshot_is_not_needed_while_the_journal_is_there(house: House) -> None:
    """Without any snapshot that can be read, the journal has everything from the beginning."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await house.live.keep(live)
    await house.snapshots.delete(live.network.snapshot)

    async with house.restarted().using("flowers", "net") as live:
        assert 4 == live.owner.learner.learned_rows


async def test_after_a_fall_back_the_good_snapshot_stays(house: House) -> None:
    """The next snapshot has the good one before it, and not the damaged one."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        for _ in range(2):
            await teach(live)
            await house.live.keep(live)
    good = live.network.snapshot_before
    await house.snapshots.delete(live.network.snapshot)

    restarted = house.restarted()
    async with restarted.using("flowers", "net") as live:
        await teach(live)
        await restarted.keep(live)

    row = await house.repository.get("flowers", "net")
    assert good == row.snapshot_before
    assert {good, row.snapshot} == set(await house.snapshots.names("uid-of-net"))
    assert 12 == live.owner.learner.learned_rows


async def test_a_gap_after_an_older_snapshot_is_told(house: House) -> None:
    """The last good state is served, and the network says what is lost."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        for _ in range(2):
            await teach(live)
            await house.live.keep(live)
    await house.snapshots.delete(live.network.snapshot)
    house.journals.records.clear()

    async with house.restarted().using("flowers", "net") as live:
        assert 4 == live.owner.learner.learned_rows
    stored = await house.repository.get("flowers", "net")
    assert "what was learned between the journal's records 1 and 2 is lost" in stored.problem


async def test_a_network_of_which_all_is_lost_is_unavailable(house: House) -> None:
    """Neither snapshot nor journal: that is told, and is not taken for an empty network."""
    await house.create()
    async with house.live.using("flowers", "net") as live:
        await teach(live)
        await house.live.keep(live)
    await house.snapshots.delete(live.network.snapshot)
    house.journals.records.clear()

    with pytest.raises(Unavailable, match="snapshots are damaged"):
        async with house.restarted().using("flowers", "net"):
            raise AssertionError


async def test_a_network_that_cannot_be_built_any_more_is_unavailable(house: House) -> None:
    """What an older version or another machine could build is kept, and told as unavailable."""
    options = replace(STRUCTURE.options, memory_limit_bytes=1000)
    await house.create(structure=replace(STRUCTURE, options=options))

    with pytest.raises(Unavailable, match="cannot be built here"):
        async with house.live.using("flowers", "net"):
            raise AssertionError
