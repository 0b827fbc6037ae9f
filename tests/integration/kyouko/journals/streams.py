"""Journals on a NATS server, and a look at what is in its stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.js import JetStreamContext

from kyouko.ports import NetworkJournal
from kyouko.storage.journal.jetstream import JetStreamJournals, NatsOptions
from tests.nats import NatsServer

UID = "0" * 31 + "a"
STREAM = "hanami-journal"
SUBJECT = f"{STREAM}.{UID}"
OWNER = "0" * 31 + "1"


@asynccontextmanager
async def kept(
    server: NatsServer,
    *,
    owner: str = OWNER,
    patience_seconds: float = 30.0,
    lease_seconds: float = 15.0,
    flush_seconds: float = 0.001,
) -> AsyncIterator[JetStreamJournals]:
    """Keep journals there for a while."""
    journals = JetStreamJournals(
        [server.url],
        NatsOptions(patience_seconds=patience_seconds, lease_seconds=lease_seconds),
        owner=owner,
        flush_seconds=flush_seconds,
    )
    await journals.prepare()
    try:
        yield journals
    finally:
        await journals.close()


@asynccontextmanager
async def stream_of(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    """Connect to the server as somebody else would."""
    client = await nats.connect(server.url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def positions(journal: NetworkJournal, after: int = 0) -> list[int]:
    """Return the positions that can be read."""
    return [record.position async for record in journal.read(after)]


async def append_all(journal: NetworkJournal, payloads: list[bytes]) -> None:
    """Append records, each in a message of its own."""
    for payload in payloads:
        journal.append([payload])
        await journal.flush()
