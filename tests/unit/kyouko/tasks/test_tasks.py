"""Tasks whose callers leave, and tasks that are cancelled late."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from kyouko.domain.engine import NetworkStructure
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveLimits
from kyouko.domain.networks.network import Network
from kyouko.domain.networks.workers import Workers
from kyouko.domain.tasks.board import TaskBoard
from kyouko.domain.tasks.execution import ExecutionTools, TaskTerms
from kyouko.domain.tasks.task import Task, TaskState, TaskWork
from kyouko.domain.tasks.tasks import NewTask, Tasks
from kyouko.domain.template import resolve
from kyouko.ports import (
    ColumnKind,
    ColumnUse,
    ColumnValues,
    DatasetColumn,
    DatasetDescription,
    RowRange,
)
from kyouko.storage.predictions import CsvPredictionFiles
from kyouko.templates import shipped_templates
from kyouko.tracing import OpenTelemetryTracing
from mesh.access import Role
from mesh.clients import unavailable
from mesh.errors import NotFound
from tests.contract.kyouko.in_memory import (
    MemoryJournals,
    MemoryNetworkRepository,
    MemorySnapshotStore,
    MemoryTaskRepository,
)
from tests.factories import caller, principal

ALICE = caller(principal(flowers=Role.MEMBER))
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
        is_away: whether uploads fail at once; they never end otherwise.
        uploading: set when an upload has begun.
    """

    def __init__(self) -> None:
        self.is_away = False
        self.uploading = asyncio.Event()

    async def describe(self, name: str, *, token: str) -> DatasetDescription:
        """Return a data set of two columns; no other one is there."""
        if not name.endswith("/kinds"):
            raise NotFound(name)
        columns = [
            DatasetColumn("x", ColumnKind.FLOAT64, ColumnUse.INPUT, 1),
            DatasetColumn("kind", ColumnKind.INT64, ColumnUse.TARGET, 1),
        ]
        return DatasetDescription(name, columns, ROWS)

    async def read(
        self, name: str, columns: Sequence[str], start_row: int
    ) -> AsyncGenerator[RowRange, None]:
        """Yield all rows at once."""
        numbers = np.arange(start_row, ROWS)[:, np.newaxis]
        yield RowRange(start_row, len(numbers), [ColumnValues(numbers)] * len(columns))

    async def upload_csv(self, project_id: str, dataset_id: str, path: Path) -> None:
        """Never come to an end."""
        self.uploading.set()
        if self.is_away:
            raise unavailable("shiori")
        await asyncio.Event().wait()


class Office:
    """Tasks on stores in memory, with one network of one channel."""

    def __init__(self, folder: Path, executor: Workers, limits: LiveLimits | None = None) -> None:
        ids = count(1)
        self.repository = MemoryTaskRepository()
        self.networks = MemoryNetworkRepository(self.repository)
        self.archive = Archive()
        self.live = LiveNetworks(
            self.networks,
            MemorySnapshotStore(),
            MemoryJournals(),
            executor,
            limits=limits or LiveLimits(),
        )
        tools = ExecutionTools(
            live=self.live,
            datasets=self.archive,
            predictions=CsvPredictionFiles(folder / "predictions"),
            board=TaskBoard(self.repository),
            tracing=OpenTelemetryTracing(),
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            terms=TaskTerms(patience_seconds=3600.0),
        )
        self.tasks = Tasks(
            self.repository, self.networks, tools, new_id=lambda: f"id-{next(ids):014}"
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

    async def end_of(self, task_id: str) -> Task:
        """Wait for a task's end."""
        states = [task async for task in self.tasks.watch(ALICE, "flowers", "net", task_id)]
        return states[-1]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Return an office that is open."""
    with Workers(1, "kernels") as executor:
        made = Office(tmp_path, executor)
        await made.open()
        yield made
        await made.live.close()


async def test_a_task_that_is_stored_runs(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if whoever created it left while it was being stored."""
    storing, stored = asyncio.Event(), asyncio.Event()
    create = office.repository.create

    async def slow_create(task: Task) -> Task:
        made = await create(task)
        storing.set()
        await stored.wait()
        return made

    monkeypatch.setattr(office.repository, "create", slow_create)
    creating = asyncio.create_task(office.tasks.create(ALICE, LEARNING, token=""))
    await storing.wait()
    creating.cancel()
    await asyncio.wait({creating})
    stored.set()
    ended = await office.end_of("task")

    assert creating.cancelled()
    assert (TaskState.SUCCEEDED, ROWS) == (ended.state, ended.progress.totals.done_rows)


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_task_that_stores_its_predictions_is_cancelled(
    office: Office, is_away: bool
) -> None:
    """Neither a slow upload nor patience with an archive that is away holds it up."""
    office.archive.is_away = is_away
    await office.tasks.create(ALICE, PREDICTING, token="")
    await office.archive.uploading.wait()

    async with asyncio.timeout(10):
        cancelled = await office.tasks.cancel(ALICE, "flowers", "net", "task")

    assert (TaskState.CANCELLED, ROWS) == (cancelled.state, cancelled.progress.totals.done_rows)
    assert cancelled == await office.repository.get("flowers", "net", "task")


async def test_deleting_a_network_stops_what_is_being_stored(office: Office) -> None:
    """A deletion does not wait for an archive that never answers."""
    await office.tasks.create(ALICE, PREDICTING, token="")
    await office.archive.uploading.wait()
    network = await office.networks.get("flowers", "net")

    async with asyncio.timeout(10):
        await office.tasks.end_network(network)

    task = await office.repository.get("flowers", "net", "task")
    assert TaskState.CANCELLED is task.state


@pytest.mark.parametrize(
    ("structure", "copies", "state"),
    [
        (STRUCTURE, 1, TaskState.SUCCEEDED),
        (DELAYED, 1, TaskState.FAILED),
        (DELAYED, 2, TaskState.SUCCEEDED),
    ],
)
async def test_the_copy_that_predicts_rows_in_order_needs_room(
    tmp_path: Path, structure: NetworkStructure, copies: int, state: TaskState
) -> None:
    """Only a network with a past is copied, and the copy counts as much as the network."""
    size = copies * structure.options.memory_limit_bytes
    with Workers(1, "kernels") as executor:
        office = Office(tmp_path, executor, LiveLimits(memory_bytes=size))
        await office.open(structure)

        await office.tasks.create(ALICE, replace(PREDICTING, result_dataset_id=""), token="")
        ended = await office.end_of("task")
        async with office.live.using("flowers", "net"):
            is_free_again = True
        await office.live.close()

    assert state == ended.state
    assert is_free_again
    if ended.failure is not None:
        assert ("ResourceExhausted", "LIMIT_REACHED") == (ended.failure.kind, ended.failure.reason)
        assert "copy" in ended.failure.message
