"""The database of a service: engine, sessions, column types, migrations.

Each service has its own tables in its own schema (a file of its own on SQLite)
and its own migration history. No service reads another's tables.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, DateTime, Dialect, MetaData, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.types import TypeDecorator

from mesh.errors import Unavailable
from mesh.sqlite_connections import SqliteConnections

_log = structlog.get_logger(__name__)

_NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> MetaData:
    """Return empty metadata in which every constraint gets a predictable name."""
    return MetaData(naming_convention=_NAMING)


class UtcTimestamp(TypeDecorator[datetime]):
    """A moment in UTC; refuses datetimes without a time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC on the way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Mark as UTC on the way out; SQLite forgets time zones."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Database:
    """An engine and the sessions on it. Close it with `close`."""

    def __init__(self, url: str, *, schema: str) -> None:
        self.schema = schema
        self.url = url
        self._sqlite = SqliteConnections()
        self._engine = _create_engine(url, schema, self._sqlite)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for tests and migrations."""
        return self._engine

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a session in one transaction: committed at the end, rolled back on error.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: the database does not answer.
        """
        async with self._sessions() as session, session.begin():
            await self._connect(session)
            try:
                yield session
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise _unavailable(error) from error
                raise

    async def _connect(self, session: AsyncSession) -> None:
        try:
            await session.connection()
        except Exception as error:  # Each driver has its own ways of not connecting.
            raise _unavailable(error) from error

    async def check(self) -> None:
        """Raise an error when the database does not answer."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def migrate(self, directory: Path) -> None:
        """Bring the schema to the newest revision.

        Args:
            directory: The service's Alembic script directory.
        """
        async with self._engine.begin() as connection:
            await connection.run_sync(_upgrade, directory, self.schema)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()
        await self._sqlite.ended()


def _unavailable(error: Exception) -> Unavailable:
    _log.warning("database lost", error=repr(error))
    return Unavailable(
        "the database does not answer at the moment; try again",
        reason="DEPENDENCY_UNAVAILABLE",
        metadata={"dependency": "database"},
    )


def alembic_config(directory: Path, connection: Connection | None = None) -> Config:
    """Return the Alembic configuration of a script directory, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, directory: Path, schema: str) -> None:
    if connection.dialect.name == "postgresql":
        # Two instances that start at once must neither make the schema nor migrate at once.
        lock = text("SELECT pg_advisory_xact_lock(hashtext(:schema))")
        connection.execute(lock, {"schema": schema})
        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text("SET LOCAL statement_timeout = '120s'"))
    command.upgrade(alembic_config(directory, connection), "head")


def _create_engine(url: str, schema: str, sqlite: SqliteConnections) -> AsyncEngine:
    if url.startswith("sqlite"):
        path = url.partition(":///")[2]
        if path and path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            url, hide_parameters=True, connect_args={"async_creator_fn": sqlite.connect}
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        return engine
    return create_async_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"server_settings": {"search_path": f'"{schema}"'}},
    )


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=10000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
