"""Who uses a stored table right now, so that nothing is removed under their hands."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shiori.ports import DatasetRepository, TableStore


class TableLeases:
    """Removes tables that no data set refers to, as soon as nobody uses them.

    Equal uploads share one table, so neither a delete nor a failed upload may
    remove it while a data set has it, a reader reads it or another upload is
    about to refer to it. One process owns the store; it is locked by `app.py`.
    """

    def __init__(self, repository: DatasetRepository, tables: TableStore) -> None:
        self._repository = repository
        self._tables = tables
        self._held: Counter[str] = Counter()
        self._doomed: set[str] = set()
        self._removing = asyncio.Lock()

    @asynccontextmanager
    async def held(self, sha256: str) -> AsyncIterator[None]:
        """Keep a table from being removed while the context is open."""
        async with self._removing:
            self._held[sha256] += 1
        try:
            yield
        finally:
            self._held[sha256] -= 1
            if not self._held[sha256]:
                del self._held[sha256]
            if sha256 in self._doomed:
                await self.remove_unused(sha256)

    def doom(self, sha256: str) -> None:
        """Have a held table looked at again when it is no longer held."""
        self._doomed.add(sha256)

    async def remove_unused(self, sha256: str) -> None:
        """Remove a table unless a data set refers to it; later, while it is held."""
        async with self._removing:
            if self._held[sha256]:
                self._doomed.add(sha256)
                return
            self._doomed.discard(sha256)
            if not await self._repository.refers_to(sha256):
                await self._tables.delete(sha256)

    async def remove_all_unused(self) -> int:
        """Remove what a killed process has left behind.

        Returns:
            The number of tables removed.
        """
        removed = 0
        for sha256 in [name async for name in self._tables.names()]:
            if not await self._repository.refers_to(sha256):
                await self.remove_unused(sha256)
                removed += 1
        return removed
