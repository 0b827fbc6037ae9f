"""Tables as blobs, named by the SHA-256 of their bytes."""

from collections.abc import AsyncIterator
from pathlib import Path

from mesh.blobs import BlobStore
from shiori.formats.parquet import ParquetTable

_PREFIX = "tables"
_MARK = "store"


class BlobTables:
    """Keeps tables in a blob store. See `shiori.ports.TableStore`."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def prepare(self) -> None:
        """Mark the store, so that `check` can tell whether it is still there."""
        await self._blobs.put(_MARK, b"shiori keeps tables here\n")

    async def check(self) -> None:
        """Raise an error when the store does not answer."""
        await self._blobs.size(_MARK)

    async def put(self, sha256: str, table: Path) -> None:
        """Store a table, whole or not at all."""
        await self._blobs.put(_name(sha256), table)

    def open(self, sha256: str) -> ParquetTable:
        """Open a table."""
        return ParquetTable(self._blobs.open(_name(sha256)))

    async def delete(self, sha256: str) -> None:
        """Remove a table."""
        await self._blobs.delete(_name(sha256))

    async def names(self) -> AsyncIterator[str]:
        """Yield the names of all tables."""
        async for name in self._blobs.names(_PREFIX):
            yield name.removeprefix(f"{_PREFIX}/").removesuffix(".parquet")


def _name(sha256: str) -> str:
    return f"{_PREFIX}/{sha256}.parquet"
