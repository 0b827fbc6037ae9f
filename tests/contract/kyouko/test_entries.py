"""Who may know of a network is told without reading what is in it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from kyouko.domain.networks.network import NetworkEntry
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.storage import migrations
from kyouko.storage.networks import SqlNetworkRepository
from mesh.access import Action, Role
from mesh.database import Database
from mesh.errors import NotFound
from mesh.visibility import Visibility
from tests.contract.kyouko.builders import network
from tests.contract.kyouko.conftest import Repositories
from tests.factories import caller, principal

HIDDEN = replace(network(), owner="users/alice", owner_since=7, visibility=Visibility.PRIVATE)
STRANGERS = {
    "another project's admin": caller(principal("users/mallory", rocks=Role.PROJECT_ADMIN)),
    "a member who may not know of it": caller(principal("users/bob", flowers=Role.MEMBER)),
}
ADMIN = caller(principal("users/root", admin=True))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Return an empty database of kyouko."""
    database = Database(database_url, schema="kyouko")
    await database.migrate(migrations.DIRECTORY)
    yield database
    await database.close()


async def test_an_entry_tells_whose_a_network_is(repositories: Repositories) -> None:
    """The same as the network itself; None where there is none."""
    await repositories.networks.create(HIDDEN)

    entry = await repositories.networks.entry("flowers", "net")

    assert NetworkEntry(HIDDEN.uid, HIDDEN.belonging) == entry
    assert await repositories.networks.entry("flowers", "missing") is None
    assert await repositories.networks.entry("rocks", "net") is None


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_stranger_never_has_the_content_decoded(database: Database, who: str) -> None:
    """What cannot be decoded is as missing to them as what is missing."""
    repository = SqlNetworkRepository(database)
    await repository.create(HIDDEN)
    async with database.session() as session:
        await session.execute(text("UPDATE networks SET structure = '{}', statistics = '[]'"))
    seen = SeenNetworks(repository)
    refusals = []

    for network_id in ("net", "missing"):
        with pytest.raises(NotFound) as found:
            await seen.find(STRANGERS[who], "flowers", network_id)
        with pytest.raises(NotFound) as predicted:
            await seen.find(STRANGERS[who], "flowers", network_id, Action.PREDICT)
        refusals.append([each.value.reason for each in (found, predicted)])
    entry = await seen.check(ADMIN, "flowers", "net")

    assert [["RESOURCE_NOT_FOUND"] * 2] * 2 == refusals
    assert NetworkEntry(HIDDEN.uid, HIDDEN.belonging) == entry
    with pytest.raises(ValueError, match="validation error"):
        await seen.find(ADMIN, "flowers", "net")
