"""What every repository of networks and tasks promises."""

import math
from dataclasses import replace

import pytest

from kyouko.domain.holdings import Holding
from kyouko.domain.networks.network import NetworkStatistics, SnapshotRecord
from kyouko.domain.tasks.task import Failure, TaskProgress, TaskState, Totals
from mesh.errors import AlreadyExists, NotFound
from mesh.visibility import EVERYTHING
from tests.contract.kyouko.builders import NOON, network, task
from tests.contract.kyouko.conftest import Repositories


async def test_a_network_comes_back_as_it_was_stored(repositories: Repositories) -> None:
    """Structure and all, also what JSON cannot tell from something else."""
    await repositories.networks.create(network())

    assert network() == await repositories.networks.get("flowers", "net")


async def test_names_are_taken_once(repositories: Repositories) -> None:
    """A second network of the same name is refused, in another project it is welcome."""
    await repositories.networks.create(network())
    await repositories.networks.create(network(project_id="rocks", uid="other"))

    with pytest.raises(AlreadyExists):
        await repositories.networks.create(network(uid="third"))

    stored = await repositories.networks.holdings()
    assert ["flowers", "rocks"] == sorted(holding.project_id for holding in stored)


async def test_a_missing_network_is_not_found(repositories: Repositories) -> None:
    """The error tells the name that was asked for."""
    with pytest.raises(NotFound) as missing:
        await repositories.networks.get("flowers", "none")

    assert {"resource": "projects/flowers/networks/none"} == missing.value.metadata


async def test_networks_are_listed_byte_by_byte(repositories: Repositories) -> None:
    """A dash sorts before a letter everywhere, whatever the locale of the database."""
    for network_id in ("ab", "a-c", "b", "a0"):
        await repositories.networks.create(network(network_id))

    first = await repositories.networks.list("flowers", sight=EVERYTHING, after="", limit=2)
    rest = await repositories.networks.list("flowers", sight=EVERYTHING, after="a0", limit=10)

    assert ["a-c", "a0"] == [item.network_id for item in first]
    assert ["ab", "b"] == [item.network_id for item in rest]


async def test_a_snapshot_is_recorded_and_the_one_not_needed_is_told(
    repositories: Repositories,
) -> None:
    """The row points to the newest snapshot, with its rows, labels and statistics, and to one."""
    await repositories.networks.create(network())
    statistics = NetworkStatistics(learned_rows=10, growth_stopped="full", running_loss=0.5)

    none = await repositories.networks.record_snapshot(
        "uid-of-net", SnapshotRecord("first", 5, ("a",), NetworkStatistics())
    )
    first = await repositories.networks.record_snapshot(
        "uid-of-net", SnapshotRecord("second", 10, ("a", "b"), statistics, 7)
    )
    stored = await repositories.networks.get("flowers", "net")
    second = await repositories.networks.record_snapshot(
        "uid-of-net", SnapshotRecord("third", 10, ("a", "b"), statistics, 8)
    )

    assert ("", "", "first") == (none, first, second)
    assert stored == replace(
        network(),
        snapshot="second",
        snapshot_before="first",
        journal_position=7,
        kept_rows=10,
        labels=("a", "b"),
        statistics=statistics,
    )


async def test_a_snapshot_takes_the_place_of_a_lost_one(repositories: Repositories) -> None:
    """The one before stays, and the lost one is what is no longer needed."""
    await repositories.networks.create(network())
    for position, name in enumerate(("first", "second"), start=1):
        record = SnapshotRecord(name, 5, (), NetworkStatistics(), position)
        await repositories.networks.record_snapshot("uid-of-net", record)

    again = SnapshotRecord("again", 5, (), NetworkStatistics(), 2)
    lost = await repositories.networks.record_snapshot("uid-of-net", again, instead=True)
    stored = await repositories.networks.get("flowers", "net")

    assert ("second", "again", "first") == (lost, stored.snapshot, stored.snapshot_before)


