"""One process works in one data folder: two would undo each other's work."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def owned(folder: Path, *, service: str) -> Iterator[None]:
    """Own a folder while the context is open. The lock ends with the process, however it ends.

    Raises:
        SystemExit: Another process owns the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SystemExit(f"another {service} is at work in {folder}; stop it first") from error
        yield
