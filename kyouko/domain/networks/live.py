"""Live networks: loaded when first used, owned by one task each, kept by snapshots.

A network stays in memory until room is needed. What it learned since its last
snapshot is lost with the process; `keep` takes one, and `watch` sees to it that
long work takes one now and then.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from kyouko.domain.engine import EngineStateError
from kyouko.domain.networks.learner import Learner
from kyouko.domain.networks.network import (
    Network,
    NetworkStatistics,
    SnapshotContent,
    SnapshotRecord,
)
from kyouko.domain.networks.owner import Owner
from kyouko.ports import NetworkRepository, NewId, SnapshotStore
from mesh.errors import NotFound, ResourceExhausted, Unavailable

_log = structlog.get_logger(__name__)
_WATCH_SECONDS: Final = 0.25


@dataclass(frozen=True)
class LiveLimits:
    """Bounds of what is in memory and of what a crash may take.

    Attributes:
        networks: most networks in memory.
        snapshot_rows: rows learned after which a snapshot is due.
        snapshot_seconds: the same in time, when anything was learned at all.
    """

    networks: int = 64
    snapshot_rows: int = 1_000_000
    snapshot_seconds: float = 30.0


@dataclass
class LiveNetwork:
    """A network in memory, with its owner.

    Attributes:
        network: its row, as far as the last snapshot.
        users: streams and tasks that hold it.
        kept_at: moment of the last snapshot, on the monotonic clock.
        keeping: held while a snapshot is taken.
        closed: whether it has left memory.
    """

    network: Network
    owner: Owner
    users: int = 0
    kept_at: float = field(default_factory=time.monotonic)
    keeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    closed: bool = False

    @property
    def kept_rows(self) -> int:
        """Learned rows that the last snapshot holds."""
        return self.network.kept_rows

    def now(self) -> Network:
        """Return the network as it is at this moment, learning or not."""
        learner = self.owner.learner
        return replace(self.network, statistics=learner.statistics(), labels=learner.labels.labels)


class LiveNetworks:
    """All networks in memory."""

    def __init__(
        self,
        repository: NetworkRepository,
        snapshots: SnapshotStore,
        executor: Executor,
        *,
        new_id: NewId,
        limits: LiveLimits,
    ) -> None:
        self._repository = repository
        self._snapshots = snapshots
        self._executor = executor
        self._new_id = new_id
        self._limits = limits
        self._live: dict[str, LiveNetwork] = {}
        self._deleting: set[str] = set()
        self._loading = asyncio.Lock()

    @asynccontextmanager
    async def using(self, project_id: str, network_id: str) -> AsyncIterator[LiveNetwork]:
        """Hold a network in memory, loading it if need be.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            ResourceExhausted: LIMIT_REACHED: every network in memory is in use.
            Unavailable: DEPENDENCY_UNAVAILABLE: its snapshot cannot be read.
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
            if live.closed or live.network.uid in self._deleting:
                raise NotFound(live.network.name)
            yield live
        finally:
            live.users -= 1

    def as_now(self, network: Network) -> Network:
        """Return a network as it is at this moment: from memory if it is there."""
        live = self._live.get(network.uid)
        return network if live is None else live.now()

    async def keep(self, live: LiveNetwork) -> None:
        """Take a snapshot of all that was learned up to now, if a newer one is needed.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: it cannot be stored.
        """
        async with live.keeping:
            if live.closed or live.network.uid in self._deleting:
                return
            kept_rows = live.kept_rows
            # Asked in the owner's turn: what was queued before is learned by then.
            exported = await live.owner.run(lambda learner: _export(learner, kept_rows))
            if exported is None:
                return
            content, statistics = exported
            name = f"{live.network.uid}/{self._new_id()}.safetensors"
            await self._snapshots.save(name, content)
            record = SnapshotRecord(name, statistics.learned_rows, content.labels, statistics)
            before = await self._repository.record_snapshot(live.network.uid, record)
            live.kept_at = time.monotonic()
            live.network = replace(
                live.network,
                snapshot=name,
                kept_rows=record.kept_rows,
                labels=record.labels,
                statistics=statistics,
            )
            obsolete = name if before is None else before
            if obsolete:
                await self._snapshots.delete(obsolete)

    async def watch(self) -> None:
        """Take snapshots of networks at work, until cancelled."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            await self.keep_due()

    async def keep_due(self) -> None:
        """Take the snapshots that are due by rows or by time."""
        now = time.monotonic()
        for live in list(self._live.values()):
            if self._is_due(live, now):
                await self._keep_or_log(live)

    async def drop(self, uid: str) -> None:
        """Forget a network that has been deleted, snapshots and all."""
        live = self._live.pop(uid, None)
        if live is not None:
            await self._close(live)
        for name in await self._snapshots.names(uid):
            await self._snapshots.delete(name)
        # Whoever read its row before it was deleted must not load it now.
        async with self._loading:
            self._deleting.discard(uid)

    def is_deleting(self, uid: str) -> bool:
        """Tell whether a network is being deleted."""
        return uid in self._deleting

    @asynccontextmanager
    async def deleting(self, uid: str) -> AsyncIterator[None]:
        """Let nobody begin to use a network, nor take snapshots of it, while it is deleted."""
        # Whoever is loading it at this moment has to be done, to be ended like all the others.
        async with self._loading:
            self._deleting.add(uid)
        try:
            yield
        except BaseException:
            self._deleting.discard(uid)
            raise

    async def close(self) -> None:
        """Take a snapshot of every network and stop their owners."""
        for live in list(self._live.values()):
            await self._keep_or_log(live)
            await self._close(live)
        self._live.clear()

    async def _acquire(self, project_id: str, network_id: str) -> LiveNetwork:
        async with self._loading:
            live = await self._loaded(await self._repository.get(project_id, network_id))
            live.users += 1
        return live

    async def _loaded(self, network: Network) -> LiveNetwork:
        if network.uid in self._deleting:
            raise NotFound(network.name)
        live = self._live.get(network.uid)
        if live is not None:
            # Used last: the first in the dictionary is the one used longest ago.
            self._live[network.uid] = self._live.pop(network.uid)
            return live
        await self._make_room()
        live = LiveNetwork(network, Owner(await self._learner(network), self._executor))
        self._live[network.uid] = live
        return live

    async def _learner(self, network: Network) -> Learner:
        loop = asyncio.get_running_loop()
        content = await self._snapshots.load(network.snapshot) if network.snapshot else None
        try:
            learner = await loop.run_in_executor(
                self._executor, Learner, network.structure, content
            )
        except EngineStateError as error:
            _log.error("snapshot does not fit", network=network.name, error=str(error))
            raise Unavailable(
                f"the snapshot of {network.name} was made by another version and cannot be used",
                reason="DEPENDENCY_UNAVAILABLE",
                metadata={"dependency": "snapshots"},
            ) from error
        # What a crash between writing a snapshot and pointing to it left behind.
        for name in await self._snapshots.names(network.uid):
            if name != network.snapshot:
                await self._snapshots.delete(name)
        return learner

    async def _make_room(self) -> None:
        while len(self._live) >= self._limits.networks:
            idle = next((live for live in self._live.values() if live.users == 0), None)
            if idle is None:
                raise ResourceExhausted(
                    f"{self._limits.networks} networks are at work; end a stream or task first",
                    reason="LIMIT_REACHED",
                    metadata={"limit": str(self._limits.networks)},
                )
            await self.keep(idle)
            # Holding `_loading`, nobody can have begun to use it meanwhile.
            self._live.pop(idle.network.uid, None)
            await self._close(idle)

    async def _close(self, live: LiveNetwork) -> None:
        async with live.keeping:
            live.closed = True
            await live.owner.close()

    def _is_due(self, live: LiveNetwork, now: float) -> bool:
        rows = live.owner.learner.learned_rows - live.kept_rows
        if rows == 0:
            live.kept_at = now
            return False
        return (
            rows >= self._limits.snapshot_rows
            or now - live.kept_at >= self._limits.snapshot_seconds
        )

    async def _keep_or_log(self, live: LiveNetwork) -> None:
        try:
            await self.keep(live)
        except Exception as error:
            _log.exception("no snapshot taken", network=live.network.name, error=repr(error))
            # Once a second more would only fill the log.
            live.kept_at = time.monotonic()


def _export(learner: Learner, kept_rows: int) -> tuple[SnapshotContent, NetworkStatistics] | None:
    """Return what a snapshot takes, None when the last one holds all of it."""
    if learner.learned_rows == kept_rows:
        return None
    return learner.export(), learner.statistics()


def _give_back(acquired: "asyncio.Future[LiveNetwork]") -> None:
    if not acquired.cancelled() and acquired.exception() is None:
        acquired.result().users -= 1
