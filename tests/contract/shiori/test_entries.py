"""Who may know of a data set is told without reading what is in it."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from mesh.access import Role
from mesh.database import Database
from mesh.errors import NotFound
from mesh.quota_counts import QuotaCounts
from mesh.quotas import QuotaBook
from mesh.visibility import Visibility
from shiori.domain.dataset import Column, ColumnRole, ColumnType, DatasetEntry, DatasetName
from shiori.domain.datasets import Datasets, ReadRequest
from shiori.domain.leases import TableLeases
from shiori.ports import DatasetRepository
from shiori.storage import migrations
from shiori.storage.repository import SqlDatasets
from tests.contract.shiori.datasets import dataset
from tests.contract.shiori.in_memory import InMemoryTables
from tests.factories import caller, principal

MISSING = DatasetName("flowers", "missing")
STRANGERS = {
    "another project's admin": caller(principal("users/mallory", rocks=Role.PROJECT_ADMIN)),
    "a member who may not know of it": caller(principal("users/bob", flowers=Role.MEMBER)),
}
OWNER = caller(principal("users/root", admin=True))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Return an empty database of shiori."""
    database = Database(database_url, schema="shiori")
    await database.migrate(migrations.DIRECTORY)
    yield database
    await database.close()


async def test_an_entry_tells_whose_a_data_set_is(repository: DatasetRepository) -> None:
    """The same as the data set itself; None where there is none."""
    added = dataset(owner="users/alice", owner_since=7, visibility=Visibility.PRIVATE)
    await repository.add(added)

    entry = await repository.entry(added.name)

    assert DatasetEntry(added.name, added.etag, added.belonging) == entry
    assert await repository.entry(MISSING) is None


async def test_wide_data_sets_come_back_equal(repository: DatasetRepository) -> None:
    """Also where they are decoded beside the loop: alone, in a list, and deleted."""
    columns = tuple(
        Column(f"column {number}", ColumnType.INT64, ColumnRole.INPUT) for number in range(2_000)
    )
    added = dataset(columns=columns)
    await repository.add(added)

    found = await repository.get(added.name)
    deleted = await repository.delete(added.name, etag=added.etag)

    assert [added, added] == [found, deleted]


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_stranger_never_has_the_content_decoded(database: Database, who: str) -> None:
    """What cannot be decoded is as missing to them as what is missing, whatever they ask."""
    hidden = dataset(owner="users/alice", owner_since=7, visibility=Visibility.PRIVATE)
    repository, tables = SqlDatasets(database), InMemoryTables()
    await repository.add(hidden)
    async with database.session() as session:
        await session.execute(text("""UPDATE datasets SET columns = '[{"nothing": 1}]'"""))
    refusals = []

    with ThreadPoolExecutor(1) as executor:
        datasets = Datasets(
            repository,
            tables,
            leases=TableLeases(repository, tables),
            counts=QuotaCounts(QuotaBook()),
            executor=executor,
            max_reads=2,
        )
        for name in (hidden.name, MISSING):
            with pytest.raises(NotFound) as got:
                await datasets.get(STRANGERS[who], name)
            with pytest.raises(NotFound) as updated:
                await datasets.update(STRANGERS[who], name, visibility=Visibility.PUBLIC)
            with pytest.raises(NotFound) as deleted:
                await datasets.delete(STRANGERS[who], name, etag="")
            with pytest.raises(NotFound) as read:
                await anext(datasets.read(STRANGERS[who], ReadRequest(name)))
            refusals.append([each.value.reason for each in (got, updated, deleted, read)])
        with pytest.raises(KeyError):
            await datasets.get(OWNER, hidden.name)

    assert [["RESOURCE_NOT_FOUND"] * 4] * 2 == refusals
