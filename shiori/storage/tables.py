"""Tables as blobs, named by the SHA-256 of their bytes."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from mesh.blobs import BlobStore
from mesh.clients import unavailable
from mesh.encryption.keys import EncryptionError
from mesh.errors import Unavailable
from shiori.domain.dataset import Column, RowRange
from shiori.domain.room import is_full
from shiori.domain.rows import RowBatch
from shiori.formats.parquet import ParquetTable

_PREFIX = "tables"
_log = structlog.get_logger(__name__)


class BlobTables:
    """Keeps tables in a blob store. See `shiori.ports.TableStore`."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def put(self, sha256: str, table: Path) -> None:
        """Store a table, whole or not at all."""
        with _store_errors():
            await self._blobs.put(_name(sha256), table)

    def open(self, sha256: str) -> "BlobTable":
        """Open a table."""
        with _store_errors():
            return BlobTable(ParquetTable(self._blobs.open(_name(sha256))))

    async def delete(self, sha256: str) -> None:
        """Remove a table."""
        with _store_errors():
            await self._blobs.delete(_name(sha256))

    async def names(self) -> AsyncIterator[str]:
        """Yield the names of all tables."""
        async for name in self._blobs.names(_PREFIX):
            yield name.removeprefix(f"{_PREFIX}/").removesuffix(".parquet")


class BlobTable:
    """An open table. See `shiori.ports.TableReader`."""

    def __init__(self, table: ParquetTable) -> None:
        self._table = table

    def batches(
        self, columns: Sequence[Column], rows: RowRange, *, matrix_columns: int = 0
    ) -> Iterator[RowBatch]:
        """Read rows in order, in batches of bounded size."""
        with _store_errors():
            yield from self._table.batches(columns, rows, matrix_columns=matrix_columns)


@contextmanager
def _store_errors() -> Iterator[None]:
    """Tell callers to come again when the store is away; full disks and gaps are no such thing."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) or is_full(error):
            raise
        if isinstance(error, EncryptionError):
            _log.error("a table cannot be decrypted", problem=str(error))
            raise _unreadable() from error
        _log.error("the blob store does not answer", error=repr(error))
        raise unavailable("the blob store") from error


def _unreadable() -> Unavailable:
    return Unavailable(
        "the table of this data set cannot be decrypted; those who run the mesh find out more "
        "in the log of shiori",
        reason="DEPENDENCY_UNAVAILABLE",
        metadata={"dependency": "the blob store"},
    )


def _name(sha256: str) -> str:
    return f"{_PREFIX}/{sha256}.parquet"
