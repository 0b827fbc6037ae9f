"""Every implementation of kyouko's ports."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kyouko.ports import NetworkRepository, SnapshotStore, TaskRepository
from kyouko.storage import migrations
from kyouko.storage.networks import SqlNetworkRepository
from kyouko.storage.snapshots import BlobSnapshotStore
from kyouko.storage.tasks import SqlTaskRepository
from mesh.blobs import BlobStore
from mesh.database import Database
from tests.contract.kyouko.in_memory import (
    MemoryNetworkRepository,
    MemorySnapshotStore,
    MemoryTaskRepository,
)
from tests.contract.kyouko.journal_homes import EncryptedHome, FileHome, JournalHome, StreamHome


@dataclass(frozen=True)
class Repositories:
    """Networks and their tasks, in the same store."""

    networks: NetworkRepository
    tasks: TaskRepository


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def repositories(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Repositories]:
    """Return empty repositories of each kind."""
    if request.param == "memory":
        tasks = MemoryTaskRepository()
        yield Repositories(MemoryNetworkRepository(tasks), tasks)
        return
    url = f"sqlite+aiosqlite:///{tmp_path / 'kyouko.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    database = Database(url, schema="kyouko")
    await database.migrate(migrations.DIRECTORY)
    yield Repositories(SqlNetworkRepository(database), SqlTaskRepository(database))
    await database.close()


@pytest.fixture(params=["memory", "folder"])
def snapshots(request: pytest.FixtureRequest, tmp_path: Path) -> SnapshotStore:
    """Return an empty snapshot store of each kind."""
    if request.param == "memory":
        return MemorySnapshotStore()
    return BlobSnapshotStore(BlobStore.in_folder(tmp_path / "snapshots"))


@pytest.fixture(params=["files", "jetstream", "encrypted files"])
def journal_home(request: pytest.FixtureRequest, tmp_path: Path) -> JournalHome:
    """Return an empty place of each kind for journals."""
    if request.param == "files":
        return FileHome(tmp_path / "journals")
    if request.param == "encrypted files":
        return EncryptedHome(FileHome(tmp_path / "journals"))
    return StreamHome(request.getfixturevalue("nats_server"), f"journal-{uuid.uuid4().hex}")
