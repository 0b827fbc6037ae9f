"""What goes into the log, and what does not."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text

from mesh.database import Database
from mesh.logs import set_up_logs


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in root.manager.loggerDict:
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


async def test_debugging_shows_no_values_of_statements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At DEBUG the drivers of databases do not log what they store, such as password hashes."""
    set_up_logs("garden", "DEBUG")
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'garden.db'}", schema="mesh")

    async with database.session() as session:
        await session.execute(text("SELECT :hash"), {"hash": "argon2-of-a-password"})
    await database.close()
    logging.getLogger("mesh.garden").debug("it grows")

    written = capsys.readouterr().err
    assert "it grows" in written
    assert "argon2-of-a-password" not in written


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
@pytest.mark.parametrize(
    "name", ["aiosqlite", "asyncpg", "sqlalchemy.engine", "alembic", "grpc", "websockets.server"]
)
def test_libraries_tell_warnings_only(level: str, name: str) -> None:
    """Whatever our own level, libraries say what is wrong and nothing else."""
    set_up_logs("garden", level)

    assert logging.WARNING == logging.getLogger(name).getEffectiveLevel()


def test_libraries_are_not_louder_than_the_level() -> None:
    """At ERROR, libraries do not warn either."""
    set_up_logs("garden", "ERROR")

    assert logging.ERROR == logging.getLogger("grpc").getEffectiveLevel()
