"""Wraps the keys of encrypted objects anew, when the key that wraps them is replaced."""

import fcntl
import os
from pathlib import Path

from mesh.encryption.keys import KeyRing
from mesh.encryption.sealed import HEADER_BYTES, rewrapping


def rewrapped(header: bytes, *, place: str, keys: KeyRing) -> bytes | None:
    """Return the header with the object's key wrapped by the key in use; None if it is.

    Raises:
        UnknownKey, Damaged: The header cannot be opened.
    """
    change = rewrapping(header, place=place, keys=keys)
    return None if change is None else change.applied_to(header)


def rewrap_file(path: Path, *, place: str, keys: KeyRing) -> bool:
    """Change the header of a file where it stands; tells whether that was necessary.

    Whoever reads the file meanwhile finds one of the two slots whole, and so does whoever
    reads it after a crash: the new one is on the disk before the old one is erased.

    Raises:
        UnknownKey, Damaged: The header cannot be opened.
    """
    with path.open("r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        change = rewrapping(file.read(HEADER_BYTES), place=place, keys=keys)
        if change is None:
            return False
        for offset, data in (change.new, change.erased):
            os.pwrite(file.fileno(), data, offset)
            os.fsync(file.fileno())
    return True
