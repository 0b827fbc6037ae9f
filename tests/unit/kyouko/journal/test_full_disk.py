"""A disk that is full, broken or read-only: nothing is lost, and all goes on by itself."""

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kyouko.ports import NetworkJournal
from mesh.errors import Unavailable
from tests.unit.kyouko.journal.journal_files import UID, prepared, read, segments, set_aside

PAYLOADS = [bytes([number]) * 1000 for number in range(1, 31)]


class Disk:
    """The system's calls for writing, with a disk that can be full or broken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._write = os.pwritev
        self._sync = os.fdatasync
        self.room: int | None = None
        self.most_at_once = 2**31
        self.broken_syncs = 0
        self.broken_writes = 0
        monkeypatch.setattr(os, "pwritev", self.write)
        monkeypatch.setattr(os, "fdatasync", self.sync)

    def write(self, descriptor: int, vectors: Sequence[memoryview], offset: int) -> int:
        """Write as much as there is room for, and no more at a time than allowed."""
        if self.broken_writes:
            self.broken_writes -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        limit = self.most_at_once if self.room is None else min(self.room, self.most_at_once)
        written = self._write(descriptor, [b"".join(vectors)[:limit]], offset)
        if self.room is not None:
            self.room -= written
        return written

    def sync(self, descriptor: int) -> None:
        """Sync, or lose what was written since the last sync, as a real disk may."""
        if self.broken_syncs:
            self.broken_syncs -= 1
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._sync(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Return a disk that works until told otherwise."""
    return Disk(monkeypatch)


async def flushed_at_last(journal: NetworkJournal) -> None:
    """Wait until the journal is durable, through failures."""
    changed = asyncio.Event()
    stop = journal.watch(changed.set)
    while journal.durable_position < journal.last_position:
        await changed.wait()
        changed.clear()
    stop()


@pytest.mark.parametrize("most", [1, 23, 24, 25, 1000, 1024, 4000])
async def test_partial_writes_are_completed(tmp_path: Path, disk: Disk, most: int) -> None:
    """However few bytes the system takes at a time, all of them arrive, once."""
    journals = await prepared(tmp_path)
    journal = await journals.open(UID, after=0)
    disk.most_at_once = most

    for payload in PAYLOADS[:5]:
        journal.append([payload[:500], memoryview(payload)[500:]])
    await journal.flush()
    await journals.close()

    assert PAYLOADS[:5] == (await read(tmp_path)).payloads


@pytest.mark.parametrize("room", [0, 1, 24, 1023, 1024, 1025, 5000, 20_000])
async def test_a_full_disk_is_told_and_got_over(tmp_path: Path, disk: Disk, room: int) -> None:
    """Until space returns callers are refused with the problem; then all is written, in order."""
    journals = await prepared(tmp_path, segment_bytes=6000)
    journal = await journals.open(UID, after=0)
    journal.append([PAYLOADS[0]])
    await journal.flush()
    disk.room = room
    for payload in PAYLOADS[1:]:
        journal.append([payload])

    with pytest.raises(Unavailable) as refused:
        await journal.flush()
    with pytest.raises(Unavailable, match="no space left"):
        await journal.room()
    with pytest.raises(Unavailable, match="no space left"):
        await journals.check()
    durable = journal.durable_position
    disk.room = None
    await flushed_at_last(journal)
    await journal.room()
    await journals.check()
    await journals.close()

    found = await read(tmp_path)
    assert "JOURNAL_UNAVAILABLE" == refused.value.reason
    assert {"problem": "no space left on device"} == refused.value.metadata
    assert 1 <= durable < len(PAYLOADS)
    assert (PAYLOADS, None) == (found.payloads, found.damage)


@pytest.mark.parametrize("failures", [1, 2, 3])
@pytest.mark.parametrize("before", [0, 3])
async def test_a_file_whose_sync_failed_is_not_trusted(
    tmp_path: Path, disk: Disk, failures: int, before: int
) -> None:
    """What was not durable goes into a new segment; the old one ends where it was good."""
    journals = await prepared(tmp_path)
    journal = await journals.open(UID, after=0)
    for payload in PAYLOADS[:before]:
        journal.append([payload])
        await journal.flush()
    disk.broken_syncs = failures
    for payload in PAYLOADS[before:]:
        journal.append([payload])
    await flushed_at_last(journal)
    live = [record.data async for record in journal.read(0)]
    await journals.close()

    found = await read(tmp_path)
    assert PAYLOADS == live
    assert (PAYLOADS, None, []) == (found.payloads, found.damage, set_aside(tmp_path))


async def test_a_broken_write_begins_a_new_segment(tmp_path: Path, disk: Disk) -> None:
    """After an input/output error the file is left as it was, and another one is begun."""
    journals = await prepared(tmp_path)
    journal = await journals.open(UID, after=0)
    journal.append([PAYLOADS[0]])
    await journal.flush()
    disk.broken_writes = 1
    journal.append([PAYLOADS[1]])
    await flushed_at_last(journal)
    await journals.close()

    found = await read(tmp_path)
    assert (PAYLOADS[:2], 2) == (found.payloads, len(segments(tmp_path)))


async def test_watchers_hear_of_failure_and_recovery(tmp_path: Path, disk: Disk) -> None:
    """Whoever watches need not ask: it is called when writing fails and when it works again."""
    heard: list[str] = []
    journals = await prepared(tmp_path)
    journal = await journals.open(UID, after=0)
    journal.watch(lambda: heard.append(journal.pending.problem))
    disk.room = 0
    journal.append([PAYLOADS[0]])
    with pytest.raises(Unavailable):
        await journal.flush()
    disk.room = None
    await flushed_at_last(journal)
    await journals.close()

    assert ("no space left on device", "") == (heard[0], heard[-1])


async def test_one_broken_journal_does_not_stop_the_others(tmp_path: Path) -> None:
    """A network whose folder is in the way of somebody leaves the rest in peace."""
    other = "0" * 31 + "b"
    journals = await prepared(tmp_path)
    (tmp_path / UID).write_bytes(b"not a folder")
    broken = await journals.open(UID, after=0)
    sound = await journals.open(other, after=0)

    broken.append([b"stuck"])
    sound.append([b"fine"])
    with pytest.raises(Unavailable):
        await broken.flush()
    await sound.flush()
    await sound.room()
    await journals.check()
    (tmp_path / UID).unlink()
    await flushed_at_last(broken)
    await journals.close()

    assert [b"stuck"] == (await read(tmp_path)).payloads


_LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from kyouko.storage.journal.files import FileJournals
from mesh.errors import Unavailable

async def main():
    journals = FileJournals(Path(sys.argv[1]), flush_seconds=0.001)
    await journals.prepare()
    journal = await journals.open(sys.argv[2], after=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    for number in range(20):
        journal.append([bytes([number]) * 1000])
    try:
        await journal.flush()
    except Unavailable as refused:
        print(refused.metadata["problem"], journal.durable_position)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    while journal.durable_position < 20:
        await asyncio.sleep(0.01)
    await journals.close()
    print("durable", journal.durable_position)

asyncio.run(main())
"""


async def test_a_real_limit_of_the_system_is_got_over(tmp_path: Path) -> None:
    """A process that may not write more for a while loses nothing."""
    command = [sys.executable, "-c", _LIMITED, str(tmp_path), UID]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)  # noqa: ASYNC221

    found = await read(tmp_path)
    told = [line for line in ran.stdout.splitlines() if line[0] in "fd"]
    assert ["file too large 0", "durable 20"] == told, ran.stderr
    assert [bytes([number]) * 1000 for number in range(20)] == found.payloads
