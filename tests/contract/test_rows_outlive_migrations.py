"""Every service's database of every former revision, full of rows, comes to the newest one."""

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
)

from mesh.database import Database, alembic_config
from tests import factories

SERVICES = ("kyouko", "misaki", "shiori")
ROWS = range(1, 4)
_ONE_OF = re.compile(r"(?<!\w)\"?(\w+)\"?(?:::text)? (?:IN \(|= ANY \(.*?ARRAY\[)'([^']*)'")
Rows = dict[str, list[dict[str, Any]]]


def _directory(service: str) -> Path:
    found: Path = importlib.import_module(f"{service}.storage.migrations").DIRECTORY
    return found


def _former_revisions() -> Iterator[Any]:
    """Yield every service with each of its revisions but the newest."""
    for service in SERVICES:
        scripts = ScriptDirectory.from_config(alembic_config(_directory(service)))
        for script in list(scripts.walk_revisions())[1:]:
            yield pytest.param(service, script.revision, id=f"{service}-{script.revision}")


@pytest.mark.parametrize(("service", "revision"), list(_former_revisions()))
async def test_rows_of_a_former_revision_live_on(
    database_url: str, service: str, revision: str
) -> None:
    """No row is lost on the way, and what a column holds stays as it was."""
    database = Database(database_url, schema=service)
    async with database.engine.begin() as connection:
        before = await connection.run_sync(_filled, service, revision)

    await database.migrate(_directory(service))

    async with database.engine.begin() as connection:
        after = await connection.run_sync(_rows, service)
    await database.close()
    assert sum(map(len, before.values())) > 0
    for name, rows in before.items():
        kept = [column for column in rows[0] if column in after[name][0]]
        assert _only(rows, kept) == _only(after[name], kept), name


def _filled(connection: Connection, service: str, revision: str) -> Rows:
    """Make the tables of a revision, and put rows into all of them."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{service}"'))
    command.upgrade(alembic_config(_directory(service), connection), revision)
    for table in _tables(connection, service).sorted_tables:
        choices = _choices(connection, table)
        for number in ROWS:
            connection.execute(insert(table).values(_row(table, choices, number)))
    return _rows(connection, service)


def _tables(connection: Connection, service: str) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name != "alembic_version")
    return metadata


def _choices(connection: Connection, table: Table) -> Mapping[str, str]:
    """Return a value for each column of which the database takes some only."""
    checks = inspect(connection).get_check_constraints(table.name)
    return {found[1]: found[2] for check in checks for found in _ONE_OF.finditer(check["sqltext"])}


def _row(table: Table, choices: Mapping[str, str], number: int) -> dict[str, Any]:
    return {
        column.name: choices.get(column.name, _value(column, number)) for column in table.columns
    }


def _value(column: Column[Any], number: int) -> Any:
    for key in column.foreign_keys:
        return _value(key.column, number)
    kind = column.type
    if isinstance(kind, Boolean):
        return number % 2 == 0
    if isinstance(kind, (Integer, BigInteger, Float)):
        return number
    if isinstance(kind, DateTime):
        return factories.NOON + timedelta(minutes=number)
    if isinstance(kind, JSON):
        return {"number": number}
    if isinstance(kind, LargeBinary):
        return b"%d" % number
    if isinstance(kind, Text) and kind.length is None:
        return f"text {number}"
    length = min(getattr(kind, "length", None) or 64, 64)
    return f"{number}{column.name}".ljust(length, "x")[:length]


def _rows(connection: Connection, service: str) -> Rows:
    """Return what all tables hold."""
    return {
        table.name: [
            dict(row)
            for row in connection.execute(
                select(table).order_by(*table.primary_key.columns)
            ).mappings()
        ]
        for table in _tables(connection, service).sorted_tables
    }


def _only(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    return [{column: row[column] for column in columns} for row in rows]
