"""Live networks: loaded when first used, owned by one task each, kept by journal and snapshots.

A network stays in memory until room is needed. Its journal has all that it learned; a
snapshot spares the next start the journal up to then. `keep` takes one, and `watch` sees
to it that long work takes one now and then.

Whoever begins to use a network, or to delete it, passes its gate: one at a time,
while others pass those of other networks.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final
from weakref import WeakValueDictionary

import structlog

from kyouko.domain.networks.keeping import Keeper, TakenSnapshot
from kyouko.domain.networks.leaving import Leaving
from kyouko.domain.networks.live_network import LiveLimits, LiveNetwork, most_bytes
from kyouko.domain.networks.loading import Loaded, Loader
from kyouko.domain.networks.network import Network
from kyouko.domain.networks.owner import LeftMemory, Owner
from kyouko.domain.networks.room import Room
from kyouko.domain.networks.workers import Workers
from kyouko.ports import Journals, NetworkRepository, SnapshotStore
from mesh.errors import NotFound

_log = structlog.get_logger(__name__)
_WATCH_SECONDS: Final = 0.25
# A snapshot under way is a second copy of its network.
_SNAPSHOTS_AT_ONCE: Final = 4


class LiveNetworks:
    """All networks in memory."""

    def __init__(
        self,
        repository: NetworkRepository,
        snapshots: SnapshotStore,
        journals: Journals,
        workers: Workers,
        *,
        limits: LiveLimits,
    ) -> None:
        self._repository = repository
        self._snapshots = snapshots
        self._journals = journals
        self._workers = workers
        self._keeper = Keeper(repository, snapshots, is_deleting=self.is_deleting)
        self._loader = Loader(snapshots, journals, workers)
        self._limits = limits
        self._live: dict[str, LiveNetwork] = {}
        self._deleting: set[str] = set()
        self._gates: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._leaving = Leaving()
        # How often frames broke a network that is to be loaded again.
        self._breaks: dict[str, Counter[tuple[bytes, int]]] = {}
        self._room = Room(limits.networks, limits.memory_bytes)
        self._making_room = asyncio.Lock()
        self._snapshots_at_once = asyncio.Semaphore(_SNAPSHOTS_AT_ONCE)

    @asynccontextmanager
    async def using(
        self, project_id: str, network_id: str, *, uid: str = ""
    ) -> AsyncIterator[LiveNetwork]:
        """Hold a network in memory, loading it if need be; with a `uid` only that one.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            ResourceExhausted: LIMIT_REACHED: networks in use leave no room for it.
            Unavailable: DEPENDENCY_UNAVAILABLE: its snapshot cannot be read.
                NETWORK_RELOADING: just now a change of it broke off. SHUTTING_DOWN.
        """
        acquiring = asyncio.ensure_future(self._acquire(project_id, network_id))
        try:
            # A caller who leaves must not stop the loading, or the making of room, half-way.
            live = await asyncio.shield(acquiring)
        except asyncio.CancelledError:
            acquiring.add_done_callback(_give_back)
            raise
        try:
            # Since it was acquired its deletion may have begun, which ends only known users.
            live.check_there()
            if uid not in ("", live.network.uid) or live.network.uid in self._deleting:
                raise NotFound(live.network.name)
            yield live
        except LeftMemory:
            live.check_there()
            raise
        finally:
            live.leave()

    @asynccontextmanager
    async def beside(self, live: LiveNetwork) -> AsyncIterator[None]:
        """Hold room for a copy of a network in use, or raise ResourceExhausted: LIMIT_REACHED."""
        key, size = object(), most_bytes(live.network)
        # As in `using`: a caller who leaves must not stop it half-way.
        await asyncio.shield(self._make_room_for(key, size))
        with self._room.reserved(key, size):
            yield

    @asynccontextmanager
    async def for_session(
        self, live: LiveNetwork, key: bytes, horizon_rows: int
    ) -> AsyncIterator[None]:
        """Hold room for what a session may remember, till it has been opened.

        That is its messages, and the rows that may wait for labels.

        Raises:
            ResourceExhausted: LIMIT_REACHED: networks in use leave no room for it.
        """
        uid = live.network.uid
        # One after the other: each counts what those before it have taken.
        async with self._gate(uid):
            size = live.most_bytes(key=key, horizon_rows=horizon_rows)
            # As in `using`: a caller who leaves must not stop it half-way.
            await asyncio.shield(self._make_room_for(uid, size))
            with self._room.reserved(uid, size):
                yield

    def present(self) -> Mapping[str, LiveNetwork]:
        """Return the networks that are in memory at this moment, by uid."""
        return dict(self._live)

    def as_now(self, network: Network) -> Network:
        """Return a network as it is at this moment: from memory if it is there."""
        live = self._live.get(network.uid)
        if live is None:
            return network
        # Who may know of it is changed in the repository only.
        return replace(live.now(), visibility=network.visibility)

    async def keep(self, live: LiveNetwork) -> None:
        """Take a snapshot if a newer one is needed; see `Keeper.keep`."""
        await self._keeper.keep(live)

    async def snapshot(self, live: LiveNetwork) -> TakenSnapshot:
        """Take a snapshot for somebody who asks for it; see `Keeper.snapshot`."""
        async with self._snapshots_at_once:
            return await self._keeper.snapshot(live)

    async def watch(self) -> None:
        """Take snapshots of networks at work and let idle ones go, until cancelled."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            await self.keep_due()
            await self.let_idle_go()

    async def let_idle_go(self) -> None:
        """Let networks leave memory that nobody has used for a while."""
        before = time.monotonic() - self._limits.idle_seconds
        idle = [live for live in self._live.values() if live.used_at <= before]
        # Side by side: a slow store must hold up neither them nor the snapshots due after them.
        await asyncio.gather(*(self._let_go(live, before) for live in idle))

    async def _let_go(self, live: LiveNetwork, before: float) -> None:
        try:
            async with self._snapshots_at_once:
                if self._is_idle(live) and live.used_at <= before:
                    await self._evict(live)
        except NotFound:
            # It is being deleted.
            return
        except Exception as error:
            # Whatever it is, the others go on being watched.
            _log.warning("cannot evict", network=live.network.name, error=repr(error))
            live.used_at = time.monotonic()

    async def keep_due(self) -> None:
        """Take the snapshots that are due by rows or by time."""
        for live in self._live.values():
            live.forget_durable()
        now = time.monotonic()
        due = [live for live in self._live.values() if self._is_due(live, now)]
        await asyncio.gather(*map(self._keep_or_log, due))

    async def sweep(self) -> None:
        """Delete the snapshots that no network points to; see `Keeper.sweep`."""
        await self._keeper.sweep()

    async def drop(self, uid: str) -> None:
        """Forget a network that has been deleted, snapshots and all."""
        live = self._live.pop(uid, None)
        try:
            if live is not None:
                live.deleted = True
                await self._close(live)
            await self._leaving.wait(uid)
            self._breaks.pop(uid, None)
            for name in await self._snapshots.names(uid):
                await self._snapshots.delete(name)
            await self._journals.delete(uid)
        finally:
            self._deleting.discard(uid)

    def is_deleting(self, uid: str) -> bool:
        """Tell whether a network is being deleted."""
        return uid in self._deleting

    @asynccontextmanager
    async def deleting(self, uid: str) -> AsyncIterator[None]:
        """Let nobody begin to use a network, nor take snapshots of it, while it is deleted."""
        # Whoever is loading it at this moment has to be done, to be ended like all the others.
        async with self._gate(uid):
            self._deleting.add(uid)
        try:
            yield
        except BaseException:
            self._deleting.discard(uid)
            raise

    async def close(self) -> None:
        """Take a snapshot of every network and stop their owners."""
        await asyncio.gather(*map(self._keep_or_log, self._live.values()))
        await asyncio.gather(*map(self._close, self._live.values()))
        self._live.clear()
        await self._leaving.wait_for_all()

    def _gate(self, uid: str) -> asyncio.Lock:
        return self._gates.setdefault(uid, asyncio.Lock())

    async def _acquire(self, project_id: str, network_id: str) -> LiveNetwork:
        network = await self._repository.get(project_id, network_id)
        async with self._gate(network.uid):
            if network.uid in self._deleting:
                raise NotFound(network.name)
            live = self._live.get(network.uid)
            if live is None or not live.users:
                live = await self._ready(network)
            # Used last: the first in the dictionary is the one used longest ago.
            self._live[network.uid] = self._live.pop(network.uid, live)
            live.users += 1
            return live

    async def _ready(self, network: Network) -> LiveNetwork:
        """Return a network that nobody uses yet, with room for all it may grow to."""
        size = most_bytes(network)
        await self._make_room_for(network.uid, size)
        with self._room.reserved(network.uid, size):
            live = self._live.get(network.uid) or await self._load(network)
            try:
                # Only now it is known what its sessions may hold.
                if live.most_bytes() > size:
                    await self._make_room_for(network.uid, live.most_bytes())
            except BaseException:
                if network.uid not in self._live:
                    await self._close(live)
                raise
            return live

    async def _load(self, known: Network) -> LiveNetwork:
        await self._leaving.wait(known.uid)
        # At the gate it may have been deleted, or have got a newer snapshot on leaving memory.
        network = await self._repository.get(known.project_id, known.network_id)
        if network.uid != known.uid:
            raise NotFound(known.name)
        loaded = await self._loader.load(network)
        loaded.ledger.breaks = self._breaks.pop(network.uid, loaded.ledger.breaks)
        try:
            network = await self._as_loaded(network, loaded)
        except BaseException:
            await loaded.journal.close()
            raise
        owner = Owner(loaded.ledger, self._workers)
        live = LiveNetwork(
            network, owner, loaded.journal, snapshot_rows=network.statistics.learned_rows
        )
        owner.on_break = lambda: self._leave_broken(live)
        return live

    def _leave_broken(self, live: LiveNetwork) -> None:
        """Let a network leave memory as it is; who uses it next gets it from snapshot and journal.

        Nothing of it is kept: no snapshot is taken of what a broken change left behind.
        """
        uid = live.network.uid
        _log.error("network is loaded again", network=live.network.name)
        live.closed = True
        self._breaks[uid] = live.owner.ledger.breaks
        if self._live.get(uid) is live:
            del self._live[uid]
            self._leaving.begin(uid, self._close(live))
        for tell in tuple(live.on_break):
            tell()

    async def _as_loaded(self, network: Network, loaded: Loaded) -> Network:
        """Note what was lost, and which snapshot is the newest one that can be read."""
        if loaded.problem:
            await self._repository.record_problem(network.uid, loaded.problem)
            network = replace(network, problem=loaded.problem)
        if loaded.snapshot != network.snapshot:
            position = loaded.snapshot_position
            await self._repository.fall_back(network.uid, loaded.snapshot, position)
            network = replace(
                network,
                snapshot=loaded.snapshot,
                snapshot_before="",
                journal_position=position,
            )
        return network

    async def _make_room_for(self, key: Hashable, size: int) -> None:
        if not self._has_room_for(key, size):
            async with self._making_room:
                await self._evict_for(key, size)

    async def _evict_for(self, key: Hashable, size: int) -> None:
        """Let idle networks leave memory, the one used longest ago first."""
        failure: Exception | None = None
        for idle in [live for uid, live in self._live.items() if uid != key]:
            if self._has_room_for(key, size):
                return
            try:
                if self._is_idle(idle):
                    await self._evict(idle)
            except NotFound:
                # It is being deleted, which makes room as well.
                continue
            except Exception as error:
                _log.warning("cannot evict", network=idle.network.name, error=repr(error))
                failure = error
        if not self._has_room_for(key, size):
            raise failure or self._room.refusal()

    def _has_room_for(self, key: Hashable, size: int) -> bool:
        present = {uid: live.memory_bytes for uid, live in self._live.items()}
        return self._room.fits(key, size, present)

    def _is_idle(self, live: LiveNetwork) -> bool:
        is_wanted = live.users > 0 or self._room.is_reserved(live.network.uid)
        return not (is_wanted or live.closed or live.deleted)

    async def _evict(self, live: LiveNetwork) -> None:
        await self.keep(live)
        # Somebody may have come meanwhile, and may even have gone again.
        if self._is_idle(live) and not live.has_changed:
            uid = live.network.uid
            live.closed = True
            del self._live[uid]
            await asyncio.shield(self._leaving.begin(uid, self._close(live)))

    async def _close(self, live: LiveNetwork) -> None:
        async with live.keeping:
            live.closed = True
            await live.owner.close()
            await live.journal.close()

    def _is_due(self, live: LiveNetwork, now: float) -> bool:
        if not live.has_changed:
            live.kept_at = now
            return False
        return (
            live.unsaved_rows >= self._limits.snapshot_rows
            or now - live.kept_at >= self._limits.snapshot_seconds
        )

    async def _keep_or_log(self, live: LiveNetwork) -> None:
        try:
            async with self._snapshots_at_once:
                await self.keep(live)
        except NotFound:
            # Deleted meanwhile.
            return
        except Exception as error:
            _log.exception("no snapshot taken", network=live.network.name, error=repr(error))
            # Once a second more would only fill the log.
            live.kept_at = time.monotonic()


def _give_back(acquired: "asyncio.Future[LiveNetwork]") -> None:
    if not acquired.cancelled() and acquired.exception() is None:
        acquired.result().leave()
