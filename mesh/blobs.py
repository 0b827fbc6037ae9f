"""Blobs: files by name in a folder or an object store, written whole or not at all.

Whatever goes wrong with a store is an `OSError` here: FileNotFoundError for a blob that
is not there, PermissionError for refused credentials, the system's own error for a full
disk or a lost connection. With keys, blobs are encrypted on their way in and decrypted on
their way out; what cannot be opened is an `EncryptionError`, which is an `OSError`, too.
"""

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, S3Store
from pydantic import AfterValidator

from mesh.blob_file import BlobFile, pieces_of, system_errors
from mesh.encryption.keys import Encryption, EncryptionError, KeyRing
from mesh.encryption.rewrapping import rewrap_file, rewrapped
from mesh.encryption.sealed import HEADER_BYTES, PIECE_BYTES, Opener, Sealer, is_sealed, seal

if TYPE_CHECKING:
    from obstore.store import RetryConfig


# How the store names a file that it has not finished writing.
_UNFINISHED = re.compile(r"#\d+$")
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


@dataclass(frozen=True)
class BlobFacts:
    """What a store knows of a blob.

    Attributes:
        stored_bytes: as it is in the store, encrypted or not.
        modify_time: when it was written, or its key was wrapped anew.
    """

    stored_bytes: int
    modify_time: datetime


