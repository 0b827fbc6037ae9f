"""Takes the snapshots of networks in memory, and clears away those that nobody needs.

When one is due is decided elsewhere (`kyouko.domain.networks.live`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from kyouko.domain.networks.ledger import Ledger
from kyouko.domain.networks.live_network import LiveNetwork
from kyouko.domain.networks.network import SnapshotRecord
from kyouko.ports import NetworkRepository, SnapshotStore
from mesh.errors import NotFound, Unavailable

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class TakenSnapshot:
    """A snapshot of a network.

    Attributes:
        learned_rows: of the network's life; it holds them all.
        journal_position: the last change that it holds.
        size_bytes: as it is stored.
    """

    learned_rows: int
    journal_position: int
    create_time: datetime
    size_bytes: int


class Keeper:
    """Takes snapshots."""

    def __init__(
        self,
        repository: NetworkRepository,
        snapshots: SnapshotStore,
        *,
        is_deleting: Callable[[str], bool],
    ) -> None:
        self._repository = repository
        self._snapshots = snapshots
        self._is_deleting = is_deleting

    async def keep(self, live: LiveNetwork) -> None:
        """Take a snapshot of all that was learned up to now, if a newer one is needed.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: the network has been deleted, or is about to be.
            Unavailable: DEPENDENCY_UNAVAILABLE: it cannot be stored.
        """
        async with live.keeping:
            self._check_is_there(live)
            # Nothing leaves memory without a snapshot.
            if not live.closed and live.has_changed:
                await self._take(live)

    async def snapshot(self, live: LiveNetwork) -> TakenSnapshot:
        """Return a snapshot that holds all that was learned up to now, taken if there is none.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: the network has been deleted, or is about to be.
            Unavailable: DEPENDENCY_UNAVAILABLE: it cannot be stored. SHUTTING_DOWN.
        """
        async with live.keeping:
            self._check_is_there(live)
            live.check_there()
            stored, is_lost = None, False
            if live.network.snapshot and not live.has_changed:
                stored = await self._snapshots.describe(live.network.snapshot)
                is_lost = stored is None
            if stored is None:
                await self._take(live, instead=is_lost)
                stored = await self._snapshots.describe(live.network.snapshot)
            if stored is None:
                raise _gone(live)
            return TakenSnapshot(
                live.snapshot_rows,
                live.network.journal_position,
                stored.create_time,
                stored.size_bytes,
            )

    async def sweep(self) -> None:
        """Delete the snapshots that no network points to: who made them died too early.

        Only for a process that has no network in memory yet.
        """
        known = await self._repository.snapshots()
        if not known:
            # An empty database beside a full store may well be the wrong one.
            return
        for name in await self._snapshots.names(""):
            if name not in known:
                _log.warning("removing a snapshot of no network", snapshot=name)
                await self._snapshots.delete(name)

    def _check_is_there(self, live: LiveNetwork) -> None:
        if live.deleted or self._is_deleting(live.network.uid):
            raise NotFound(live.network.name)

    async def _take(self, live: LiveNetwork, *, instead: bool = False) -> None:
        # In the owner's turn: what was queued before is learned by then.
        exported = await live.owner.run(Ledger.export)
        content, network = exported.content, live.network
        name = await self._snapshots.save(network.uid, content)
        if instead and name == network.snapshot:
            # The same bytes under the same name: it is back where it was.
            return
        record = SnapshotRecord(
            name,
            exported.statistics.learned_rows,
            content.labels,
            exported.statistics,
            content.journal_position,
        )
        unneeded = await self._repository.record_snapshot(network.uid, record, instead=instead)
        if unneeded is None:
            await self._snapshots.delete(name)
            raise NotFound(network.name)
        live.kept_at = time.monotonic()
        live.snapshot_rows = record.kept_rows
        live.network = replace(
            network,
            snapshot=name,
            snapshot_before=network.snapshot_before if instead else network.snapshot,
            journal_position=record.journal_position,
            labels=record.labels,
            statistics=record.statistics,
        )
        if unneeded not in ("", name, live.network.snapshot_before):
            await self._snapshots.delete(unneeded)
        if not instead:
            # If the newest snapshot cannot be read one day, the one before needs what came
            # after it.
            await live.journal.release(network.journal_position)


def _gone(live: LiveNetwork) -> Unavailable:
    _log.error("a snapshot is gone", network=live.network.name, snapshot=live.network.snapshot)
    return Unavailable(
        "the snapshot was stored, and is not there any more",
        reason="DEPENDENCY_UNAVAILABLE",
        metadata={"dependency": "snapshots"},
    )
