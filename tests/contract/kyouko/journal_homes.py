"""Where the journals of a test live, however often the process that keeps them starts anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kyouko.ports import JournalRecord, Journals, NetworkJournal
from kyouko.storage.journal.encrypted import EncryptedJournals
from kyouko.storage.journal.files import FileJournals
from kyouko.storage.journal.jetstream import JetStreamJournals, NatsOptions
from mesh.encryption.keys import Encryption, KeyEncryptionKey, KeyRing
from tests.nats import NatsServer


class JournalHome(Protocol):
    """A place for journals that outlives those who keep them there."""

    async def start(self, *, pending_bytes: int = 2**26) -> Journals:
        """Return journals as a new process would have them."""


@dataclass(frozen=True)
class FileHome:
    """A folder; its files are small, so that every test has several."""

    directory: Path
    segment_bytes: int = 2000

    async def start(self, *, pending_bytes: int = 2**26) -> FileJournals:
        """Return journals as a new process would have them."""
        journals = FileJournals(
            self.directory, segment_bytes=self.segment_bytes, pending_bytes=pending_bytes
        )
        await journals.prepare()
        return journals


@dataclass(frozen=True)
class StreamHome:
    """A stream of a real NATS server."""

    server: NatsServer
    stream: str

    async def start(self, *, pending_bytes: int = 2**26) -> JetStreamJournals:
        """Return journals as a new process would have them."""
        journals = JetStreamJournals(
            [self.server.url],
            NatsOptions(stream=self.stream),
            owner="0" * 32,
            pending_bytes=pending_bytes,
        )
        await journals.prepare()
        return journals


@dataclass(frozen=True)
class EncryptedHome:
    """Another home, with a key for what is kept in it."""

    home: JournalHome

    async def start(self, *, pending_bytes: int = 2**26) -> EncryptedJournals:
        """Return journals as a new process would have them."""
        keys = KeyRing([KeyEncryptionKey(bytes(32))])
        journals = await self.home.start(pending_bytes=pending_bytes)
        return EncryptedJournals(journals, Encryption(keys, required=True))


@asynccontextmanager
async def started(home: JournalHome, *, pending_bytes: int = 2**26) -> AsyncIterator[Journals]:
    """Keep journals for a while."""
    journals = await home.start(pending_bytes=pending_bytes)
    try:
        yield journals
    finally:
        await journals.close()


async def all_records(journal: NetworkJournal, after: int = 0) -> list[JournalRecord]:
    """Return the records after a position."""
    return [record async for record in journal.read(after)]
