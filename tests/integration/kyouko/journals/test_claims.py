"""Two kyoukos on one stream: one has it, the other is told; a crash gives nothing away."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats.js.api
import pytest

from kyouko.storage.journal import NatsOptions, prepared_journals
from kyouko.storage.journal.claim import known_owner
from mesh.errors import Unavailable
from tests.integration.kyouko.journals import crashing
from tests.integration.kyouko.journals.streams import (
    STREAM,
    SUBJECT,
    UID,
    append_all,
    kept,
    positions,
    stream_of,
)
from tests.nats import NatsServer

OTHER = "f" * 32
SHORT_SECONDS = 0.6


@asynccontextmanager
async def writing(url: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process that writes a journal there, from when it has opened it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        crashing.__file__,
        url,
        UID,
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    line = b""
    while not line.startswith(b"opened"):
        line = await process.stdout.readline()
        assert line, "the writer ended by itself"
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.stdout.read()
            await process.wait()


async def test_a_second_kyouko_is_refused_at_the_start(own_nats: NatsServer) -> None:
    """The message names the stream, who has it, and the setting; the first one goes on."""
    async with kept(own_nats) as journals:
        journal = await journals.open(UID, after=0)
        with pytest.raises(SystemExit) as refused:
            async with kept(own_nats, owner=OTHER):
                pass
        await append_all(journal, [b"one"])
        found = await positions(journal)

    assert f"the stream {STREAM} belongs to another kyouko" in str(refused.value)
    assert f"process {os.getpid()} on " in str(refused.value)
    assert "HANAMI_JOURNAL_STREAM" in str(refused.value)
    assert [1] == found


async def test_a_stream_that_was_given_back_is_free_at_once(own_nats: NatsServer) -> None:
    """After an end in peace another one may have it."""
    async with kept(own_nats) as journals:
        await append_all(await journals.open(UID, after=0), [b"one"])
    async with kept(own_nats, owner=OTHER) as others:
        found = await positions(await others.open(UID, after=0))

    assert [1] == found


async def test_a_crashed_owner_gets_its_stream_again_at_once(
    own_nats: NatsServer, tmp_path: Path
) -> None:
    """With the same data folder nobody waits; with another one the claim of the dead keeps."""
    async with writing(own_nats.url, tmp_path / "own") as writer:
        writer.kill()
        await writer.wait()

        with pytest.raises(SystemExit, match="belongs to another kyouko"):
            await prepared_journals(own_nats.url, folder=tmp_path / "other")
        journals = await prepared_journals(own_nats.url, folder=tmp_path / "own")
        journal = await journals.open(UID, after=0)
        found = await positions(journal)
        await journals.close()

    assert list(range(1, len(found) + 1)) == found


async def test_a_claim_that_nobody_renews_lapses(own_nats: NatsServer, tmp_path: Path) -> None:
    """Whoever is gone for good with its data folder does not keep the stream for ever."""
    options = NatsOptions(lease_seconds=SHORT_SECONDS)
    await (await prepared_journals(own_nats.url, folder=tmp_path / "first", nats=options)).close()
    refused = 0

    async with writing(own_nats.url, tmp_path / "dead") as writer:
        await asyncio.sleep(2 * SHORT_SECONDS)  # It renews its claim meanwhile.
        with pytest.raises(SystemExit):
            await prepared_journals(own_nats.url, folder=tmp_path / "other")
        writer.kill()
        await writer.wait()
        while True:
            try:
                journals = await prepared_journals(own_nats.url, folder=tmp_path / "other")
            except SystemExit:
                refused += 1
                await asyncio.sleep(0.05)
                continue
            break
        await journals.check()
        await journals.close()

    assert refused > 0


async def test_whoever_was_frozen_too_long_is_stopped(own_nats: NatsServer, tmp_path: Path) -> None:
    """A process that wakes up after its claim lapsed stops; one message may be on its way."""
    options = NatsOptions(lease_seconds=SHORT_SECONDS)
    await (await prepared_journals(own_nats.url, folder=tmp_path / "first", nats=options)).close()

    async with writing(own_nats.url, tmp_path / "frozen") as writer, stream_of(own_nats) as stream:
        writer.send_signal(signal.SIGSTOP)
        await asyncio.sleep(2 * SHORT_SECONDS)
        journals = await prepared_journals(own_nats.url, folder=tmp_path / "other")
        before = (await stream.stream_info(STREAM)).state.last_seq
        writer.send_signal(signal.SIGCONT)
        await asyncio.sleep(3 * SHORT_SECONDS)
        after = (await stream.stream_info(STREAM)).state.last_seq
        await journals.close()

    assert after - before <= 1


async def test_the_first_of_two_with_one_data_folder_is_told(own_nats: NatsServer) -> None:
    """With a copied data folder the newer one has the stream; the older one refuses from then."""
    async with (
        kept(own_nats, lease_seconds=SHORT_SECONDS) as older,
        stream_of(own_nats) as stream,
    ):
        journal = await older.open(UID, after=0)
        moved = asyncio.Event()
        journal.watch(moved.set)
        async with kept(own_nats) as newer:
            await moved.wait()
            with pytest.raises(Unavailable, match="belongs to another kyouko") as told:
                await journal.room()
            with pytest.raises(Unavailable):
                await older.check()
            with pytest.raises(Unavailable):
                await older.open("b", after=0)
            with pytest.raises(Unavailable):
                await older.delete(UID)
            journal.append([b"too late"])
            with pytest.raises(Unavailable):
                await journal.flush()
            await append_all(await newer.open(UID, after=0), [b"one"])
        subjects = (await stream.stream_info(STREAM, subjects_filter=">")).state.subjects

    assert "JOURNAL_UNAVAILABLE" == told.value.reason
    assert {SUBJECT: 1} == subjects


async def test_a_claim_outlives_the_server(own_nats: NatsServer) -> None:
    """The server was away for longer than the claim lasts: its owner has it again, and writes."""
    async with kept(own_nats, lease_seconds=SHORT_SECONDS) as journals:
        journal = await journals.open(UID, after=0)
        await asyncio.to_thread(own_nats.kill)
        await asyncio.sleep(2 * SHORT_SECONDS)
        journal.append([b"while it was away"])
        await asyncio.to_thread(own_nats.start)
        await journal.flush()
        found = [record.data async for record in journal.read(0)]
        with pytest.raises(SystemExit, match="belongs to another kyouko"):
            async with kept(own_nats, owner=OTHER):
                pass

    assert [b"while it was away"] == found


async def test_a_claim_nobody_can_read_belongs_to_somebody(own_nats: NatsServer) -> None:
    """What stands there is not overwritten; a bucket whose entries never lapse is refused."""
    async with stream_of(own_nats) as stream:
        bucket = await stream.create_key_value(bucket=f"{STREAM}-claim", ttl=60.0)
        await bucket.put("owner", b"[1, 2]")
        with pytest.raises(SystemExit, match="a process unknown"):
            async with kept(own_nats):
                pass
        await stream.delete_key_value(f"{STREAM}-claim")
        await stream.create_key_value(nats.js.api.KeyValueConfig(bucket=f"{STREAM}-claim"))
        with pytest.raises(SystemExit, match="never lapses"):
            async with kept(own_nats):
                pass
        await stream.delete_key_value(f"{STREAM}-claim")
        async with kept(own_nats) as journals:
            await journals.check()


def test_an_owner_keeps_its_id(tmp_path: Path) -> None:
    """A data folder has one id, for ever; what is no id is replaced."""
    first = known_owner(tmp_path / "journal")
    again = known_owner(tmp_path / "journal")
    (tmp_path / "journal" / "owner").write_bytes(b"\xff\x00")
    new = known_owner(tmp_path / "journal")

    assert first == again
    assert new != first
    assert known_owner(tmp_path / "journal") == new
