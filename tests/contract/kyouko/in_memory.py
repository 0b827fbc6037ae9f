"""Repositories and snapshots in memory: for domain tests, and the model of the real ones."""

import copy
import json
from collections.abc import Sequence, Set
from dataclasses import asdict, replace

from kyouko.domain.networks.network import (
    Network,
    SnapshotContent,
    SnapshotRecord,
    network_name,
)
from kyouko.domain.tasks.task import Task
from mesh.clients import unavailable
from mesh.errors import AlreadyExists, NotFound


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

    async def get(self, project_id: str, network_id: str) -> Network:
        """Return a network."""
        name = network_name(project_id, network_id)
        for network in self._networks.values():
            if network.name == name:
                return network
        raise NotFound(name)

    async def list(self, project_id: str, *, after: str, limit: int) -> Sequence[Network]:
        """Return networks by id."""
        found = [
            network
            for network in self._networks.values()
            if network.project_id == project_id and network.network_id > after
        ]
        return sorted(found, key=lambda network: network.network_id)[:limit]

    async def count(self, project_id: str) -> int:
        """Return how many networks a project has."""
        return sum(network.project_id == project_id for network in self._networks.values())

    async def record_snapshot(self, uid: str, record: SnapshotRecord) -> str | None:
        """Point a network to a new snapshot."""
        json.dumps(asdict(record.statistics), allow_nan=False)
        network = self._networks.get(uid)
        if network is None:
            return None
        self._networks[uid] = replace(
            network,
            snapshot=record.name,
            kept_rows=record.kept_rows,
            labels=record.labels,
            statistics=record.statistics,
        )
        return network.snapshot

    async def snapshots(self) -> Set[str]:
        """Return the names of the snapshots that networks point to."""
        return {network.snapshot for network in self._networks.values()} - {""}

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
        self, project_id: str, network_id: str | None, *, after: int, limit: int
    ) -> Sequence[Task]:
        """Return tasks by number."""
        found = [
            task
            for number, task in sorted(self._tasks.items())
            if task.project_id == project_id
            and network_id in (None, task.network_id)
            and number > after
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

    async def save(self, name: str, content: SnapshotContent) -> None:
        """Store a snapshot."""
        self._contents[name] = copy.deepcopy(content)

    async def load(self, name: str) -> SnapshotContent:
        """Return a snapshot."""
        if name not in self._contents:
            raise unavailable("snapshots")
        return copy.deepcopy(self._contents[name])

    async def delete(self, name: str) -> None:
        """Delete a snapshot."""
        self._contents.pop(name, None)

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the names of all snapshots below a prefix."""
        return [name for name in self._contents if name.startswith(prefix)]
