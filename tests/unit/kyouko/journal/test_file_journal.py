"""How the file journal uses the system: few syncs, few open files, memory within bounds."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest
from pydantic import TypeAdapter, ValidationError

from kyouko.storage.journal import JournalUrl, prepared_journals
from kyouko.storage.journal.files import FileJournals
from kyouko.storage.journal.pending import Backlog, PendingRecords
from tests.unit.kyouko.journal.journal_files import UID, prepared, read, segments, write


class Syncs:
    """Counts the calls that make files durable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, descriptor: int) -> None:
        """Sync, and count."""
        self.count += 1
        self._sync(descriptor)


async def test_many_records_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is appended within a flush interval is written and synced together."""
    syncs = Syncs(monkeypatch)
    journals = FileJournals(tmp_path, flush_seconds=0.2)
    await journals.prepare()
    journal = await journals.open(UID, after=0)
    journal.append([b"makes the file"])
    await journal.flush()

    for _ in range(500):
        journal.append([b"x"])
    await journal.flush()
    await journals.close()

    assert 1 <= syncs.count <= 2
    assert 501 == journal.durable_position


async def test_a_flush_does_not_wait_for_the_interval(tmp_path: Path) -> None:
    """Who asks for durability gets it at once."""
    journals = FileJournals(tmp_path, flush_seconds=3600.0)
    await journals.prepare()
    journal = await journals.open(UID, after=0)

    for number in range(1, 4):
        journal.append([b"x"])
        await asyncio.wait_for(journal.flush(), 20)
        assert number == journal.durable_position
    await journals.close()


async def test_few_files_are_open_however_many_networks(tmp_path: Path) -> None:
    """The files used longest ago are closed, and opened again when they are needed."""
    journals = FileJournals(tmp_path, flush_seconds=0.001, open_files=3)
    await journals.prepare()
    before = psutil.Process().num_fds()
    many = [await journals.open(f"{number:032x}", after=0) for number in range(20)]

    for _ in range(2):
        for journal in many:
            journal.append([journal.uid.encode()])
        for journal in many:
            await journal.flush()
    open_files = psutil.Process().num_fds() - before
    contents = [[record.data async for record in journal.read(0)] for journal in many]
    await journals.close()

    assert open_files <= 3
    assert [[journal.uid.encode()] * 2 for journal in many] == contents


async def test_an_idle_journal_has_no_file(tmp_path: Path) -> None:
    """When a snapshot holds all records, nothing of the journal is left on the disk."""
    journals = await prepared(tmp_path)
    journal = await journals.open(UID, after=0)
    for _ in range(5):
        journal.append([b"x"])
    await journal.flush()
    await journal.release(4)
    before = len(segments(tmp_path))
    await journal.release(5)
    after = len(segments(tmp_path))
    await journals.close()

    assert (1, 0) == (before, after)


async def test_segments_are_no_larger_than_asked_for(tmp_path: Path) -> None:
    """A segment ends before the record that would make it too large; a larger one goes alone."""
    sizes = [100, 700, 5000, 10, 10, 900]
    await write(tmp_path, [bytes(size) for size in sizes], segment_bytes=1100)

    found = await read(tmp_path)

    assert sizes == [len(payload) for payload in found.payloads]
    assert [True, False, True, True] == [path.stat().st_size <= 1100 for path in segments(tmp_path)]


def test_the_backlog_counts_what_can_still_be_written() -> None:
    """Journals that cannot be written wait on their own account."""
    now = [0.0]
    one, two = (PendingRecords(0, wake=lambda: None) for _ in range(2))
    backlog = Backlog(lambda: [one, two], most_bytes=5000, now=lambda: now[0])

    one.append([bytes(4000)])
    first = backlog.is_full()
    two.append([bytes(4000)])
    backlog.has_shrunk()
    second = backlog.is_full()
    two.problem = "broken"
    now[0] += 1
    third = backlog.is_full()

    assert (False, True, False) == (first, second, third)


def test_what_waits_is_counted_until_it_is_durable() -> None:
    """Memory is given back record by record, and one wake-up is enough for many."""
    woken: list[int] = []
    pending = PendingRecords(7, wake=lambda: woken.append(1))

    positions = [pending.append([b"x" * 100]) for _ in range(3)]
    held = pending.held_bytes
    collected = [record.position for record in pending.collect()]
    pending.stored(2)
    pending.append([b"y"])

    assert ([8, 9, 10], [8, 9, 10]) == (positions, collected)
    assert (9, 11, 2) == (pending.durable_position, pending.last_position, len(woken))
    assert pending.held_bytes < held


@pytest.mark.parametrize(
    "url", ["", "file:///var/lib/journals", "nats://one:4222", "nats://one:1,tls://two:2"]
)
def test_places_for_journals(url: str) -> None:
    """These are known."""
    assert url == TypeAdapter(JournalUrl).validate_python(url)


@pytest.mark.parametrize(
    "url",
    [
        "journals",
        "file://host/folder",
        "file:///",
        "nats://one",
        "nats://user:secret@one:4222",
        "nats://one:4222/x",
        "nats://one:99999999",
        "nats://one:4222,",
        "http://one:80",
    ],
)
def test_places_that_are_not_known(url: str) -> None:
    """Anything else is refused before anything starts, secrets in URLs among it."""
    with pytest.raises(ValidationError, match="neither file"):
        TypeAdapter(JournalUrl).validate_python(url)


async def test_a_folder_is_chosen_by_its_url(tmp_path: Path) -> None:
    """The setting's folder is used; without one it is the service's own."""
    for url, folder in (("", tmp_path / "own"), (f"file://{tmp_path}/a%20b", tmp_path / "a b")):
        journals = await prepared_journals(url, folder=tmp_path / "own")
        journal = await journals.open(UID, after=0)
        journal.append([b"x"])
        await journals.close()

        assert 1 == len(segments(folder))


async def test_a_place_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    """The message names the folder."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(SystemExit, match="cannot keep journals in"):
        await FileJournals(tmp_path / "file").prepare()
