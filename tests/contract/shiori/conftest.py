"""Every implementation of shiori's ports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mesh.blobs import BlobStore
from mesh.database import Database
from mesh.encryption.keys import Encryption, KeyEncryptionKey, KeyRing
from shiori.ports import AuditRepository, DatasetRepository, ErrorRepository, TableStore
from shiori.storage import migrations
from shiori.storage.logs import SqlAuditEntries, SqlErrorRecords
from shiori.storage.repository import SqlDatasets
from shiori.storage.tables import BlobTables
from tests.contract.shiori.in_memory import InMemoryDatasets, InMemoryTables
from tests.contract.shiori.in_memory_logs import InMemoryAuditEntries, InMemoryErrorRecords


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def repository(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[DatasetRepository]:
    """Return an empty repository of each kind."""
    if request.param == "memory":
        yield InMemoryDatasets()
        return
    async with _database(request, tmp_path) as database:
        yield SqlDatasets(database)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def audit_entries(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AuditRepository]:
    """Return an empty repository of audit entries of each kind."""
    if request.param == "memory":
        yield InMemoryAuditEntries()
        return
    async with _database(request, tmp_path) as database:
        yield SqlAuditEntries(database)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def error_records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ErrorRepository]:
    """Return an empty repository of error records of each kind."""
    if request.param == "memory":
        yield InMemoryErrorRecords()
        return
    async with _database(request, tmp_path) as database:
        yield SqlErrorRecords(database)


@asynccontextmanager
async def _database(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{folder / 'shiori.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    database = Database(url, schema="shiori")
    await database.migrate(migrations.DIRECTORY)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture(params=["memory", "folder", "encrypted"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    """Return an empty store of tables of each kind."""
    if request.param == "memory":
        return InMemoryTables()
    keys = KeyRing([KeyEncryptionKey(bytes(32))]) if request.param == "encrypted" else None
    return BlobTables(BlobStore.in_folder(tmp_path / "blobs", encryption=Encryption(keys)))
