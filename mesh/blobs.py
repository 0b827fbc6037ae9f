"""Blobs: files by name in a folder or an object store, written whole or not at all."""

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import LocalStore, ObjectStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


# How the store names a file that it has not finished writing.
_UNFINISHED = re.compile(r"#\d+$")


class BlobStore:
    """Named immutable blobs. A blob appears under its name only when it is complete."""

    def __init__(self, store: ObjectStore, *, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def in_folder(cls, folder: Path) -> "BlobStore":
        """Return a store that keeps its blobs as files below a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(LocalStore(folder, automatic_cleanup=True), folder=folder)

    async def put(self, name: str, content: bytes | Path) -> None:
        """Store a blob; replaces an older one of the same name at once.

        In a folder the blob is on the disk when this returns, also if the power fails.
        """
        await obstore.put_async(self._store, name, content)
        if self._folder is not None:
            # The store renames a finished file into place, but syncs nothing.
            await asyncio.to_thread(_sync, self._folder / name)

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

    def open(self, name: str) -> "BlobFile":
        """Open a blob as a file, for code that runs in a thread of its own. Blocks.

        Raises:
            FileNotFoundError: There is no blob of that name.
        """
        return BlobFile(self._store, name)

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

    def remove_unfinished(self) -> int:
        """Remove what a killed process left half written in the folder.

        Only for a process that is alone with its folder. Object stores need no such thing.

        Returns:
            The number of files removed.
        """
        if self._folder is None:
            return 0
        leftovers = [path for path in self._folder.rglob("*#*") if _UNFINISHED.search(path.name)]
        for path in leftovers:
            path.unlink()
        return len(leftovers)


class BlobFile(io.RawIOBase):
    """A blob as a file to read and seek in. Holds no bytes; every read is a request."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        super().__init__()
        self._store = store
        self._name = name
        self._size = int(obstore.head(store, name)["size"])
        self._position = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that one can go anywhere in it."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; returns it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes from the position on; all that follow when negative."""
        left = max(0, self._size - self._position)
        length = left if size is None or size < 0 else min(size, left)
        if not length:
            return b""
        content = obstore.get_range(self._store, self._name, start=self._position, length=length)
        self._position += length
        return bytes(content)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill a buffer; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)


def _sync(path: Path) -> None:
    for synced in (path, path.parent):
        descriptor = os.open(synced, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
