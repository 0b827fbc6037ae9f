"""Only one command at a time starts or stops the mesh of a home."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from hanami_sdk.local.errors import AlreadyStarting
from hanami_sdk.local.home import MeshHome

__all__ = ["exclusive"]


@contextmanager
def exclusive(home: MeshHome) -> Iterator[None]:
    """Hold the home's lock; the system frees it when the process ends in any way.

    Raises:
        AlreadyStarting: another command holds it.
    """
    descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = file.read().strip()
            raise AlreadyStarting(home.root, int(holder) if holder.isdigit() else None) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.seek(0)
        file.truncate(0)
