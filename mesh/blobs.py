"""Blobs: files by name in a folder or an object store, written whole or not at all."""

from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from obstore.store import LocalStore, ObjectStore


class BlobStore:
    """Named immutable blobs. A blob appears under its name only when it is complete."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def in_folder(cls, folder: Path) -> "BlobStore":
        """Return a store that keeps its blobs as files below a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(LocalStore(folder, automatic_cleanup=True))

    async def put(self, name: str, content: bytes | Path) -> None:
        """Store a blob; replaces an older one of the same name at once."""
        await obstore.put_async(self._store, name, content)

    async def get(self, name: str) -> bytes:
        """Return a whole blob.

        Raises:
            FileNotFoundError: There is no blob of that name.
        """
        result = await obstore.get_async(self._store, name)
        return bytes(await result.bytes_async())

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        """Return `length` bytes of a blob from `start` on."""
        return bytes(await obstore.get_range_async(self._store, name, start=start, length=length))

    async def size(self, name: str) -> int:
        """Return the size of a blob in bytes.

        Raises:
            FileNotFoundError: There is no blob of that name.
        """
        return int((await obstore.head_async(self._store, name))["size"])

    async def delete(self, name: str) -> None:
        """Delete a blob; a missing one counts as deleted."""
        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return

    async def names(self, prefix: str = "") -> AsyncIterator[str]:
        """Yield the names of all blobs below a prefix."""
        async for batch in obstore.list(self._store, prefix=prefix):
            for blob in batch:
                yield str(blob["path"])
