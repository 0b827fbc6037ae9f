"""Places in a source: where a row ends, so that reading can go on behind it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

# So much of the line before a place is compared when one comes back to it.
_MARK_BYTES = 256


@dataclass(frozen=True)
class Place:
    """The end of a line.

    Attributes:
        device: of the file; 0 for a pipe.
        inode: of the file; 0 for a pipe.
        offset: bytes from the start to behind the line.
        line: number of the line, from 1.
        mark: checksum of the end of the line.
        mark_bytes: how much of the line that is about.
    """

    device: int
    inode: int
    offset: int = 0
    line: int = 0
    mark: int = 0
    mark_bytes: int = 0

    def behind(self, line: bytes) -> Place:
        """Return the place behind the next line."""
        end = line[-_MARK_BYTES:]
        return Place(
            self.device,
            self.inode,
            self.offset + len(line),
            self.line + 1,
            zlib.crc32(end),
            len(end),
        )

    def fits(self, file: BinaryIO) -> bool:
        """Return whether a file still has the line that ends here."""
        file.seek(self.offset - self.mark_bytes)
        end = file.read(self.mark_bytes)
        return len(end) == self.mark_bytes and zlib.crc32(end) == self.mark

    def as_list(self) -> list[int]:
        """Return the numbers, for a file."""
        return [self.device, self.inode, self.offset, self.line, self.mark, self.mark_bytes]


Tell = Callable[[str], None]
