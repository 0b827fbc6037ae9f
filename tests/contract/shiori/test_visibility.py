"""Stores list what somebody may know of, and nothing else."""

from dataclasses import replace
from itertools import product

import pytest

from mesh.visibility import EVERYTHING, Sight, Visibility, microseconds
from shiori.ports import DatasetRepository
from tests.contract.shiori.datasets import dataset
from tests.factories import NOON

SINCE = microseconds(NOON) - 7
OWNERS = {"alice": ("users/alice", SINCE), "old": ("users/alice", 0), "nobody": ("", 0)}
SIGHTS = {
    "everything": EVERYTHING,
    "public": Sight(frozenset({Visibility.PUBLIC}), is_inside=False),
    "alice": Sight(frozenset({Visibility.SHARED, Visibility.PUBLIC}), "users/alice", SINCE),
    "younger alice": Sight(frozenset({Visibility.SHARED}), "users/alice", microseconds(NOON) + 1),
}


@pytest.mark.parametrize("name", SIGHTS)
async def test_lists_hold_what_the_sight_shows(repository: DatasetRepository, name: str) -> None:
    """In the query as in the domain, so that pages are full and page tokens tell nothing."""
    sight = SIGHTS[name]
    for visibility, (label, (owner, since)) in product(Visibility, OWNERS.items()):
        made = dataset(dataset_id=f"{visibility.lower()}-{label}", visibility=visibility)
        await repository.add(replace(made, owner=owner, owner_since=since))
    every = await repository.list("flowers", sight=EVERYTHING, after="", limit=99)
    shown = [each for each in every if sight.shows(each.belonging)]

    listed = await repository.list("flowers", sight=sight, after="", limit=99)
    first = await repository.list("flowers", sight=sight, after="", limit=1)

    assert shown == list(listed)
    assert shown[:1] == list(first)
    assert 9 == len(every)
    assert {"everything": 9, "public": 3, "alice": 8, "younger alice": 3}[name] == len(shown)


async def test_visibility_is_changed_for_this_data_set_only(repository: DatasetRepository) -> None:
    """Not for a later one of the same name, which has another etag."""
    before = dataset(owner="users/alice", owner_since=SINCE)
    await repository.add(before)

    found = await repository.set_visibility(before.name, Visibility.PUBLIC, etag=before.etag)
    later = await repository.set_visibility(before.name, Visibility.PRIVATE, etag="another")

    assert (True, False) == (found, later)
    assert replace(before, visibility=Visibility.PUBLIC) == await repository.get(before.name)
    assert {"flowers"} == await repository.projects()
