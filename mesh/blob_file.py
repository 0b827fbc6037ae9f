"""A blob as a file, and what goes wrong with a store in the terms of the system."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore

from mesh.encryption.sealed import PIECE_BYTES, Opener

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Errors of the system have their number in their text, and nowhere else.
_SYSTEM_ERROR = re.compile(r"os error (\d+)")


class BlobFile(io.RawIOBase):
    """A blob as a file to read and seek in. Holds no bytes; every read is a request.

    Args:
        sealed_size: the bytes that the store has of it.
        opener: decrypts what was read.
    """

    def __init__(
        self, store: ObjectStore, name: str, sealed_size: int, opener: Opener | None = None
    ) -> None:
        super().__init__()
        self._store = store
        self._name = name
        self._opener = opener
        self.size = sealed_size if opener is None else opener.size
        self._position = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that one can go anywhere in it."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; returns it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes from the position on; all that follow when negative."""
        left = max(0, self.size - self._position)
        length = left if size is None or size < 0 else min(size, left)
        if not length:
            return b""
        content = self._fetch(self._position, length)
        self._position += length
        return content

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill a buffer; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def _fetch(self, start: int, length: int) -> bytes:
        if self._opener is None:
            return bytes(self._fetch_raw(start, length))
        sealed = self._fetch_raw(*self._opener.span(start, length))
        return self._opener.open_span(sealed, start, length)

    def _fetch_raw(self, start: int, length: int) -> memoryview:
        with system_errors():
            found = obstore.get_range(self._store, self._name, start=start, length=length)
        return memoryview(found)


def pieces_of(file: BinaryIO | BlobFile) -> Iterator[bytes]:
    """Yield what follows in a file, in pieces that can be encrypted one by one."""
    while piece := file.read(PIECE_BYTES):
        yield piece


@contextmanager
def system_errors() -> Iterator[None]:
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
