"""Stores list what somebody may know of, and nothing else."""

from dataclasses import replace
from itertools import product

import pytest

from mesh.visibility import EVERYTHING, Sight, Visibility, microseconds
from tests.contract.kyouko.builders import NOON, network, task
from tests.contract.kyouko.conftest import Repositories

SINCE = microseconds(NOON) - 7
OWNERS = {
    "alice": ("users/alice", SINCE),
    "old": ("users/alice", 0),
    "later": ("users/alice", SINCE + 1),
    "bob": ("users/bob", SINCE),
    "nobody": ("", 0),
}
SIGHTS = {
    "everything": EVERYTHING,
    "public": Sight(frozenset({Visibility.PUBLIC}), is_inside=False),
    "alice": Sight(frozenset({Visibility.SHARED, Visibility.PUBLIC}), "users/alice", SINCE),
    "younger alice": Sight(frozenset({Visibility.SHARED}), "users/alice", microseconds(NOON) + 1),
    "without a time": Sight(frozenset({Visibility.SHARED}), "users/alice", 0),
}


async def fill(repositories: Repositories) -> None:
    """Store a network of every visibility for every owner, each with a task."""
    for visibility, (label, (owner, since)) in product(Visibility, OWNERS.items()):
        made = replace(
            network(f"{visibility.lower()}-{label}"),
            owner=owner,
            owner_since=since,
            visibility=visibility,
        )
        await repositories.networks.create(made)
        await repositories.tasks.create(task(of=made))


@pytest.mark.parametrize("name", SIGHTS)
async def test_lists_hold_what_the_sight_shows(repositories: Repositories, name: str) -> None:
    """In the query as in the domain, so that pages are full and page tokens tell nothing."""
    await fill(repositories)
    every = await repositories.networks.list("flowers", sight=EVERYTHING, after="", limit=99)
    shown = [each.network_id for each in every if SIGHTS[name].shows(each.belonging)]

    listed = await repositories.networks.list("flowers", sight=SIGHTS[name], after="", limit=99)
    pages = [
        await repositories.networks.list("flowers", sight=SIGHTS[name], after=after, limit=1)
        for after in ["", *shown]
    ]
    tasks = await repositories.tasks.list("flowers", None, sight=SIGHTS[name], after=0, limit=99)

    assert shown == [each.network_id for each in listed]
    assert [*([one] for one in shown), []] == [[each.network_id for each in p] for p in pages]
    assert sorted(shown) == sorted(each.network_id for each in tasks)
    assert shown


async def test_sights_differ(repositories: Repositories) -> None:
    """Everything is more than one's own and the shared, and that more than what is public."""
    await fill(repositories)

    counts = {
        name: len(await repositories.networks.list("flowers", sight=sight, after="", limit=99))
        for name, sight in SIGHTS.items()
    }

    assert {
        "everything": 15,
        "public": 5,
        "alice": 12,
        "younger alice": 5,
        "without a time": 5,
    } == counts


async def test_visibility_is_changed_and_owners_come_back(repositories: Repositories) -> None:
    """Nothing else of the network changes; one that is gone is told."""
    before = replace(network(), owner="users/alice", owner_since=SINCE)
    await repositories.networks.create(before)

    found = await repositories.networks.set_visibility(before.uid, Visibility.PRIVATE)
    missing = await repositories.networks.set_visibility("another", Visibility.PRIVATE)

    stored = await repositories.networks.get("flowers", "net")
    assert (True, False) == (found, missing)
    assert replace(before, visibility=Visibility.PRIVATE) == stored


async def test_projects_are_those_with_networks(repositories: Repositories) -> None:
    """Each once."""
    for project_id, network_id in (("flowers", "a1"), ("flowers", "a2"), ("rocks", "a3")):
        await repositories.networks.create(network(network_id, project_id=project_id))

    projects = await repositories.networks.projects()

    assert {"flowers", "rocks"} == projects
