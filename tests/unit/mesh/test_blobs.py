"""Blobs in a folder: whole or not at all, and no leftovers."""

import io
from pathlib import Path

import pytest

from mesh.blobs import BlobStore


async def test_blob_is_read_back_by_range(tmp_path: Path) -> None:
    """A range of a stored blob holds the bytes put there."""
    store = BlobStore.in_folder(tmp_path)

    await store.put("a/b", b"0123456789")

    assert b"234" == await store.get_range("a/b", 2, 3)


async def test_open_blob_is_a_file(tmp_path: Path) -> None:
    """An open blob reads and seeks like any file, also beyond its end."""
    store = BlobStore.in_folder(tmp_path)
    await store.put("a", b"0123456789")
    buffer = bytearray(4)

    with store.open("a") as file:
        filled = file.readinto(buffer)
        rest = file.read()
        file.seek(-3, io.SEEK_END)
        last = file.read(2)
        file.seek(5, io.SEEK_CUR)
        beyond = file.read(1)

    assert (4, b"0123") == (filled, bytes(buffer))
    assert (b"456789", b"78", b"") == (rest, last, beyond)


async def test_blob_is_stored_from_a_file(tmp_path: Path) -> None:
    """A file given by its path becomes a blob of the same size."""
    store = BlobStore.in_folder(tmp_path / "blobs")
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1000)

    await store.put("copy", source)

    assert 1000 == await store.size("copy")


async def test_unfinished_files_are_removed(tmp_path: Path) -> None:
    """Half-written files of a killed process go, and whole blobs stay."""
    store = BlobStore.in_folder(tmp_path)
    await store.put("whole", b"1")
    (tmp_path / "half#1").write_bytes(b"1")

    removed = store.remove_unfinished()

    assert 1 == removed
    assert ["whole"] == [name async for name in store.names()]
    assert ["whole"] == files_in(tmp_path)


async def test_deleting_a_missing_blob_is_no_error(tmp_path: Path) -> None:
    """A blob that is not there counts as deleted, and cannot be read."""
    store = BlobStore.in_folder(tmp_path)

    await store.delete("none")

    with pytest.raises(FileNotFoundError):
        await store.size("none")


def files_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return [path.name for path in folder.iterdir()]
