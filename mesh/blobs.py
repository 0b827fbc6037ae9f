"""Blobs: files by name in a folder or an object store, written whole or not at all.

Whatever goes wrong with a store is an `OSError` here: FileNotFoundError for a blob that
is not there, PermissionError for refused credentials, the system's own error for a full
disk or a lost connection.
"""

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, ObjectStore, S3Store
from pydantic import AfterValidator

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore.store import RetryConfig


# How the store names a file that it has not finished writing.
_UNFINISHED = re.compile(r"#\d+$")
# Errors of the system have their number in their text, and nowhere else.
_SYSTEM_ERROR = re.compile(r"os error (\d+)")
# Says that the store is there; otherwise an empty one looks like a lost one.
_MARK = "store"
# An object store that is away is told within seconds, not after the usual three minutes.
_RETRIES: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=15)}


def checked_url(url: str) -> str:
    """Return a URL of blobs if it is one that `BlobStore.at` knows, or empty.

    Raises:
        ValueError: It is not; the message does not repeat it.
    """
    parts = urlsplit(url)
    is_folder = parts.scheme == "file" and not parts.netloc and len(parts.path) > 1
    is_bucket = parts.scheme == "s3" and bool(parts.netloc)
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    if url and not (is_plain and (is_folder or is_bucket)):
        raise ValueError("it is neither file:///FOLDER nor s3://BUCKET/PREFIX")
    return url


BlobUrl = Annotated[str, AfterValidator(checked_url)]


class BlobStore:
    """Named immutable blobs. A blob appears under its name only when it is complete."""

    def __init__(self, store: ObjectStore, *, place: str, folder: Path | None = None) -> None:
        self._store = store
        self._place = place
        self._folder = folder

    @classmethod
    def at(cls, url: str, *, service: str, default: Path) -> "BlobStore":
        """Return the store of one service.

        Args:
            url: A `file:` or `s3:` URL, below which every service has a part of its own.
                For S3 the standard `AWS_...` variables say the rest.
            service: Names that part.
            default: The folder to use when the URL is empty.
        """
        parts = urlsplit(checked_url(url))
        if not url:
            return cls.in_folder(default)
        if parts.scheme == "file":
            return cls.in_folder(Path(unquote(parts.path)) / service)
        place = f"{url.rstrip('/')}/{service}"
        return cls(S3Store.from_url(place, retry_config=_RETRIES), place=place)

    @classmethod
    def in_folder(cls, folder: Path) -> "BlobStore":
        """Return a store that keeps its blobs as files below a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(LocalStore(folder, automatic_cleanup=True), place=str(folder), folder=folder)

    async def prepare(self) -> None:
        """Show that blobs can be stored, and mark the store for `check`.

        Raises:
            SystemExit: They cannot; the message says where and why.
        """
        try:
            await self.put(_MARK, b"blobs are kept here\n")
            await self.check()
        except OSError as error:
            raise SystemExit(f"cannot keep blobs in {self._place}: {error}") from error

    async def check(self) -> None:
        """Raise an error when the store that was prepared is gone or refuses us."""
        await self.size(_MARK)
        if self._folder is not None and not os.access(self._folder, os.W_OK):
            raise PermissionError(f"{self._folder} cannot be written to")

    async def put(self, name: str, content: bytes | Path) -> None:
        """Store a blob; replaces an older one of the same name at once.

        In a folder the blob is on the disk when this returns, also if the power fails.
        """
        with _system_errors():
            await obstore.put_async(self._store, name, content)
        if self._folder is not None:
            # The store renames a finished file into place, but syncs nothing.
            await asyncio.to_thread(_sync, self._folder / name)

    async def get(self, name: str) -> bytes:
        """Return a whole blob.

        Raises:
            FileNotFoundError: There is no blob of that name.
        """
        with _system_errors():
            result = await obstore.get_async(self._store, name)
            return bytes(await result.bytes_async())

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        """Return `length` bytes of a blob from `start` on.

        Raises:
            FileNotFoundError: There is no blob of that name.
        """
        with _system_errors():
            content = await obstore.get_range_async(self._store, name, start=start, length=length)
        return bytes(content)

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
        with _system_errors():
            return int((await obstore.head_async(self._store, name))["size"])

    async def delete(self, name: str) -> None:
        """Delete a blob; a missing one counts as deleted."""
        with _system_errors(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, name)

    async def names(self, prefix: str = "") -> AsyncIterator[str]:
        """Yield the names of all blobs below a prefix; the store's own mark is none."""
        with _system_errors():
            async for batch in obstore.list(self._store, prefix=prefix):
                for blob in batch:
                    if blob["path"] != _MARK:
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
        with _system_errors():
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
        with _system_errors():
            content = obstore.get_range(
                self._store, self._name, start=self._position, length=length
            )
        self._position += length
        return bytes(content)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill a buffer; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)


@contextmanager
def _system_errors() -> Iterator[None]:
    """Raise errors of the store as what the module promises."""
    try:
        yield
    except BaseError as error:
        raise _system_error(error) from error


def _system_error(error: BaseError) -> OSError:
    # What follows the empty line is for the developers of the store.
    text = str(error).partition("\n\n")[0]
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return PermissionError(text)
    number = _SYSTEM_ERROR.search(str(error))
    return OSError(int(number[1]), text) if number else OSError(text)


def _sync(path: Path) -> None:
    for synced in (path, path.parent):
        descriptor = os.open(synced, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
