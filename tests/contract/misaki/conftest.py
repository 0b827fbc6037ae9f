"""Every implementation of misaki's stores."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mesh.database import Database
from mesh.revocations import Revocation
from misaki.ports import (
    AccessStore,
    AttemptStore,
    CredentialStore,
    Directory,
    IdentityStore,
    QuotaStore,
    SessionStore,
)
from misaki.storage import migrations
from misaki.storage.access import SqlAccessStore
from misaki.storage.attempts import SqlAttemptStore
from misaki.storage.credentials import SqlCredentialStore
from misaki.storage.identities import SqlIdentityStore
from misaki.storage.quotas import SqlQuotaStore
from misaki.storage.repository import SqlDirectory
from misaki.storage.sessions import SqlSessionStore
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.contract.misaki.in_memory_logins import InMemoryAttemptStore


@dataclass(frozen=True)
class Stores:
    """The stores on one database."""

    directory: Directory
    access: AccessStore
    announced: list[Revocation]
    sessions: SessionStore
    attempts: AttemptStore
    credentials: CredentialStore
    identities: IdentityStore
    quotas: QuotaStore


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    """Return empty stores of each kind."""
    if request.param == "memory":
        directory = InMemoryDirectory()
        yield Stores(
            directory,
            directory.access,
            directory.access.recorded,
            directory.sessions,
            InMemoryAttemptStore(),
            directory.credentials,
            directory.identities,
            directory.quotas,
        )
        return
    url = f"sqlite+aiosqlite:///{tmp_path / 'misaki.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    database = Database(url, schema="misaki")
    await database.migrate(migrations.DIRECTORY)
    announced: list[Revocation] = []
    access = SqlAccessStore(database, recorded=announced.extend)
    yield Stores(
        SqlDirectory(database, access.revoking),
        access,
        announced,
        SqlSessionStore(database, access.revoking),
        SqlAttemptStore(database),
        SqlCredentialStore(database, access.revoking),
        SqlIdentityStore(database),
        SqlQuotaStore(database),
    )
    await database.close()


@pytest.fixture
def directory(stores: Stores) -> Directory:
    """Return an empty directory of each kind."""
    return stores.directory


@pytest.fixture
def access(stores: Stores) -> AccessStore:
    """Return an empty store of revocations and policies of each kind."""
    return stores.access


@pytest.fixture
def sessions(stores: Stores) -> SessionStore:
    """Return an empty store of logins of each kind."""
    return stores.sessions


@pytest.fixture
def attempts(stores: Stores) -> AttemptStore:
    """Return an empty store of counts of each kind."""
    return stores.attempts


@pytest.fixture
def credentials(stores: Stores) -> CredentialStore:
    """Return an empty store of API keys and clients of each kind."""
    return stores.credentials


@pytest.fixture
def identities(stores: Stores) -> IdentityStore:
    """Return an empty store of accounts of each kind."""
    return stores.identities


@pytest.fixture
def quotas(stores: Stores) -> QuotaStore:
    """Return an empty store of limits of each kind."""
    return stores.quotas
