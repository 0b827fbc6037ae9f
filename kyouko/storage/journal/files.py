"""Journals in files of this machine: a folder for each network, segments inside.

`<directory>/<uid>/<first position>.journal`; docs/durability.md describes the format and what
is promised. One process at a time may keep journals in a directory.
"""

import asyncio
import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from kyouko.storage.journal.file_journal import FileJournal, Surroundings
from kyouko.storage.journal.flusher import Flusher, Storing
from kyouko.storage.journal.pending import Backlog
from kyouko.storage.journal.problems import journal_unavailable, problem_of
from kyouko.storage.journal.recovery import recover
from kyouko.storage.journal.waiting import Changes
from kyouko.storage.journal.writing import OpenFiles, SegmentWriter, sync_folder

_log = structlog.get_logger(__name__)
T = TypeVar("T")
_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DELETED: Final = ".deleted-"
_LOCK: Final = "lock"


class FileJournals:
    """The journals of this process; call `prepare` first.

    Args:
        flush_seconds: how long records are gathered before they are written and synced.
        segment_bytes: size from which a new file is begun.
        pending_bytes: most memory for what waits for the disk, of all journals together.
        open_files: most files kept open.
    """

    def __init__(
        self,
        directory: Path,
        *,
        flush_seconds: float = 0.01,
        segment_bytes: int = 64 * 2**20,
        pending_bytes: int = 64 * 2**20,
        open_files: int = 64,
    ) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._files = OpenFiles(open_files)
        self._flusher = Flusher(flush_seconds=flush_seconds, after_round=self._after_round)
        self._open: dict[str, FileJournal] = {}
        self._at_work: dict[str, asyncio.Future[Any]] = {}
        self._surroundings: Surroundings | None = None
        self._lock = -1
        self._backlog = Backlog(
            lambda: [journal.pending for journal in self._open.values()],
            most_bytes=pending_bytes,
            now=time.monotonic,
        )

    async def prepare(self) -> None:
        """Take the directory.

        Raises:
            SystemExit: That is not possible; the message says why.
        """
        try:
            self._lock = await asyncio.to_thread(take_directory, self._directory)
        except BlockingIOError:
            raise SystemExit(
                f"another process keeps its journals in {self._directory}; one at a time may"
            ) from None
        except OSError as error:
            raise SystemExit(f"cannot keep journals in {self._directory}: {error}") from error
        changes = Changes(asyncio.get_running_loop())
        self._surroundings = Surroundings(self._flusher, changes, self._backlog.is_full, self._left)
        self._flusher.start()

    async def open(self, uid: str, *, after: int) -> FileJournal:
        """Open the journal of a network whose snapshot knows of all positions up to `after`."""
        surroundings = self._prepared()
        folder = self._folder(uid)
        await self._quiet(uid)
        if uid in self._open:
            raise RuntimeError(f"the journal of {uid} is open already")
        try:
            found = await self._work_on(uid, partial(recover, folder, uid, after=after))
        except OSError as error:
            _log.error("cannot open a journal", journal=uid, problem=repr(error))
            raise journal_unavailable(problem_of(error)) from error
        writer = SegmentWriter(
            folder,
            found.segments,
            base=found.base,
            segment_bytes=self._segment_bytes,
            files=self._files,
        )
        journal = FileJournal(uid, found, writer, surroundings)
        self._open[uid] = journal
        return journal

    async def delete(self, uid: str) -> None:
        """Forget a network's journal."""
        self._prepared()
        await self._quiet(uid)
        journal = self._open.get(uid)
        if journal is not None:
            await journal.discard()
        try:
            await self._work_on(uid, partial(_delete, self._folder(uid)))
        except OSError as error:
            _log.error("cannot delete a journal", journal=uid, problem=repr(error))
            raise journal_unavailable(problem_of(error)) from error

    async def uids(self) -> Set[str]:
        """Return the networks that have a journal."""
        self._prepared()
        try:
            return await asyncio.to_thread(_uids, self._directory)
        except OSError as error:
            raise journal_unavailable(problem_of(error)) from error

    async def check(self) -> None:
        """Raise when nothing can be made durable at this moment."""
        self._prepared()
        problems = [journal.pending.problem for journal in self._open.values()]
        # The journal of a network may be out of order alone; a full disk concerns all that write.
        if problems and all(problems):
            raise journal_unavailable(problems[0])
        try:
            problem = await asyncio.to_thread(_problem_with, self._directory)
        except OSError as error:
            problem = problem_of(error)
        if problem:
            raise journal_unavailable(problem)

    async def close(self) -> None:
        """Close all journals, and let go of the directory."""
        if self._surroundings is None:
            return
        await asyncio.gather(*(journal.close() for journal in tuple(self._open.values())))
        self._surroundings = None
        await asyncio.to_thread(self._flusher.stop)
        os.close(self._lock)

    def _prepared(self) -> Surroundings:
        if self._surroundings is None:
            raise RuntimeError("the journals are not prepared, or closed")
        return self._surroundings

    def _folder(self, uid: str) -> Path:
        if not _UID.fullmatch(uid):
            raise ValueError(f"{uid!r} cannot be the name of a journal")
        return self._directory / uid

    async def _quiet(self, uid: str) -> None:
        """Wait until nobody works on the folder of a journal that is not open.

        A thread goes on when the call that began its work is cancelled.
        """
        while uid in self._at_work:
            await asyncio.wait([self._at_work[uid]])

    async def _work_on(self, uid: str, work: Callable[[], T]) -> T:
        task = asyncio.ensure_future(asyncio.to_thread(work))
        self._at_work[uid] = task
        task.add_done_callback(partial(self._ended, uid))
        return await asyncio.shield(task)

    def _ended(self, uid: str, task: asyncio.Future[Any]) -> None:
        del self._at_work[uid]
        if not task.cancelled():
            task.exception()  # Whoever still waits for it gets it too.

    def _left(self, uid: str) -> None:
        self._open.pop(uid, None)

    def _after_round(self, journals: Sequence[Storing]) -> None:
        if self._surroundings is not None:
            self._backlog.has_shrunk()
            self._surroundings.changes.publish_threadsafe(
                journal for journal in journals if isinstance(journal, FileJournal)
            )


def take_directory(directory: Path) -> int:
    """Make the directory this process's own; returns the lock's descriptor.

    Raises:
        BlockingIOError: Another process keeps its journals there.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    sync_folder(directory.parent)
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for deleted in directory.glob(f"*{_DELETED}*"):
            shutil.rmtree(deleted)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _delete(folder: Path) -> None:
    """Delete a folder: it is gone at once, and what is in it soon after."""
    deleted = folder.with_name(f"{folder.name}{_DELETED}{secrets.token_hex(8)}")
    try:
        folder.rename(deleted)
    except FileNotFoundError:
        return
    sync_folder(folder.parent)
    shutil.rmtree(deleted)


def _uids(directory: Path) -> Set[str]:
    return {path.name for path in directory.iterdir() if path.is_dir() and _is_uid(path.name)}


def _is_uid(name: str) -> bool:
    return _UID.fullmatch(name) is not None


def _problem_with(directory: Path) -> str:
    if not os.access(directory, os.W_OK):
        return f"{directory} cannot be written to"
    return "" if os.statvfs(directory).f_bavail else os.strerror(errno.ENOSPC).lower()