async def test_holdings_are_what_is_stored_of_every_network(repositories: Repositories) -> None:
    """Synapses as of the last snapshot, snapshots that are there, whose they are; no others."""
    await repositories.networks.create(network())
    await repositories.networks.create(network(project_id="rocks", uid="other"))
    await repositories.networks.create(network("gone"))
    statistics = NetworkStatistics(input_connections=2**40, output_connections=3)
    for position, name in enumerate(("first", "second", "third"), start=1):
        record = SnapshotRecord(name, 5, (), statistics, position)
        await repositories.networks.record_snapshot("uid-of-net", record)
    await repositories.networks.delete("uid-of-gone")

    found = await repositories.networks.holdings()

    assert [
        Holding("other", "rocks", "users/alice", synapses=0, snapshots=0),
        Holding("uid-of-net", "flowers", "users/alice", synapses=2**40 + 3, snapshots=2),
    ] == sorted(found, key=lambda holding: holding.uid)


async def test_what_was_lost_is_noted(repositories: Repositories) -> None:
    """The network says so until it is told otherwise; a missing one is no error."""
    await repositories.networks.create(network())

    await repositories.networks.record_problem("uid-of-net", "rows are lost")
    await repositories.networks.record_problem("uid-of-none", "rows are lost")

    assert "rows are lost" == (await repositories.networks.get("flowers", "net")).problem


async def test_a_network_falls_back_to_an_older_snapshot(repositories: Repositories) -> None:
    """The damaged one is forgotten, and the next snapshot has the older one before it."""
    await repositories.networks.create(network())
    for name, position in (("first", 3), ("damaged", 7)):
        record = SnapshotRecord(name, 1, (), NetworkStatistics(), position)
        await repositories.networks.record_snapshot("uid-of-net", record)

    await repositories.networks.fall_back("uid-of-net", "first", 3)

    found = await repositories.networks.get("flowers", "net")
    assert ("first", "", 3) == (found.snapshot, found.snapshot_before, found.journal_position)


async def test_networks_are_found_by_uid(repositories: Repositories) -> None:
    """Those that exist; a thousand that do not are no error."""
    for network_id in ("one", "two"):
        await repositories.networks.create(network(network_id))

    found = await repositories.networks.by_uid(
        {"uid-of-one", "uid-of-two", *(f"uid-{number}" for number in range(1000))}
    )

    assert {"uid-of-one", "uid-of-two"} == {each.uid for each in found}


async def test_snapshots_in_use_are_told(repositories: Repositories) -> None:
    """Those that rows point to, and no name for a network without one."""
    for network_id in ("one", "two", "three"):
        await repositories.networks.create(network(network_id))
    for network_id in ("one", "two"):
        name = f"uid-of-{network_id}/a"
        record = SnapshotRecord(name, 1, (), NetworkStatistics())
        await repositories.networks.record_snapshot(f"uid-of-{network_id}", record)

    assert {"uid-of-one/a", "uid-of-two/a"} == await repositories.networks.snapshots()


async def test_a_snapshot_of_a_deleted_network_is_not_recorded(repositories: Repositories) -> None:
    """Whoever comes too late is told so, and can remove what was written."""
    await repositories.networks.create(network())
    await repositories.networks.delete("uid-of-net")

    record = SnapshotRecord("late", 5, (), NetworkStatistics())

    assert await repositories.networks.record_snapshot("uid-of-net", record) is None


async def test_tasks_get_rising_numbers(repositories: Repositories) -> None:
    """The numbers are the order of creation, and a task comes back as it was stored."""
    await repositories.networks.create(network())

    first = await repositories.tasks.create(task("one"))
    second = await repositories.tasks.create(task("two"))

    assert 0 < first.number < second.number
    assert first == await repositories.tasks.get("flowers", "net", "one")
    assert replace(task("one"), number=first.number) == first


async def test_a_task_id_is_taken_once_per_network(repositories: Repositories) -> None:
    """Two networks may have a task of the same id, one network may not."""
    other = network("other")
    for item in (network(), other):
        await repositories.networks.create(item)
    await repositories.tasks.create(task())
    await repositories.tasks.create(task(of=other))

    with pytest.raises(AlreadyExists):
        await repositories.tasks.create(task())


