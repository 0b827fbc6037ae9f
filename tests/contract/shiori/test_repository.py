"""What every repository of data sets does."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.errors import Aborted, AlreadyExists
from mesh.visibility import EVERYTHING
from shiori.domain.dataset import DatasetName
from shiori.ports import DatasetRepository, StoredBytes
from tests.contract.shiori.datasets import dataset
from tests.factories import NOON


async def test_added_data_set_comes_back_equal(repository: DatasetRepository) -> None:
    """Every field survives, to the microsecond."""
    added = dataset(create_time=NOON + timedelta(microseconds=123456), size_bytes=2**40)

    await repository.add(added)

    assert added == await repository.get(added.name)


async def test_missing_data_set_is_none(repository: DatasetRepository) -> None:
    """A name that nobody has taken finds nothing."""
    await repository.add(dataset())

    found = await repository.get(DatasetName("flowers", "other"))

    assert found is None


async def test_name_is_taken_once(repository: DatasetRepository) -> None:
    """A second data set of the same name is refused, and the first stays."""
    first = dataset()
    await repository.add(first)

    with pytest.raises(AlreadyExists) as caught:
        await repository.add(dataset(sha256="b" * 64))

    assert {"resource": "projects/flowers/datasets/iris"} == caught.value.metadata
    assert first == await repository.get(first.name)


async def test_one_of_two_racing_adds_wins(repository: DatasetRepository) -> None:
    """Of two data sets of one name that come together one is refused."""
    outcomes = await asyncio.gather(
        repository.add(dataset(creator="users/a")),
        repository.add(dataset(creator="users/b")),
        return_exceptions=True,
    )

    assert [AlreadyExists, type(None)] == sorted(map(type, outcomes), key=lambda t: t.__name__)


async def test_list_goes_by_id_within_one_project(repository: DatasetRepository) -> None:
    """Ids come in byte order, after the given one, and of one project only."""
    for dataset_id in ("b", "a-b", "a0", "ab", "c"):
        await repository.add(dataset(dataset_id=dataset_id))
    await repository.add(dataset(project_id="others", dataset_id="b"))

    found = await repository.list("flowers", sight=EVERYTHING, after="a-b", limit=3)

    assert ["a0", "ab", "b"] == [item.name.dataset_id for item in found]


async def test_delete_returns_what_it_removed(repository: DatasetRepository) -> None:
    """A deleted data set is gone, and deleting it again finds nothing."""
    added = dataset()
    await repository.add(added)

    deleted = await repository.delete(added.name, etag=added.etag)

    assert added == deleted
    assert await repository.get(added.name) is None
    assert await repository.delete(added.name, etag="") is None


async def test_stale_etag_deletes_nothing(repository: DatasetRepository) -> None:
    """The etag of an earlier data set of the same name does not delete the later one."""
    earlier = dataset()
    later = replace(earlier, create_time=NOON + timedelta(seconds=1))
    await repository.add(later)

    with pytest.raises(Aborted) as caught:
        await repository.delete(later.name, etag=earlier.etag)

    assert "ETAG_MISMATCH" == caught.value.reason
    assert later == await repository.get(later.name)


async def test_table_is_referred_to_until_the_last_data_set_goes(
    repository: DatasetRepository,
) -> None:
    """Two data sets may share a table, in different projects too."""
    one, other = dataset(), dataset(project_id="others")
    await repository.add(one)
    await repository.add(other)

    await repository.delete(one.name, etag="")
    after_one = await repository.refers_to(one.sha256)
    await repository.delete(other.name, etag="")
    after_both = await repository.refers_to(one.sha256)

    assert (True, False) == (after_one, after_both)


async def test_sizes_are_summed_by_project_and_owner(repository: DatasetRepository) -> None:
    """What is deleted counts no more, and large numbers stay exact."""
    alice, bob = "users/alice", "users/bob"
    for project_id, dataset_id, owner in (
        ("flowers", "a", alice),
        ("flowers", "b", alice),
        ("flowers", "c", bob),
        ("trees", "a", alice),
    ):
        await repository.add(dataset(project_id, dataset_id, owner=owner, size_bytes=2**52 + 1))
    await repository.delete(DatasetName("flowers", "c"), etag="")

    sizes = await repository.sizes()

    expected = [
        StoredBytes("flowers", alice, 2**53 + 2),
        StoredBytes("trees", alice, 2**52 + 1),
    ]
    assert expected == list(sizes)
