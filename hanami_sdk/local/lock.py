"""Only one command at a time starts or stops the mesh of a home."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from hanami_sdk.local.errors import AlreadyStarting
from hanami_sdk.local.home import MeshHome

__all__ = ["exclusive"]

# A holder writes its process id right after it got the lock; a rival may look in between.
_HOLDER_PATIENCE_SECONDS = 1.0
_HOLDER_POLL_SECONDS = 0.01


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
            raise AlreadyStarting(home.root, _holder(file)) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.seek(0)
        file.truncate(0)


def _holder(file: TextIO) -> int | None:
    """Read who holds the lock; None when the holder is just letting go."""
    deadline = time.monotonic() + _HOLDER_PATIENCE_SECONDS
    while True:
        file.seek(0)
        holder = file.read().strip()
        if holder.isdigit():
            return int(holder)
        if time.monotonic() > deadline:
            return None
        time.sleep(_HOLDER_POLL_SECONDS)
