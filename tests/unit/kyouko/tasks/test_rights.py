"""Tasks do what their makers may do now, not what they could when they made them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kyouko.domain.networks.network import Network
from kyouko.domain.networks.workers import Workers
from kyouko.domain.tasks.task import Task, TaskState
from kyouko.ports import DatasetSource
from mesh.access import Role
from mesh.visibility import Visibility
from tests.factories import caller, principal
from tests.unit.kyouko.tasks.office import ALICE, LEARNING, MAKERS, Office

NETWORK = "projects/flowers/networks/net"
KINDS = "projects/flowers/datasets/kinds"
HEAD = caller(principal("users/head", admin=True))


@pytest.fixture
def executor() -> Iterator[Workers]:
    """Return threads for networks."""
    with Workers(1, "kernels") as workers:
        yield workers


@pytest.fixture
async def office(tmp_path: Path, executor: Workers) -> Office:
    """Return an office with its network."""
    opened = Office(tmp_path, executor)
    await opened.open()
    return opened


async def queued_behind_another(office: Office) -> Task:
    """Queue a task that waits until the one before it is cancelled."""
    office.archive.most_rows = 2
    await office.tasks.create(ALICE, replace(LEARNING, task_id="first"), token="")
    await office.archive.silent.wait()
    return await office.tasks.create(ALICE, LEARNING, token="")


async def end_of_waiting(office: Office) -> Task:
    """Let the turn of the waiting task come, and return its end."""
    office.archive.most_rows = 100
    await office.tasks.cancel(ALICE, "flowers", "net", "first")
    return await office.end_of("task")


def why(task: Task) -> tuple[TaskState, str, str]:
    """Return how a task ended, and what it says is not there."""
    failure = task.failure
    assert failure is not None
    return task.state, failure.reason, failure.metadata.get("resource", "")


async def hide(office: Office) -> Network:
    """Give the network to nobody who is there, in private; returns it."""
    await office.networks.set_visibility("uid-of-net", Visibility.PRIVATE)
    return await office.networks.get("flowers", "net")


async def test_rows_are_read_for_the_maker(office: Office) -> None:
    """By the etag that the data set had when the task was made, and as who made it is now."""
    task = await office.tasks.create(ALICE, LEARNING, token="")

    ended = await office.end_of("task")

    assert TaskState.SUCCEEDED == ended.state
    assert "first" == task.dataset_etag
    assert [DatasetSource(KINDS, "first", office.people.now["users/alice"])] == (
        office.archive.sources
    )


async def test_other_data_of_the_name_is_not_read(office: Office) -> None:
    """A waiting task ends when its data set has been replaced by another one."""
    await queued_behind_another(office)
    office.archive.etag = "second"

    ended = await end_of_waiting(office)

    assert (TaskState.FAILED, "ETAG_MISMATCH", KINDS) == why(ended)
    assert 0 == ended.progress.totals.done_rows


async def test_a_waiting_task_of_a_former_member_ends(office: Office) -> None:
    """As if the project were not there, before a row is read."""
    await queued_behind_another(office)
    office.people.now["users/alice"] = replace(office.people.now["users/alice"], project_roles={})
    read_before = len(office.archive.sources)

    office.archive.most_rows = 100
    await office.tasks.cancel(ALICE, "flowers", "net", "first")
    ended = await office.end_of("task")

    assert (TaskState.FAILED, "RESOURCE_NOT_FOUND", "projects/flowers") == why(ended)
    assert read_before == len(office.archive.sources)


async def test_a_waiting_task_of_a_viewer_ends(office: Office) -> None:
    """Who may know of the network, but make no tasks any more, is told so."""
    await queued_behind_another(office)
    viewer = replace(office.people.now["users/alice"], project_roles={"flowers": Role.VIEWER})
    office.people.now["users/alice"] = viewer

    ended = await end_of_waiting(office)

    assert Role.VIEWER not in MAKERS
    assert (TaskState.FAILED, "ROLE_INSUFFICIENT", "") == why(ended)


@pytest.mark.parametrize("is_there", [True, False])
async def test_nobody_inherits_a_waiting_task(office: Office, is_there: bool) -> None:
    """Neither somebody who got the name later, nor nobody, lets it go on."""
    await queued_behind_another(office)
    alice = office.people.now.pop("users/alice")
    if is_there:
        office.people.now["users/alice"] = replace(alice, since=4 * 10**15)

    ended = await end_of_waiting(office)

    assert (TaskState.FAILED, "RESOURCE_NOT_FOUND", NETWORK) == why(ended)


async def test_a_waiting_task_of_a_hidden_network_ends(office: Office) -> None:
    """It became private, and is not the maker's."""
    await queued_behind_another(office)

    office.archive.most_rows = 100
    await office.tasks.check_network(await hide(office))
    ended = await office.end_of("task", HEAD)

    assert (TaskState.FAILED, "RESOURCE_NOT_FOUND", NETWORK) == why(ended)
    assert TaskState.FAILED == (await office.end_of("first", HEAD)).state


async def test_a_running_task_ends_with_the_rights_of_its_maker(office: Office) -> None:
    """A change of access ends what is at work for somebody who is gone; else it goes on."""
    office.archive.most_rows = 2
    await office.tasks.create(ALICE, LEARNING, token="")
    await office.archive.silent.wait()
    asked = office.people.asked

    office.tasks.check_makers()
    office.people.now.clear()
    office.tasks.check_makers()
    ended = await office.end_of("task")

    assert (TaskState.FAILED, "RESOURCE_NOT_FOUND", NETWORK) == why(ended)
    assert asked < office.people.asked <= asked + 2
