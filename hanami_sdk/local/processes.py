"""Processes that outlive the command which started them."""

import os
import signal
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = [
    "ProcessIdentity",
    "exit_code",
    "find",
    "last_lines",
    "memory_bytes",
    "set_aside",
    "spawn",
    "stop",
]

_LARGEST_LOG_BYTES = 10 * 1024 * 1024
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class ProcessIdentity:
    """One process for good: its number alone may come back as another process.

    `create_time` is in seconds since the epoch, as the system says it.
    """

    pid: int
    create_time: float


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], log_path: Path
) -> ProcessIdentity:
    """Start a process in a session of its own; its output goes to a log file.

    Nothing of the terminal reaches it, and it goes on when this process ends.
    """
    set_aside(log_path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess: its objects complain when they are dropped before their process ends.
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log_path), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return ProcessIdentity(pid, psutil.Process(pid).create_time())


def set_aside(log_path: Path) -> None:
    """Rename a log that has grown large, in place of the last one that was."""
    if log_path.exists() and log_path.stat().st_size > _LARGEST_LOG_BYTES:
        log_path.replace(log_path.with_suffix(".log.1"))


def find(identity: ProcessIdentity) -> psutil.Process | None:
    """Return the process when it still runs."""
    try:
        process = psutil.Process(identity.pid)
        same = process.create_time() == identity.create_time
        if same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except psutil.NoSuchProcess:
        return None
    return None


def exit_code(identity: ProcessIdentity) -> int | None:
    """Return how a process of ours ended (negative: by that signal); None when unknown."""
    try:
        pid, status = os.waitpid(identity.pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if pid else None


def memory_bytes(process: psutil.Process) -> int:
    """Return the resident memory of a process and its children."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    return total


def stop(identities: Sequence[ProcessIdentity], *, patience_seconds: float) -> None:
    """Ask processes to end, wait, and kill those that do not; returns when all have ended."""
    for number, patience in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, 10.0)):
        for identity in identities:
            process = find(identity)
            if process is not None:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
        if _wait_until_gone(identities, patience):
            return


def _wait_until_gone(identities: Sequence[ProcessIdentity], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(find(identity) is not None for identity in identities):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    for identity in identities:
        exit_code(identity)
    return True


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log; none when there is no log."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []
