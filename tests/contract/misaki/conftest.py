"""Every implementation of misaki's directory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mesh.database import Database
from misaki.ports import Directory
from misaki.storage import migrations
from misaki.storage.repository import SqlDirectory
from tests.contract.misaki.in_memory import InMemoryDirectory


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    """Return an empty directory of each kind."""
    if request.param == "memory":
        yield InMemoryDirectory()
        return
    url = f"sqlite+aiosqlite:///{tmp_path / 'misaki.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    database = Database(url, schema="misaki")
    await database.migrate(migrations.DIRECTORY)
    yield SqlDirectory(database)
    await database.close()
