"""Follows the bytes of an upload: right file, right order, right number, right checksum."""

import hashlib
from dataclasses import dataclass

from mesh.errors import InvalidArgument
from shiori.domain.announcement import Announcement


@dataclass(frozen=True)
class Chunk:
    """Some bytes of the file that plays `role`."""

    role: str
    data: bytes


class Reception:
    """The state of one upload. Holds no bytes, only counts and checksums."""

    def __init__(self, announcement: Announcement) -> None:
        self._files = announcement.files
        self._current = 0
        self._received = 0
        self._digest = hashlib.sha256()

    def accept(self, chunk: Chunk) -> None:
        """Count a chunk; verifies the checksum with the last byte of each file.

        Raises:
            InvalidArgument: STREAM_PROTOCOL: not the file whose turn it is, or more
                bytes than announced. CHECKSUM_MISMATCH.
        """
        if self._current == len(self._files):
            raise protocol_broken("the end of the stream", f"a chunk of {chunk.role}")
        file = self._files[self._current]
        if chunk.role != file.role:
            raise protocol_broken(f"a chunk of {file.role}", f"a chunk of {chunk.role}")
        left = file.size_bytes - self._received
        if len(chunk.data) > left:
            raise protocol_broken(f"{left} more bytes of {file.role}", f"{len(chunk.data)} bytes")
        self._digest.update(chunk.data)
        self._received += len(chunk.data)
        if self._received == file.size_bytes:
            self._close_file()

    def finish(self) -> None:
        """Check at the end of the stream that everything has come.

        Raises:
            InvalidArgument: UPLOAD_TRUNCATED.
        """
        if self._current == len(self._files):
            return
        file = self._files[self._current]
        raise InvalidArgument(
            f"the upload ended after {self._received} of {file.size_bytes} bytes of {file.role}; "
            "nothing has been kept, send it again",
            reason="UPLOAD_TRUNCATED",
            metadata={
                "file": file.role,
                "expected": str(file.size_bytes),
                "actual": str(self._received),
            },
        )

    def _close_file(self) -> None:
        file = self._files[self._current]
        actual = self._digest.hexdigest()
        if actual != file.sha256:
            raise InvalidArgument(
                f"the bytes of {file.role} have the SHA-256 {actual}, "
                f"but {file.sha256} was announced; send them again",
                reason="CHECKSUM_MISMATCH",
                metadata={"file": file.role, "expected": file.sha256, "actual": actual},
            )
        self._current += 1
        self._received = 0
        self._digest = hashlib.sha256()


def protocol_broken(expected: str, actual: str) -> InvalidArgument:
    """Return the error of a message that came at the wrong time."""
    return InvalidArgument(
        f"expected {expected}, but {actual} came",
        reason="STREAM_PROTOCOL",
        metadata={"expected": expected, "actual": actual},
    )
