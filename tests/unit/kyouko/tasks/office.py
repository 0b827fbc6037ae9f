"""Tasks on stores in memory, over an archive that does as it is told."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np

from kyouko.domain.engine import NetworkStructure
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveLimits
from kyouko.domain.networks.network import Network
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.networks.workers import Workers
from kyouko.domain.quotas import Quotas
from kyouko.domain.tasks.board import TaskBoard
from kyouko.domain.tasks.execution import ExecutionTools, TaskTerms
from kyouko.domain.tasks.result import NewDataset
from kyouko.domain.tasks.rights import TaskRights
from kyouko.domain.tasks.task import Task, TaskWork
from kyouko.domain.tasks.tasks import NewTask, Tasks
from kyouko.domain.template import resolve
from kyouko.ports import (
    ColumnKind,
    ColumnUse,
    ColumnValues,
    DatasetColumn,
    DatasetDescription,
    DatasetSource,
    RowRange,
)
from kyouko.storage.predictions import CsvPredictionFiles
from kyouko.templates import shipped_templates
from kyouko.tracing import OpenTelemetryTracing
from mesh.access import AccessRule, Caller, Principal, Role
from mesh.clients import unavailable
from mesh.errors import NotFound, stale_etag
from mesh.quota_counts import QuotaCounts
from mesh.quotas import QuotaBook
from tests.contract.kyouko.in_memory import (
    MemoryJournals,
    MemoryNetworkRepository,
    MemorySnapshotStore,
    MemoryTaskRepository,
)
from tests.factories import caller, principal

ALICE = caller(replace(principal(flowers=Role.MEMBER), since=1))
MAKERS = frozenset({Role.ADMIN, Role.PROJECT_ADMIN, Role.MEMBER})
ROWS = 8
STRUCTURE = resolve(shipped_templates()["flat"].template, channels=1)
DELAYED = replace(STRUCTURE, inputs=(replace(STRUCTURE.inputs[0], delays=(1, 2)),))
LEARNING = NewTask("flowers", "net", TaskWork.LEARN, "projects/flowers/datasets/kinds", "task")
PREDICTING = NewTask(
    "flowers",
    "net",
    TaskWork.PREDICT,
    "projects/flowers/datasets/kinds",
    "task",
    result_dataset_id="results",
)


class Archive:
    """An archive of one data set that stores nothing: it is slow, or away.

    Attributes:
        most_rows: rows that it still gives; it says nothing after them.
        is_ours_now: whether the archive has the result by then.
        silent: set when it has given all that it gives.
        etag: of the data set that has the name.
        sources: what was read.
        is_away: whether uploads fail at once; they never end otherwise.
        uploading: set when an upload has begun.
    """

    def __init__(self) -> None:
        self.is_away = False
        self.etag = "first"
        self.sources: list[DatasetSource] = []
        self.is_ours_now = False
        self.most_rows = sys.maxsize
        self.uploading = asyncio.Event()
        self.silent = asyncio.Event()

    async def describe(self, name: str, *, token: str = "") -> DatasetDescription:
        """Return a data set of two columns; no other one is there."""
        if not name.endswith("/kinds"):
            raise NotFound(name)
        columns = [
            DatasetColumn("x", ColumnKind.FLOAT64, ColumnUse.INPUT, 1),
            DatasetColumn("kind", ColumnKind.INT64, ColumnUse.TARGET, 1),
        ]
        return DatasetDescription(name, columns, ROWS, etag=self.etag)

    async def read(
        self, source: DatasetSource, columns: Sequence[str], start_row: int, *, together: int
    ) -> AsyncGenerator[RowRange, None]:
        """Yield all rows at once, as far as there may be more."""
        self.sources.append(source)
        if source.etag not in ("", self.etag):
            raise stale_etag(source.name, source.etag)
        stop = min(ROWS, start_row + self.most_rows)
        numbers = np.arange(start_row, stop)[:, np.newaxis]
        self.most_rows -= len(numbers)
        if len(numbers):
            yield RowRange(start_row, len(numbers), [ColumnValues(numbers)] * len(columns))
        if stop < ROWS:
            self.silent.set()
            await asyncio.Event().wait()

    async def is_ours(self, project_id: str, dataset_id: str) -> bool:
        """Tell whether the result is there."""
        return self.is_ours_now

    async def upload_csv(self, new: NewDataset, path: Path) -> None:
        """Never come to an end."""
        self.uploading.set()
        if self.is_away:
            raise unavailable("shiori")
        await asyncio.Event().wait()


class People:
    """What users may do.

    Attributes:
        now: by name; others are gone.
        asked: how often that was asked.
    """

    def __init__(self) -> None:
        self.now = {"users/alice": ALICE.principal}
        self.asked = 0

    async def of(self, name: str) -> Principal:
        """Return a user."""
        self.asked += 1
        if name not in self.now:
            raise NotFound(name)
        return self.now[name]


class Office:
    """Tasks on stores in memory, with one network of one channel."""

    def __init__(self, folder: Path, executor: Workers, limits: LiveLimits | None = None) -> None:
        self.repository = MemoryTaskRepository()
        self.networks = MemoryNetworkRepository(self.repository)
        self.archive = Archive()
        self.people = People()
        self._snapshots = MemorySnapshotStore()
        self._journals = MemoryJournals()
        self._folder = folder
        self._executor = executor
        self._limits = limits or LiveLimits()
        self._ids = count(1)
        self.start()

    def start(self) -> None:
        """Work on these stores with nothing in memory, like a process that begins."""
        self.quotas = Quotas.over(QuotaCounts(QuotaBook()))
        self.live = LiveNetworks(
            self.networks,
            self._snapshots,
            self._journals,
            self._executor,
            limits=self._limits,
        )
        tools = ExecutionTools(
            live=self.live,
            networks=self.networks,
            datasets=self.archive,
            predictions=CsvPredictionFiles(self._folder / "predictions"),
            board=TaskBoard(self.repository),
            tracing=OpenTelemetryTracing(),
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            terms=TaskTerms(patience_seconds=3600.0),
            quotas=self.quotas,
            rights=TaskRights(
                self.people,
                SeenNetworks(self.networks),
                rule=lambda: AccessRule("/create", roles=MAKERS),
            ),
        )
        self.tasks = Tasks(
            self.repository, self.networks, tools, new_id=lambda: f"id-{next(self._ids):014}"
        )

    async def open(self, structure: NetworkStructure = STRUCTURE) -> None:
        """Store the network."""
        await self.networks.create(
            Network(
                uid="uid-of-net",
                project_id="flowers",
                network_id="net",
                structure=structure,
                create_time=datetime(2026, 1, 2, tzinfo=UTC),
                creator="users/alice",
            )
        )

    async def end_of(self, task_id: str, who: Caller = ALICE) -> Task:
        """Wait for a task's end."""
        states = [task async for task in self.tasks.watch(who, "flowers", "net", task_id)]
        return states[-1]
