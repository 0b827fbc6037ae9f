"""Connections to SQLite that end, whenever their work is cut off.

A query that is cancelled makes SQLAlchemy close its connection in a task of its own, and stop the
connection's thread at once when that is cancelled as well. aiosqlite 0.22 then waits in `close`
for a second stop, which nobody is left to answer; and a thread that answers after its event loop
has been closed dies of it. What the query had locked stays locked, after `close` too, for as long
as anybody holds its cursor, as the traceback of the cancellation does.
"""

import asyncio
import sqlite3
import weakref
from collections.abc import Mapping
from typing import Any, Final

import aiosqlite
import structlog

_log = structlog.get_logger(__name__)
_LONGEST_FAREWELL: Final = 5.0
_CHUNK_ROWS: Final = 64


class SqliteConnections:
    """Makes the connections of one engine, and knows which of their threads still run."""

    def __init__(self) -> None:
        self._made: weakref.WeakSet[_Connection] = weakref.WeakSet()

    def connect(self, database: str, **options: Any) -> aiosqlite.Connection:
        """Return a connection that opens when it is awaited."""
        connection = _Connection(lambda: _open(database, options), _CHUNK_ROWS)
        connection.thread.daemon = True  # As SQLAlchemy does with the connections it makes.
        self._made.add(connection)
        return connection

    async def ended(self) -> None:
        """Wait until the threads have given their last answer; the engine is closed before."""
        end = asyncio.get_running_loop().time() + _LONGEST_FAREWELL
        while running := sum(made.thread.is_alive() for made in self._made):
            if asyncio.get_running_loop().time() > end:
                _log.warning("connections are still in use", count=running)
                return
            await asyncio.sleep(0.005)


def _open(database: str, options: Mapping[str, Any]) -> sqlite3.Connection:
    return sqlite3.connect(database, factory=_UnlockingConnection, **options)


class _UnlockingConnection(sqlite3.Connection):
    """A connection that gives its locks back when it is closed, whatever cursors it has."""

    _is_open = True

    def close(self) -> None:
        """Undo what is not committed, and close; the second time there is nothing to do."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            if self.in_transaction:
                self.rollback()
        finally:
            super().close()


class _Connection(aiosqlite.Connection):
    """A connection whose `close` ends although its thread was stopped before."""

    _is_stopped = False

    @property
    def thread(self) -> Any:
        """The thread that does the work."""
        return self._thread

    def stop(self) -> asyncio.Future[None] | None:
        """Stop the thread; there is nothing to wait for the second time."""
        if self._is_stopped:
            return None
        self._is_stopped = True
        return super().stop()
