"""Journals in a folder of a test, and what is in their files."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kyouko.ports import JournalDamage
from kyouko.storage.journal.files import FileJournals
from kyouko.storage.journal.records import RECORD_BYTES

UID = "0" * 31 + "a"


@dataclass(frozen=True)
class Opened:
    """What a journal held when it was opened."""

    positions: Sequence[int]
    payloads: Sequence[bytes]
    last_position: int
    damage: JournalDamage | None


async def prepared(directory: Path, *, segment_bytes: int = 2**20) -> FileJournals:
    """Return journals in a folder."""
    journals = FileJournals(directory, flush_seconds=0.001, segment_bytes=segment_bytes)
    await journals.prepare()
    return journals


async def write(
    directory: Path, payloads: Sequence[bytes], *, after: int = 0, segment_bytes: int = 2**20
) -> None:
    """Append records and make them durable."""
    journals = await prepared(directory, segment_bytes=segment_bytes)
    journal = await journals.open(UID, after=after)
    for payload in payloads:
        journal.append([payload])
    await journal.flush()
    await journals.close()


async def read(directory: Path, *, after: int = 0) -> Opened:
    """Open a journal and read all of it."""
    journals = await prepared(directory)
    journal = await journals.open(UID, after=after)
    records = [record async for record in journal.read(after)]
    await journals.close()
    return Opened(
        [record.position for record in records],
        [record.data for record in records],
        journal.last_position,
        journal.damage,
    )


def write_now(directory: Path, payloads: Sequence[bytes], *, segment_bytes: int = 2**20) -> None:
    """Do the same outside an event loop."""
    asyncio.run(write(directory, payloads, segment_bytes=segment_bytes))


def read_now(directory: Path, *, after: int = 0) -> Opened:
    """Do the same outside an event loop."""
    return asyncio.run(read(directory, after=after))


def segments(directory: Path) -> list[Path]:
    """Return the segments, oldest first."""
    return sorted((directory / UID).glob("*.journal"))


def set_aside(directory: Path) -> list[str]:
    """Return the names of the files that were set aside."""
    return sorted(path.name for path in (directory / UID).glob("*.damaged"))


def record_sizes(payloads: Sequence[bytes]) -> list[int]:
    """Return how many bytes of a file each record takes."""
    return [RECORD_BYTES + len(payload) for payload in payloads]
