"""Files of secrets: for their owner only, whole or not there, and never lost to a crash."""

import os
import tempfile
from pathlib import Path


def create_once(path: Path, content: bytes) -> None:
    """Write a file unless it is there by then; another process may be faster."""
    temporary = _written(path, content)
    try:
        # Unlike a rename, a link does not replace the file of one that was faster.
        os.link(temporary, path)
        _sync_folder(path.parent)
    except FileExistsError:
        return
    finally:
        temporary.unlink()


def replace_whole(path: Path, content: bytes) -> None:
    """Write a file in one step; after a crash it is the old one or the new one."""
    temporary = _written(path, content)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkstemp makes the file with mode 0600.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(temporary)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