async def test_a_task_needs_its_network(repositories: Repositories) -> None:
    """A task of a network that was deleted meanwhile is not stored."""
    with pytest.raises(NotFound) as missing:
        await repositories.tasks.create(task())

    assert {"resource": "projects/flowers/networks/net"} == missing.value.metadata


async def test_a_task_is_updated(repositories: Repositories) -> None:
    """State, progress, failure and times are stored."""
    await repositories.networks.create(network())
    stored = await repositories.tasks.create(task())
    progress = TaskProgress(
        total_rows=300,
        totals=Totals(10, 9, 1.5, 8, 0.25, 0.125, 2.0),
        rows_per_second=5.0,
        remaining_seconds=58.0,
        statistics=NetworkStatistics(learned_rows=10),
    )
    failure = Failure("NotFound", "gone", "RESOURCE_NOT_FOUND", {"resource": "x"})
    changed = replace(
        stored.started(NOON),
        progress=progress,
        state=TaskState.FAILED,
        failure=failure,
        end_time=NOON,
    )

    await repositories.tasks.update(changed)

    assert changed == await repositories.tasks.get("flowers", "net", "task")


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
async def test_what_json_cannot_hold_is_refused(repositories: Repositories, number: float) -> None:
    """Everywhere alike, and nothing is changed."""
    await repositories.networks.create(network())
    stored = await repositories.tasks.create(task())
    progress = TaskProgress(total_rows=300, totals=Totals(loss=number))
    record = SnapshotRecord("uid-of-net/a", 1, (), NetworkStatistics(running_loss=number))

    with pytest.raises(ValueError, match="JSON"):
        await repositories.tasks.update(replace(stored, progress=progress))
    with pytest.raises(ValueError, match="JSON"):
        await repositories.networks.record_snapshot("uid-of-net", record)

    assert stored == await repositories.tasks.get("flowers", "net", "task")
    assert network() == await repositories.networks.get("flowers", "net")


async def test_unfinished_tasks_are_found_in_order(repositories: Repositories) -> None:
    """Waiting and running ones of all networks, and none that has ended."""
    other = network("other")
    for item in (network(), other):
        await repositories.networks.create(item)
    running = await repositories.tasks.create(task("running"))
    ended = await repositories.tasks.create(task("ended"))
    await repositories.tasks.create(task("waiting", of=other))
    await repositories.tasks.update(running.started(NOON))
    await repositories.tasks.update(ended.ended(TaskState.CANCELLED, NOON))

    found = await repositories.tasks.unfinished()

    assert ["running", "waiting"] == [item.task_id for item in found]


async def test_tasks_are_listed_by_number(repositories: Repositories) -> None:
    """Of one network or of all of the project, after a number, up to a limit."""
    other = network("other")
    for item in (network(), other):
        await repositories.networks.create(item)
    numbers = [
        (await repositories.tasks.create(item)).number
        for item in (task("one"), task("two", of=other), task("three"))
    ]

    every = await repositories.tasks.list("flowers", None, sight=EVERYTHING, after=0, limit=10)
    some = await repositories.tasks.list(
        "flowers", None, sight=EVERYTHING, after=numbers[0], limit=1
    )
    own = await repositories.tasks.list("flowers", "net", sight=EVERYTHING, after=0, limit=10)
    foreign = await repositories.tasks.list("rocks", None, sight=EVERYTHING, after=0, limit=10)

    assert ["one", "two", "three"] == [item.task_id for item in every]
    assert ["two"] == [item.task_id for item in some]
    assert ["one", "three"] == [item.task_id for item in own]
    assert [] == list(foreign)


async def test_tasks_go_with_their_network(repositories: Repositories) -> None:
    """Deleting a network deletes its tasks; deleting it again changes nothing."""
    await repositories.networks.create(network())
    await repositories.tasks.create(task())

    await repositories.networks.delete("uid-of-net")
    await repositories.networks.delete("uid-of-net")

    with pytest.raises(NotFound):
        await repositories.tasks.get("flowers", "net", "task")
    assert [] == list(await repositories.tasks.unfinished())
