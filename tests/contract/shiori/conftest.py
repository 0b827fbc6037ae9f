"""Every implementation of shiori's ports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mesh.blobs import BlobStore
from mesh.database import Database
from shiori.ports import DatasetRepository, TableStore
from shiori.storage import migrations
from shiori.storage.repository import SqlDatasets
from shiori.storage.tables import BlobTables
from tests.contract.shiori.in_memory import InMemoryDatasets, InMemoryTables


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def repository(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[DatasetRepository]:
    """Return an empty repository of each kind."""
    if request.param == "memory":
        yield InMemoryDatasets()
        return
    url = f"sqlite+aiosqlite:///{tmp_path / 'shiori.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    database = Database(url, schema="shiori")
    await database.migrate(migrations.DIRECTORY)
    yield SqlDatasets(database)
    await database.close()


@pytest.fixture(params=["memory", "folder"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    """Return an empty store of tables of each kind."""
    if request.param == "memory":
        return InMemoryTables()
    return BlobTables(BlobStore.in_folder(tmp_path / "blobs"))
