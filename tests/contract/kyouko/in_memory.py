"""Repositories and snapshots in memory: for domain tests, and the model of the real ones."""

import asyncio
import copy
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence, Set
from dataclasses import asdict, replace
from datetime import UTC, datetime

from kyouko.domain.holdings import Holding, holding_of
from kyouko.domain.networks.network import (
    Network,
    NetworkEntry,
    SnapshotContent,
    SnapshotRecord,
    network_name,
)
from kyouko.domain.tasks.task import Task
from kyouko.ports import (
    DamagedSnapshot,
    JournalDamage,
    JournalRecord,
    NetworkJournal,
    StoredSnapshot,
)
from mesh.errors import AlreadyExists, NotFound
from mesh.visibility import Sight, Visibility


class MemoryNetworkRepository:
    """Keeps networks in a dictionary; `tasks` go with their networks."""

    def __init__(self, tasks: "MemoryTaskRepository | None" = None) -> None:
        self._networks: dict[str, Network] = {}
        self._tasks = tasks
        if tasks is not None:
            tasks.networks = self._networks

    async def create(self, network: Network) -> None:
        """Store a new network."""
        if any(other.name == network.name for other in self._networks.values()):
            raise AlreadyExists(network.name)
        self._networks[network.uid] = network

    async def entry(self, project_id: str, network_id: str) -> NetworkEntry | None:
        """Return who may know of a network, or None."""
        name = network_name(project_id, network_id)
        for network in self._networks.values():
            if network.name == name:
                return NetworkEntry(network.uid, network.belonging)
        return None

    async def get(self, project_id: str, network_id: str) -> Network:
        """Return a network."""
        name = network_name(project_id, network_id)
        for network in self._networks.values():
            if network.name == name:
                return network
        raise NotFound(name)

    async def list(
        self, project_id: str, *, sight: Sight, after: str, limit: int
    ) -> Sequence[Network]:
        """Return networks by id."""
        found = [
            network
            for network in self._networks.values()
            if network.project_id == project_id
            and network.network_id > after
            and sight.shows(network.belonging)
        ]
        return sorted(found, key=lambda network: network.network_id)[:limit]

    async def projects(self) -> Set[str]:
        """Return the projects that have networks."""
        return {network.project_id for network in self._networks.values()}

    async def set_visibility(self, uid: str, visibility: Visibility) -> bool:
        """Store who may know of a network."""
        if uid not in self._networks:
            return False
        self._networks[uid] = replace(self._networks[uid], visibility=visibility)
        return True

    async def holdings(self) -> Sequence[Holding]:
        """Return what all networks count in quotas."""
        return [holding_of(network) for network in self._networks.values()]

    async def record_snapshot(
        self, uid: str, record: SnapshotRecord, *, instead: bool = False
    ) -> str | None:
        """Point a network to a new snapshot."""
        json.dumps(asdict(record.statistics), allow_nan=False)
        network = self._networks.get(uid)
        if network is None:
            return None
        self._networks[uid] = replace(
            network,
            snapshot=record.name,
            snapshot_before=network.snapshot_before if instead else network.snapshot,
            journal_position=record.journal_position,
            kept_rows=record.kept_rows,
            labels=record.labels,
            statistics=record.statistics,
        )
        return network.snapshot if instead else network.snapshot_before

    async def record_problem(self, uid: str, problem: str) -> None:
        """Note what of a network was lost."""
        if uid in self._networks:
            self._networks[uid] = replace(self._networks[uid], problem=problem)

    async def fall_back(self, uid: str, snapshot: str, journal_position: int) -> None:
        """Point a network to an older snapshot."""
        if uid in self._networks:
            self._networks[uid] = replace(
                self._networks[uid],
                snapshot=snapshot,
                snapshot_before="",
                journal_position=journal_position,
            )

    async def by_uid(self, uids: Set[str]) -> Sequence[Network]:
        """Return those networks that exist."""
        return [self._networks[uid] for uid in uids if uid in self._networks]

    async def snapshots(self) -> Set[str]:
        """Return the names of the snapshots that networks point to."""
        networks = self._networks.values()
        named = {name for each in networks for name in (each.snapshot, each.snapshot_before)}
        return named - {""}

    async def delete(self, uid: str) -> None:
        """Delete a network and its tasks."""
        self._networks.pop(uid, None)
        if self._tasks is not None:
            self._tasks.forget(uid)