class BlobStore:
    """Named immutable blobs. A blob appears under its name only when it is complete."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        place: str,
        folder: Path | None = None,
        service: str = "",
        encryption: Encryption | None = None,
    ) -> None:
        self._store = store
        self._place = place
        self._folder = folder
        self._service = service
        self._encryption = encryption or Encryption()

    @classmethod
    def at(
        cls, url: str, *, service: str, default: Path, encryption: Encryption | None = None
    ) -> "BlobStore":
        """Return the store of one service.

        Args:
            url: A `file:` or `s3:` URL, below which every service has a part of its own.
                For S3 the standard `AWS_...` variables say the rest.
            service: Names that part.
            default: The folder to use when the URL is empty.
            encryption: How blobs are encrypted; not at all when None.
        """
        parts = urlsplit(checked_url(url))
        if not url or parts.scheme == "file":
            folder = Path(unquote(parts.path)) / service if url else default
            return cls.in_folder(folder, service=service, encryption=encryption)
        place = f"{url.rstrip('/')}/{service}"
        store = S3Store.from_url(place, retry_config=_RETRIES)
        return cls(store, place=place, service=service, encryption=encryption)

    @classmethod
    def in_folder(
        cls, folder: Path, *, service: str = "", encryption: Encryption | None = None
    ) -> "BlobStore":
        """Return a store that keeps its blobs as files below a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(
            LocalStore(folder, automatic_cleanup=True),
            place=str(folder),
            folder=folder,
            service=service,
            encryption=encryption,
        )

    def with_encryption(self, encryption: Encryption) -> "BlobStore":
        """Return the same store with other keys."""
        return BlobStore(
            self._store,
            place=self._place,
            folder=self._folder,
            service=self._service,
            encryption=encryption,
        )

    async def prepare(self) -> None:
        """Show that blobs can be stored, and mark the store for `check`.

        Raises:
            SystemExit: They cannot; the message says where and why.
        """
        try:
            # Written with the key in use: whoever starts with other keys learns it here.
            with suppress(FileNotFoundError):
                await self._get(_MARK, may_be_plain=True)
            await self.put(_MARK, b"blobs are kept here\n")
            await self.check()
        except OSError as error:
            raise SystemExit(f"cannot keep blobs in {self._place}: {error}") from error

    async def check(self) -> None:
        """Raise an error when the store that was prepared is gone or refuses us."""
        with system_errors():
            await obstore.head_async(self._store, _MARK)
        if self._folder is not None and not os.access(self._folder, os.W_OK):
            raise PermissionError(f"{self._folder} cannot be written to")

    async def put(self, name: str, content: bytes | Path) -> None:
        """Store a blob; replaces an older one of the same name at once.

        In a folder the blob is on the disk when this returns, also if the power fails.
        """
        keys = self._encryption.keys
        if keys is None:
            await self._put(name, content)
        elif isinstance(content, Path):
            with await asyncio.to_thread(content.open, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                await self._put(name, self._sealed(name, file, size, keys))
        elif len(content) > PIECE_BYTES:
            # Piece by piece: fresh memory for all of it costs more than the encryption.
            pieces = self._sealed(name, io.BytesIO(content), len(content), keys)
            await self._put(name, pieces)
        else:
            await self._put(name, seal(content, place=self._place_of(name), keys=keys))

    async def get(self, name: str) -> bytes:
        """Return a whole blob.

        Raises:
            FileNotFoundError: There is no blob of that name.
            EncryptionError: It cannot be opened.
        """
        return await self._get(name, may_be_plain=not self._encryption.required)

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        """Return `length` bytes of a blob from `start` on.

        Raises:
            FileNotFoundError: There is no blob of that name.
            EncryptionError: It cannot be opened.
        """
        file = await asyncio.to_thread(self.open, name)
        file.seek(start)
        return await asyncio.to_thread(file.read, length)

    def open(self, name: str) -> BlobFile:
        """Open a blob as a file, for code that runs in a thread of its own. Blocks.

        Raises:
            FileNotFoundError: There is no blob of that name.
            EncryptionError: It cannot be opened.
        """
        plain = self._raw(name)
        header = plain.read(HEADER_BYTES)
        plain.seek(0)
        if is_sealed(header):
            opener = self._opener(name, header, plain.size)
            return BlobFile(self._store, name, plain.size, opener)
        self._allow_plain(name, may_be_plain=not self._encryption.required)
        return plain

    async def size(self, name: str) -> int:
        """Return the size of a blob in bytes.

        Raises:
            FileNotFoundError: There is no blob of that name.
            EncryptionError: It cannot be opened.
        """
        return (await asyncio.to_thread(self.open, name)).size

    async def facts(self, name: str) -> BlobFacts:
        """Return what the store itself knows of a blob.

        Raises:
            FileNotFoundError: There is no blob of that name.
        """
        with system_errors():
            found = await obstore.head_async(self._store, name)
        return BlobFacts(int(found["size"]), found["last_modified"])

    async def rewrap(self, name: str) -> bool:
        """Wrap the key of a blob with the key in use; encrypt a blob that is not encrypted.

        A file gets nothing but a new header. In an object store, where nothing can be
        changed in part, the blob is sent once more.

        Returns:
            Whether anything had to be done.

        Raises:
            FileNotFoundError: There is no blob of that name.
            EncryptionError: It cannot be opened.
        """
        keys = self._encryption.keys
        if keys is None:
            raise ValueError("there is no key to wrap with")
        file = await asyncio.to_thread(self._raw, name)
        header = await asyncio.to_thread(file.read, HEADER_BYTES)
        if not is_sealed(header):
            file.seek(0)
            await self._put(name, self._sealed(name, file, file.size, keys))
            return True
        place = self._place_of(name)
        if self._folder is not None:
            path = self._folder / name
            return await asyncio.to_thread(rewrap_file, path, place=place, keys=keys)
        fresh = rewrapped(header, place=place, keys=keys)
        if fresh is None:
            return False
        await self._put(name, _with_header(fresh, file))
        return True

    async def delete(self, name: str) -> None:
        """Delete a blob; a missing one counts as deleted."""
        with system_errors(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, name)

    async def names(self, prefix: str = "") -> AsyncIterator[str]:
        """Yield the names of all blobs below a prefix; the store's own mark is none."""
        with system_errors():
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

    def _place_of(self, name: str) -> str:
        return f"{self._service}/{name}" if self._service else name

    async def _put(
        self, name: str, content: bytes | bytearray | Path | AsyncIterator[bytes]
    ) -> None:
        with system_errors():
            await obstore.put_async(self._store, name, content)
        if self._folder is not None:
            # The store renames a finished file into place, but syncs nothing.
            await asyncio.to_thread(_sync, self._folder / name)

    async def _get(self, name: str, *, may_be_plain: bool) -> bytes:
        with system_errors():
            result = await obstore.get_async(self._store, name)
            content = memoryview(await result.bytes_async())
        if not is_sealed(content):
            self._allow_plain(name, may_be_plain=may_be_plain)
            return bytes(content)
        opener = self._opener(name, content[:HEADER_BYTES], len(content))
        return await asyncio.to_thread(opener.open_all, content)

    def _raw(self, name: str) -> BlobFile:
        with system_errors():
            return BlobFile(self._store, name, int(obstore.head(self._store, name)["size"]))

    def _opener(self, name: str, header: bytes | memoryview, size: int) -> Opener:
        return Opener(header, size, place=self._place_of(name), keys=self._encryption.keys)

    def _allow_plain(self, name: str, *, may_be_plain: bool) -> None:
        if not may_be_plain:
            raise EncryptionError(f"{self._place_of(name)} is not encrypted, which is required")

    async def _sealed(
        self, name: str, file: BinaryIO | BlobFile, size: int, keys: KeyRing
    ) -> AsyncIterator[bytes]:
        """Encrypt a file piece by piece, beside the event loop."""
        sealer = Sealer(size, place=self._place_of(name), keys=keys)
        pieces = sealer.pieces(pieces_of(file))
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece


async def _with_header(header: bytes, file: BlobFile) -> AsyncIterator[bytes]:
    """Yield a new header, and what follows the old one."""
    yield header
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece


def _sync(path: Path) -> None:
    for synced in (path, path.parent):
        descriptor = os.open(synced, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
