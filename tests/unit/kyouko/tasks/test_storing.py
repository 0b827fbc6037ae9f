"""Results of tasks on their way into the archive."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kyouko.domain.networks.workers import Workers
from kyouko.domain.tasks.result import NewDataset
from kyouko.domain.tasks.storing import ResultStore
from kyouko.domain.tasks.task import TaskState
from mesh.clients import unavailable
from mesh.errors import AlreadyExists
from tests.contract.kyouko.builders import network, task
from tests.contract.kyouko.in_memory import MemoryNetworkRepository
from tests.unit.kyouko.tasks.office import ALICE, PREDICTING, ROWS, Archive, Office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Return an office that is open."""
    with Workers(1, "kernels") as executor:
        made = Office(tmp_path, executor)
        await made.open()
        yield made
        await made.tasks.drain()
        await made.live.close()


class ForgetfulArchive(Archive):
    """An archive whose first answer is lost on the way, whatever it has stored."""

    def __init__(self, *, stores: bool) -> None:
        super().__init__()
        self.is_ours_now = stores
        self.uploads = 0

    async def upload_csv(self, new: NewDataset, path: Path) -> None:
        """Answer to the second upload only; something is there by then."""
        self.uploads += 1
        if self.uploads == 1:
            raise unavailable("shiori")
        raise AlreadyExists("projects/flowers/datasets/results")


async def store_in(archive: Archive) -> ResultStore:
    """Return the way of a result into an archive."""
    networks, made = MemoryNetworkRepository(), network()
    await networks.create(made)
    result = replace(task(of=made), result_dataset_id="results")
    return ResultStore(archive, networks, result, patience_seconds=10.0)


async def test_a_lost_answer_is_no_failure(tmp_path: Path) -> None:
    """What is there when the upload comes again is what came first."""
    archive = ForgetfulArchive(stores=True)

    store = await store_in(archive)

    await store.put(tmp_path)

    assert 2 == archive.uploads


async def test_a_name_that_somebody_else_took_is_a_failure(tmp_path: Path) -> None:
    """Nothing of theirs is taken for the result."""
    store = await store_in(ForgetfulArchive(stores=False))

    with pytest.raises(AlreadyExists):
        await store.put(tmp_path)


async def test_two_tasks_never_have_one_result(office: Office) -> None:
    """The second one is refused while the first waits or works; so what is stored is its."""
    await office.tasks.create(ALICE, PREDICTING, token="")
    outcomes = await asyncio.gather(
        office.tasks.create(ALICE, replace(PREDICTING, task_id="second"), token=""),
        office.tasks.create(
            ALICE, replace(PREDICTING, task_id="third", result_dataset_id="other"), token=""
        ),
        office.tasks.create(
            ALICE, replace(PREDICTING, task_id="fourth", result_dataset_id="other"), token=""
        ),
        return_exceptions=True,
    )
    # Whoever stops waits for an upload under way, and here none ever ends.
    for left in await office.repository.unfinished():
        await office.tasks.cancel(ALICE, "flowers", "net", left.task_id)

    assert [True, False, True] == [isinstance(each, AlreadyExists) for each in outcomes]


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_task_looks_for_its_result_after_a_death(office: Office, is_there: bool) -> None:
    """It has succeeded if the result is there; if not it begins anew."""
    dead = office.tasks
    await dead.create(ALICE, PREDICTING, token="")
    await office.archive.uploading.wait()
    before = await office.repository.get("flowers", "net", "task")
    office.archive.uploading.clear()

    office.archive.is_ours_now = is_there
    office.start()
    await office.tasks.start()
    if is_there:
        after = await office.end_of("task")
    else:
        await office.archive.uploading.wait()
        after = await office.repository.get("flowers", "net", "task")
        await office.tasks.cancel(ALICE, "flowers", "net", "task")

    assert (TaskState.RUNNING, True) == (before.state, before.progress.is_storing)
    assert (TaskState.SUCCEEDED if is_there else TaskState.RUNNING) == after.state
    assert ROWS == after.progress.totals.done_rows