class MemoryTaskRepository:
    """Keeps tasks in a dictionary."""

    def __init__(self) -> None:
        self.networks: dict[str, Network] = {}
        self._tasks: dict[int, Task] = {}
        self._last = 0

    async def create(self, task: Task) -> Task:
        """Store a new task."""
        if task.network_uid not in self.networks:
            raise NotFound(network_name(task.project_id, task.network_id))
        if any(other.name == task.name for other in self._tasks.values()):
            raise AlreadyExists(task.name)
        self._last += 1
        self._tasks[self._last] = replace(task, number=self._last)
        return self._tasks[self._last]

    async def get(self, project_id: str, network_id: str, task_id: str) -> Task:
        """Return a task."""
        name = f"{network_name(project_id, network_id)}/tasks/{task_id}"
        for task in self._tasks.values():
            if task.name == name:
                return task
        raise NotFound(name)

    async def list(
        self, project_id: str, network_id: str | None, *, sight: Sight, after: int, limit: int
    ) -> Sequence[Task]:
        """Return tasks by number."""
        found = [
            task
            for number, task in sorted(self._tasks.items())
            if task.project_id == project_id
            and network_id in (None, task.network_id)
            and number > after
            and sight.shows(self.networks[task.network_uid].belonging)
        ]
        return found[:limit]

    async def update(self, task: Task) -> None:
        """Store what changes in a task."""
        json.dumps(asdict(task.progress), allow_nan=False)
        if task.number in self._tasks:
            self._tasks[task.number] = task

    async def unfinished(self) -> Sequence[Task]:
        """Return all tasks that have not ended."""
        return [task for _, task in sorted(self._tasks.items()) if not task.state.has_ended]

    def forget(self, network_uid: str) -> None:
        """Delete the tasks of a network."""
        self._tasks = {
            number: task for number, task in self._tasks.items() if task.network_uid != network_uid
        }


class MemorySnapshotStore:
    """Keeps snapshots in a dictionary."""

    def __init__(self) -> None:
        self._contents: dict[str, SnapshotContent] = {}
        self._stored: dict[str, StoredSnapshot] = {}
        self._numbers = itertools.count(1)

    async def save(self, prefix: str, content: SnapshotContent) -> str:
        """Store a snapshot."""
        name = f"{prefix}/{next(self._numbers)}"
        self._contents[name] = copy.deepcopy(content)
        size = sum(array.nbytes for array in content.engine.arrays.values())
        self._stored[name] = StoredSnapshot(size, datetime.now(UTC))
        return name

    async def load(self, name: str) -> SnapshotContent:
        """Return a snapshot."""
        if name not in self._contents:
            raise DamagedSnapshot(name)
        return copy.deepcopy(self._contents[name])

    async def delete(self, name: str) -> None:
        """Delete a snapshot."""
        self._contents.pop(name, None)

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the names of all snapshots below a prefix."""
        return [name for name in self._contents if name.startswith(prefix)]

    async def describe(self, name: str) -> StoredSnapshot | None:
        """Return what is known of a snapshot."""
        return self._stored[name] if name in self._contents else None


class MemoryJournal:
    """The journal of one network in a dictionary; what is appended is durable at once."""

    def __init__(self, records: dict[int, bytes], after: int) -> None:
        self._records = records
        self._last = max([after, *records])
        self._watchers: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()

    @property
    def damage(self) -> JournalDamage | None:
        """What could not be read: nothing."""
        return None

    @property
    def last_position(self) -> int:
        """The position of the newest record."""
        return self._last

    @property
    def durable_position(self) -> int:
        """The position up to which no crash can take anything."""
        return self._last

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Take a record."""
        self._last += 1
        self._records[self._last] = b"".join(parts)
        for notify in list(self._watchers):
            self._loop.call_soon_threadsafe(notify)
        return self._last

    async def room(self) -> None:
        """There is always room."""

    async def flush(self) -> None:
        """All is durable already."""

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever more is durable."""
        self._watchers.append(notify)
        return lambda: self._watchers.remove(notify)

    async def read(self, after: int) -> AsyncIterator[JournalRecord]:
        """Yield the records after a position."""
        for position, data in sorted(self._records.items()):
            if position > after:
                yield JournalRecord(position, data)

    async def release(self, through: int) -> None:
        """Forget records up to a position."""
        for position in [position for position in self._records if position <= through]:
            del self._records[position]

    async def close(self) -> None:
        """Nothing has to be let go."""


class MemoryJournals:
    """Journals in dictionaries, which outlive the networks in memory."""

    def __init__(self) -> None:
        self.records: dict[str, dict[int, bytes]] = {}

    async def open(self, uid: str, *, after: int) -> NetworkJournal:
        """Open the journal of a network."""
        return MemoryJournal(self.records.setdefault(uid, {}), after)

    async def delete(self, uid: str) -> None:
        """Forget a network's journal."""
        self.records.pop(uid, None)

    async def uids(self) -> Set[str]:
        """Return the networks that have a journal."""
        return set(self.records)

    async def check(self) -> None:
        """All is well."""

    async def close(self) -> None:
        """Nothing has to be let go."""
