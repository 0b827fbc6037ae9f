"""Tasks that were at work when the process died."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kyouko.domain.networks.workers import Workers
from kyouko.domain.tasks.task import Task, TaskState, Totals
from tests.unit.kyouko.tasks.office import ALICE, LEARNING, PREDICTING, ROWS, Office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Return an office that is open; what it had at work when it died does not go on."""
    with Workers(1, "kernels") as executor:
        made = Office(tmp_path, executor)
        await made.open()
        yield made
        await made.tasks.drain()
        await made.live.close()


async def learned(office: Office, rows: int) -> None:
    """Wait until the network has learned so many rows."""
    async with office.live.using("flowers", "net") as live:
        changed = asyncio.Event()
        unwatch = live.journal.watch(changed.set)
        while live.owner.learner.learned_rows < rows:
            await changed.wait()
            changed.clear()
        unwatch()


async def stored(office: Office) -> Task:
    """Return the task as the next process finds it."""
    return await office.repository.get("flowers", "net", "task")


async def test_a_learn_task_goes_on_at_its_next_row(office: Office) -> None:
    """Whatever the task's own row says: the network knows which rows it has learned."""
    dead = office.tasks
    office.archive.most_rows = 11
    await dead.create(ALICE, replace(LEARNING, epochs=2), token="")
    await learned(office, 11)
    before = await stored(office)

    office.archive.most_rows = 2 * ROWS
    office.start()
    await office.tasks.start()
    ended = await office.end_of("task")
    learned_rows = (await office.networks.get("flowers", "net")).statistics.learned_rows
    await dead.drain()

    assert (TaskState.RUNNING, 0) == (before.state, before.progress.totals.done_rows)
    assert (TaskState.SUCCEEDED, 2 * ROWS) == (ended.state, ended.progress.totals.done_rows)
    assert 2 * ROWS == ended.progress.totals.scored_rows == learned_rows


async def test_the_sums_of_a_task_are_those_of_its_rows(office: Office, tmp_path: Path) -> None:
    """Loss and errors are as if nothing had come between, to the last digit of the mean."""
    dead = office.tasks
    office.archive.most_rows = 3
    await dead.create(ALICE, LEARNING, token="")
    await learned(office, 3)
    office.archive.most_rows = ROWS
    office.start()
    await office.tasks.start()
    sums = (await office.end_of("task")).progress.totals
    await dead.drain()

    with Workers(1, "kernels") as executor:
        other = Office(tmp_path, executor)
        await other.open()
        await other.tasks.create(ALICE, LEARNING, token="")
        expected = (await other.end_of("task")).progress.totals
        await other.live.close()

    assert expected.correct_rows == sums.correct_rows
    assert pytest.approx(expected.loss, rel=1e-12) == sums.loss


async def test_a_predict_task_begins_anew(office: Office) -> None:
    """What it had predicted is gone with the process; every row counts once."""
    dead = office.tasks
    office.archive.most_rows = 5
    await dead.create(ALICE, replace(PREDICTING, result_dataset_id=""), token="")
    await office.archive.silent.wait()

    office.archive.most_rows = ROWS
    office.start()
    await office.tasks.start()
    ended = await office.end_of("task")
    await dead.drain()

    assert (TaskState.SUCCEEDED, ROWS) == (ended.state, ended.progress.totals.done_rows)


async def test_a_task_that_was_through_is_not_done_again(office: Office) -> None:
    """A process that dies before it has stored the end finds all rows done."""
    await office.tasks.create(ALICE, LEARNING, token="")
    ended = await office.end_of("task")
    unknown = replace(ended, state=TaskState.RUNNING, end_time=None)
    await office.repository.update(
        replace(unknown, progress=replace(unknown.progress, totals=Totals()))
    )

    office.start()
    await office.tasks.start()
    again = await office.end_of("task")
    learned_rows = (await office.networks.get("flowers", "net")).statistics.learned_rows

    assert (TaskState.SUCCEEDED, ROWS, ROWS) == (
        again.state,
        again.progress.totals.done_rows,
        learned_rows,
    )


@pytest.mark.parametrize(("deaths", "state"), [(3, "SUCCEEDED"), (4, "FAILED")])
async def test_a_task_does_not_kill_the_process_for_ever(
    office: Office, deaths: int, state: str
) -> None:
    """After five deaths in a row without a row more it has failed, and says why."""
    office.archive.most_rows = 0
    dead = office.tasks
    task = await dead.create(ALICE, LEARNING, token="")
    await office.archive.silent.wait()
    running = await stored(office)
    await office.repository.update(
        replace(running, progress=replace(running.progress, deaths=deaths))
    )

    office.archive.most_rows = ROWS
    office.start()
    await office.tasks.start()
    ended = await office.end_of(task.task_id)
    await dead.drain()

    assert state == ended.state
    assert (state == "FAILED") == (ended.failure is not None)
    if ended.failure is not None:
        assert ("SHUTTING_DOWN", True) == (ended.failure.reason, "5 times" in ended.failure.message)


async def test_tasks_that_wait_are_queued_again(office: Office) -> None:
    """In their order, behind the one that was at work."""
    dead = office.tasks
    office.archive.most_rows = 3
    for name in ("task", "second", "third"):
        await dead.create(ALICE, replace(LEARNING, task_id=name), token="")
    await learned(office, 3)

    office.archive.most_rows = 3 * ROWS
    office.start()
    await office.tasks.start()
    ended = [await office.end_of(name) for name in ("task", "second", "third")]
    learned_rows = (await office.networks.get("flowers", "net")).statistics.learned_rows
    await dead.drain()

    assert [TaskState.SUCCEEDED] * 3 == [task.state for task in ended]
    assert 3 * ROWS == learned_rows
