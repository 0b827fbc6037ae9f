"""Tasks whose callers leave, and tasks that are cancelled late."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kyouko.domain.engine import NetworkStructure
from kyouko.domain.networks.learner import RowResults
from kyouko.domain.networks.ledger import Ledger
from kyouko.domain.networks.live_network import LiveLimits
from kyouko.domain.networks.workers import Workers
from kyouko.domain.tasks.task import Task, TaskState
from mesh.clients import unavailable
from mesh.quotas import Quota, QuotaExceeded
from tests.contract.kyouko.in_memory import MemoryJournal
from tests.unit.kyouko.tasks.office import (
    ALICE,
    DELAYED,
    LEARNING,
    PREDICTING,
    ROWS,
    STRUCTURE,
    Office,
)


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


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_task_waits_for_a_journal_that_is_away(
    office: Office, monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    """No row is learned that cannot be kept; the task goes on when it is back, or is cancelled."""
    asked, tries = asyncio.Event(), 0

    async def room(journal: MemoryJournal) -> None:
        nonlocal tries
        tries += 1
        asked.set()
        if is_cancelled or tries == 1:
            raise unavailable("journal")

    monkeypatch.setattr(MemoryJournal, "room", room)
    await office.tasks.create(ALICE, LEARNING, token="")
    await asked.wait()

    async with asyncio.timeout(10):
        if is_cancelled:
            await office.tasks.cancel(ALICE, "flowers", "net", "task")
        else:
            await office.end_of("task")

    task = await office.repository.get("flowers", "net", "task")
    expected = (TaskState.CANCELLED, 0) if is_cancelled else (TaskState.SUCCEEDED, ROWS)
    assert expected == (task.state, task.progress.totals.done_rows)


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


async def test_nothing_is_learned_behind_a_mistake_of_ours(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were handed over already stay unlearned, whatever kept those before them out."""
    learn, calls = Ledger.learn, count()

    def learn_all_but_the_first(ledger: Ledger, *arguments: Any, **options: Any) -> RowResults:
        if next(calls) == 0:
            raise RuntimeError("a mistake")
        return learn(ledger, *arguments, **options)

    monkeypatch.setattr(Ledger, "learn", learn_all_but_the_first)
    await office.tasks.create(ALICE, replace(LEARNING, epochs=3), token="")

    ended = await office.end_of("task")
    network = await office.networks.get("flowers", "net")

    assert (TaskState.FAILED, 0) == (ended.state, ended.progress.totals.done_rows)
    assert 0 == network.statistics.learned_rows


async def test_waiting_tasks_have_a_quota(office: Office) -> None:
    """One at work does not count; of those made at once so many wait as may; ends make room."""
    office.archive.most_rows = 0
    await office.tasks.create(ALICE, replace(LEARNING, task_id="at-work"), token="")
    await office.archive.silent.wait()
    office.quotas.counts.book.change({"projects/flowers": {Quota.QUEUED_TASKS: 2}})

    made = await asyncio.gather(
        *(
            office.tasks.create(ALICE, replace(LEARNING, task_id=f"task-{number}"), token="")
            for number in range(4)
        ),
        return_exceptions=True,
    )
    refused = [error for error in made if isinstance(error, QuotaExceeded)]
    full = waiting(office)
    first = next(task for task in made if isinstance(task, Task))
    await office.tasks.cancel(ALICE, "flowers", "net", first.task_id)
    after = waiting(office)
    await office.tasks.drain()

    assert [Quota.QUEUED_TASKS] * 2 == [error.quota for error in refused]
    assert ((2, 2), (1, 1)) == (full, after)


async def test_waiting_tasks_are_counted_again_after_a_restart(office: Office) -> None:
    """Also those beyond a limit that has been lowered since, and none twice."""
    office.archive.most_rows = 0
    for number in range(3):
        await office.tasks.create(ALICE, replace(LEARNING, task_id=f"task-{number}"), token="")
    await office.archive.silent.wait()
    before = waiting(office)
    await office.tasks.drain()
    stopped = waiting(office)
    await office.live.close()

    office.archive.silent.clear()
    office.archive.most_rows = 0
    office.start()
    office.quotas.counts.book.change({"projects/flowers": {Quota.QUEUED_TASKS: 1}})
    await office.tasks.start()
    await office.archive.silent.wait()
    again = waiting(office)
    await office.tasks.drain()

    assert ((2, 2), (3, 3), (2, 2)) == (before, stopped, again)


def waiting(office: Office) -> tuple[int, int]:
    """Return how many tasks of the project and of alice wait."""
    counts = office.quotas.counts
    return (
        counts.used("projects/flowers", Quota.QUEUED_TASKS),
        counts.used("users/alice", Quota.QUEUED_TASKS),
    )
