"""What every store of tables does."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import structlog.testing

from mesh.blobs import BlobStore
from mesh.encryption.keys import Encryption, KeyEncryptionKey, KeyRing
from mesh.errors import Unavailable
from shiori.domain.dataset import Column, ColumnRole, ColumnType, RowRange
from shiori.formats.parquet import TableWriter
from shiori.ports import TableStore
from shiori.storage.tables import BlobTables

COLUMNS = (Column("n", ColumnType.INT64, ColumnRole.INPUT),)
SHA256 = "c" * 64


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a Parquet file of ten rows."""
    path = tmp_path / "source.parquet"
    with TableWriter(path, COLUMNS) as writer:
        writer.write([pa.array(range(10), pa.int64())])
    return path


async def test_stored_table_is_read_in_ranges(tables: TableStore, table: Path) -> None:
    """A range of rows comes back with its row numbers."""
    await tables.put(SHA256, table)

    (batch,) = tables.open(SHA256).batches(COLUMNS, RowRange(3, 4))

    assert (3, 4) == (batch.start_row, batch.row_count)
    assert np.array_equal([[3], [4], [5], [6]], batch.columns[0].values)


async def test_tables_are_listed_by_their_checksums(tables: TableStore, table: Path) -> None:
    """The names are those given at the put."""
    await tables.put(SHA256, table)
    await tables.put("d" * 64, table)

    names = sorted([name async for name in tables.names()])

    assert [SHA256, "d" * 64] == names


async def test_deleted_table_is_gone(tables: TableStore, table: Path) -> None:
    """A deleted table cannot be opened; deleting it again is no error."""
    await tables.put(SHA256, table)

    await tables.delete(SHA256)
    await tables.delete(SHA256)

    with pytest.raises(FileNotFoundError):
        tables.open(SHA256)


async def test_changed_table_gives_no_rows(table: Path, tmp_path: Path) -> None:
    """A changed chunk is told to the client in words, and by the table's name in the log."""
    keys = Encryption(KeyRing([KeyEncryptionKey(bytes(32))]))
    tables = BlobTables(BlobStore.in_folder(tmp_path / "blobs", service="shiori", encryption=keys))
    await tables.put(SHA256, table)
    (file,) = (tmp_path / "blobs").rglob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    with structlog.testing.capture_logs() as logged, pytest.raises(Unavailable) as caught:
        tables.open(SHA256)

    assert "cannot be decrypted" in caught.value.message
    assert f"shiori/tables/{SHA256}.parquet is damaged" in logged[0]["problem"]
