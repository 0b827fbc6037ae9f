"""Brings a network back into memory: its snapshot, and what the journal has after it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import structlog

from kyouko.domain.engine import EngineStructureError
from kyouko.domain.networks.learner import Learner
from kyouko.domain.networks.ledger import Ledger
from kyouko.domain.networks.network import Network, SnapshotContent
from kyouko.ports import (
    DamagedSnapshot,
    JournalRecord,
    Journals,
    NetworkJournal,
    SnapshotStore,
)
from mesh.errors import Unavailable

_log = structlog.get_logger(__name__)
# Few enough that a worker thread is soon free for others, enough that handing over costs nothing.
_RECORDS_AT_ONCE: Final = 64


@dataclass(frozen=True)
class Loaded:
    """A network that is ready to go on.

    Attributes:
        snapshot: the one that could be read; empty for none.
        snapshot_position: the last change that it holds.
        problem: what could not be brought back, for people; empty when all was.
    """

    ledger: Ledger
    journal: NetworkJournal
    snapshot: str
    snapshot_position: int
    problem: str


class Loader:
    """Loads networks."""

    def __init__(self, snapshots: SnapshotStore, journals: Journals, executor: Executor) -> None:
        self._snapshots = snapshots
        self._journals = journals
        self._executor = executor

    async def load(self, network: Network) -> Loaded:
        """Bring a network back: the newest snapshot that can be read, and all that came after it.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: neither of its snapshots can be used, or it
                cannot be built here. JOURNAL_UNAVAILABLE.
        """
        used, content = await self._newest_snapshot(network)
        ledger = await self._build(network, content)
        journal = await self._journals.open(network.uid, after=ledger.position)
        try:
            problem = await self._replay(network, ledger, journal)
            problem = problem or _gap_between(network, used, ledger)
        except BaseException:
            await journal.close()
            raise
        ledger.write_to(journal)
        position = 0 if content is None else content.journal_position
        return Loaded(ledger, journal, used, position, problem)

    async def _newest_snapshot(self, network: Network) -> tuple[str, SnapshotContent | None]:
        if not network.snapshot:
            return "", None
        try:
            return network.snapshot, await self._snapshots.load(network.snapshot)
        except DamagedSnapshot as error:
            # The journal still has all that came after the snapshot before, or after nothing.
            _log.error(
                "snapshot is damaged",
                network=network.name,
                snapshot=network.snapshot,
                problem=str(error),
                instead=network.snapshot_before or "the journal from its beginning",
            )
        before = network.snapshot_before
        try:
            return before, await self._snapshots.load(before) if before else None
        except DamagedSnapshot as error:
            _log.error("snapshot is damaged", network=network.name, snapshot=before)
            raise _unusable(network, f"snapshots are damaged, or not for us ({error})") from error

    async def _build(self, network: Network, content: SnapshotContent | None) -> Ledger:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, _ledger, network, content)
        except EngineStructureError as error:
            # It could be built when it was created: by another version, or beside a GPU.
            _log.error("structure cannot be built", network=network.name, error=str(error))
            raise Unavailable(
                f"{network.name} cannot be built here: {error}",
                reason="DEPENDENCY_UNAVAILABLE",
                metadata={"dependency": "engine"},
            ) from error
        except ValueError as error:
            _log.error("snapshot does not fit", network=network.name, error=str(error))
            raise _unusable(network, "snapshot was made by another version") from error

    async def _replay(self, network: Network, ledger: Ledger, journal: NetworkJournal) -> str:
        """Do again what the snapshot does not hold; returns what could not be done."""
        first = ledger.position
        waiting: list[JournalRecord] = []
        async for record in journal.read(ledger.position):
            waiting.append(record)
            if len(waiting) == _RECORDS_AT_ONCE:
                await self._redo(network, ledger, waiting)
                waiting = []
        await self._redo(network, ledger, waiting)
        if ledger.position > first:
            _log.info("replayed", network=network.name, records=ledger.position - first)
        damage = journal.damage
        if damage is None or damage.last_good_position < first:
            return ""
        _log.error(
            "journal is damaged",
            network=network.name,
            place=damage.place,
            last_good_position=damage.last_good_position,
            problem=damage.problem,
        )
        return (
            f"the journal is damaged at {damage.place} ({damage.problem}); what was learned after "
            f"its record {damage.last_good_position} is lost"
        )

    async def _redo(
        self, network: Network, ledger: Ledger, records: Sequence[JournalRecord]
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._executor, _redo, ledger, records)
        except ValueError as error:
            _log.error("journal does not fit", network=network.name, error=str(error))
            raise Unavailable(
                f"{network.name} cannot be loaded: its journal has a record that does not fit",
                reason="DEPENDENCY_UNAVAILABLE",
                metadata={"dependency": "journal"},
            ) from error


def _unusable(network: Network, problem: str) -> Unavailable:
    return Unavailable(
        f"{network.name} cannot be loaded: its {problem}",
        reason="DEPENDENCY_UNAVAILABLE",
        metadata={"dependency": "snapshots"},
    )


def _gap_between(network: Network, used: str, ledger: Ledger) -> str:
    """Return what is missing between an older snapshot and the damaged one.

    Raises:
        Unavailable: All of it is; an empty network would be worse than none.
    """
    if ledger.position == 0 and network.snapshot and not used:
        raise _unusable(network, "snapshots are damaged")
    if ledger.position >= network.journal_position:
        return ""
    return (
        f"the snapshot {network.snapshot} is damaged; what was learned between the journal's "
        f"records {ledger.position} and {network.journal_position} is lost"
    )


def _ledger(network: Network, content: SnapshotContent | None) -> Ledger:
    return Ledger(Learner(network.structure, content), content)


def _redo(ledger: Ledger, records: Sequence[JournalRecord]) -> None:
    for record in records:
        ledger.replay(record.position, record.data)
