"""A database with the tables of the chassis, of each kind that we support."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, text

from mesh.database import Database, UtcTimestamp, new_metadata
from mesh.idempotency import idempotency_table
from tests import factories


@dataclass(frozen=True)
class Tables:
    """The tables of these tests."""

    metadata: MetaData
    idempotency_keys: Table
    moments: Table


class SettableClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now: datetime = factories.NOON

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
def tables() -> Tables:
    """Return table definitions of this test's own."""
    metadata = new_metadata()
    moments = Table(
        "moments",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("moment", UtcTimestamp, nullable=True),
        Column("note", String(20), nullable=True),
    )
    return Tables(metadata, idempotency_table(metadata), moments)


@pytest.fixture
def clock() -> SettableClock:
    """Return a clock at noon."""
    return SettableClock()


@pytest.fixture
async def database(database_url: str, tables: Tables) -> AsyncIterator[Database]:
    """Return an open database with empty tables."""
    database = Database(database_url, schema="mesh")
    async with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("CREATE SCHEMA mesh"))
        await connection.run_sync(tables.metadata.create_all)
    yield database
    await database.close()
