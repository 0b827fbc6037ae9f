"""Journals in JetStream: a server that goes and comes, damage, other writers."""

import asyncio
import random
from pathlib import Path

import nats.js.api
import pytest

from kyouko.storage.journal import NatsOptions, prepared_journals
from kyouko.storage.journal.batches import encode
from kyouko.storage.journal.jetstream import JetStreamJournals
from kyouko.storage.journal.jetstream_messages import Overtaken, Subject
from kyouko.storage.journal.pending import PendingRecord
from mesh.errors import Unavailable
from tests.integration.kyouko.journals.streams import (
    OWNER,
    STREAM,
    SUBJECT,
    UID,
    append_all,
    kept,
    positions,
    stream_of,
)
from tests.nats import NatsServer, running_nats


async def test_nothing_is_lost_when_the_server_is_killed_while_appending(
    own_nats: NatsServer,
) -> None:
    """Killed and started again, again and again: all records, each once, in their order."""
    chance = random.Random(7)
    payloads = [chance.randbytes(chance.choice([10, 1000, 200_000])) for _ in range(300)]

    async with kept(own_nats) as journals:
        journal = await journals.open(UID, after=0)
        for number, payload in enumerate(payloads):
            journal.append([payload])
            if number % 60 == 30:
                await asyncio.to_thread(own_nats.kill)
                journal.append([b"while it is away"])
                await asyncio.to_thread(own_nats.start)
            await asyncio.sleep(0.001)
        await journal.flush()
    async with kept(own_nats) as journals:
        journal = await journals.open(UID, after=0)
        found = [record.data async for record in journal.read(0)]

    expected = []
    for number, payload in enumerate(payloads):
        expected += [payload, b"while it is away"] if number % 60 == 30 else [payload]
    assert expected == found
    assert None is journal.damage


async def test_a_server_that_stays_away_is_told_and_got_over(own_nats: NatsServer) -> None:
    """After the patience callers are refused; what was appended arrives when it is back."""
    async with kept(own_nats, patience_seconds=0.3) as journals:
        journal = await journals.open(UID, after=0)
        await append_all(journal, [b"before"])
        await asyncio.to_thread(own_nats.kill)
        journal.append([b"pending"])
        with pytest.raises(Unavailable) as refused:
            await journal.flush()
        with pytest.raises(Unavailable):
            await journal.room()
        with pytest.raises(Unavailable):
            await journals.check()
        durable = journal.durable_position
        moved = asyncio.Event()
        journal.watch(moved.set)
        await asyncio.to_thread(own_nats.start)
        await moved.wait()
        await journal.room()
        await journals.check()
        found = [record.data async for record in journal.read(0)]

    assert ("JOURNAL_UNAVAILABLE", 1) == (refused.value.reason, durable)
    assert refused.value.metadata["problem"].startswith("NATS")
    assert [b"before", b"pending"] == found


async def test_records_longer_than_a_message_come_back_whole(nats_server: NatsServer) -> None:
    """A record of several MiB is sent in parts, between short ones."""
    long = random.Random(3).randbytes(3_500_000)

    async with kept(nats_server) as journals:
        await journals.delete(UID)
        journal = await journals.open(UID, after=0)
        for payload in (b"short", long, b"short again"):
            journal.append([payload])
        await journal.flush()
        await journal.close()
        journal = await journals.open(UID, after=0)
        found = [record.data async for record in journal.read(0)]

    assert [b"short", long, b"short again"] == found


async def test_a_batch_that_was_not_finished_counts_for_nothing(own_nats: NatsServer) -> None:
    """A process that died between two parts leaves no damage, and the next goes on."""
    record = PendingRecord(2, [bytes(3000)], 3000)
    parts = encode([record], base=1, most_bytes=1000)

    async with kept(own_nats) as journals:
        await append_all(await journals.open(UID, after=0), [b"one"])
    async with stream_of(own_nats) as stream:
        for part in parts[:-1]:
            await stream.publish(SUBJECT, part)
    async with kept(own_nats) as journals:
        journal = await journals.open(UID, after=0)
        first = await positions(journal)
        await append_all(journal, [b"three"])
        await journal.close()
        again = await journals.open(UID, after=0)
        found = [record.data async for record in again.read(0)]

    assert ([1], None, None) == (first, journal.damage, again.damage)
    assert [b"one", b"three"] == found


async def test_a_message_of_somebody_else_is_found_out(own_nats: NatsServer) -> None:
    """When something stands in a journal that its owner did not write, nothing is mixed in."""
    async with kept(own_nats) as journals, stream_of(own_nats) as stream:
        journal = await journals.open(UID, after=0)
        await append_all(journal, [b"one"])
        await stream.publish(SUBJECT, b"nonsense" * 10)
        journal.append([b"two"])

        with pytest.raises(Unavailable, match="another process writes"):
            await journal.flush()
        messages = (await stream.stream_info(STREAM)).state.messages

    assert 2 == messages


async def test_a_message_written_twice_is_there_once(own_nats: NatsServer) -> None:
    """When an answer was lost the same message is sent again, and its place comes back."""
    async with kept(own_nats), stream_of(own_nats) as stream:
        subject = Subject(stream._nc, stream, STREAM, SUBJECT)
        first = await subject.write(b"x", message_id="a", behind=0, seconds=2)
        again = await subject.write(b"x", message_id="a", behind=0, seconds=2)
        second = await subject.write(b"y", message_id="b", behind=first, seconds=2)
        with pytest.raises(Overtaken):
            await subject.write(b"z", message_id="c", behind=first, seconds=2)
        last = await subject.last_sequence()

    assert (first, second) == (again, last)


async def test_a_missing_message_is_damage(own_nats: NatsServer) -> None:
    """Records behind the gap are not read; the journal goes on from the last good one."""
    async with kept(own_nats) as journals:
        await append_all(await journals.open(UID, after=0), [b"x"] * 6)
    async with stream_of(own_nats) as stream:
        await stream.delete_msg(STREAM, 3)

    async with kept(own_nats) as journals:
        damaged = await journals.open(UID, after=0)
        before = await positions(damaged)
        await append_all(damaged, [b"after"])
        await damaged.close()
        again = await journals.open(UID, after=0)
        after = await positions(again)
        await again.close()
        beyond = await journals.open(UID, after=6)
        rest = await positions(beyond, 6)

    assert damaged.damage is not None
    assert again.damage is not None
    assert "records from 3 to 3 are missing" == damaged.damage.problem
    assert (2, 2) == (damaged.damage.last_good_position, again.damage.last_good_position)
    assert ([1, 2], [1, 2, 7]) == (before, after)
    assert (None, [7]) == (beyond.damage, rest)


async def test_a_damaged_last_message_is_damage(own_nats: NatsServer) -> None:
    """A message that is no part of a journal is told, and passed over by what comes later."""
    async with kept(own_nats) as journals:
        await append_all(await journals.open(UID, after=0), [b"x"] * 2)
    async with stream_of(own_nats) as stream:
        await stream.publish(SUBJECT, b"nonsense" * 10)

    async with kept(own_nats) as journals:
        damaged = await journals.open(UID, after=0)
        await append_all(damaged, [b"after"])
        found = await positions(damaged)

    assert damaged.damage is not None
    assert (2, "a message that is no part of a journal") == (
        damaged.damage.last_good_position,
        damaged.damage.problem,
    )
    assert [1, 2, damaged.durable_position] == found
    assert damaged.durable_position > 3


async def test_a_release_keeps_the_newest_message_only(own_nats: NatsServer) -> None:
    """What a snapshot holds leaves the server, but for the message that tells the position."""
    async with kept(own_nats) as journals:
        journal = await journals.open(UID, after=0)
        await append_all(journal, [b"x"] * 6)
        await journal.release(6)
        await journal.close()
        again = await journals.open(UID, after=0)
    async with stream_of(own_nats) as stream:
        messages = (await stream.stream_info(STREAM)).state.messages

    assert (1, 6) == (messages, again.last_position)


async def test_a_stream_that_is_full_is_told_and_got_over(own_nats: NatsServer) -> None:
    """The server's own words are told; when there is room all is written, in order."""
    payloads = [bytes([number]) * 1000 for number in range(30)]
    config = nats.js.api.StreamConfig(
        name=STREAM,
        subjects=[f"{STREAM}.*"],
        discard=nats.js.api.DiscardPolicy.NEW,
        allow_direct=True,
        max_bytes=15_000,
    )
    async with stream_of(own_nats) as stream, kept(own_nats) as journals:
        await stream.update_stream(config)
        journal = await journals.open(UID, after=0)
        with pytest.raises(Unavailable, match="maximum bytes") as refused:
            await append_all(journal, payloads)
        with pytest.raises(Unavailable):
            await journal.room()
        durable, last = journal.durable_position, journal.last_position
        moved = asyncio.Event()
        journal.watch(moved.set)
        await stream.update_stream(config.evolve(max_bytes=-1))
        while journal.durable_position < last:
            await moved.wait()
            moved.clear()
        await append_all(journal, payloads[last:])
        found = [record.data async for record in journal.read(0)]

    assert "JOURNAL_UNAVAILABLE" == refused.value.reason
    assert 5 < durable < last < 30
    assert payloads == found


async def test_a_server_without_jetstream_is_refused_at_the_start(tmp_path: Path) -> None:
    """The message says what is missing."""
    server = NatsServer(tmp_path, has_jetstream=False)
    server.start()

    try:
        with pytest.raises(SystemExit, match="JetStream is off"):
            await JetStreamJournals([server.url], owner=OWNER).prepare()
    finally:
        server.kill()


async def test_a_server_that_is_not_there_is_told_at_the_start(free_port: int) -> None:
    """Nobody waits for ever for an address that is wrong."""
    with pytest.raises(SystemExit, match=r"cannot keep journals in nats://127\.0\.0\.1"):
        await JetStreamJournals(
            [f"nats://127.0.0.1:{free_port}"], NatsOptions(patience_seconds=0.5), owner=OWNER
        ).prepare()


async def test_a_stream_that_forgets_is_refused_at_the_start(own_nats: NatsServer) -> None:
    """A stream somebody made with limits of its own would lose records in silence."""
    async with stream_of(own_nats) as stream:
        await stream.add_stream(
            nats.js.api.StreamConfig(name=STREAM, subjects=[f"{STREAM}.*"], max_age=60)
        )

    with pytest.raises(SystemExit, match="discards old messages"):
        await JetStreamJournals([own_nats.url], owner=OWNER).prepare()


@pytest.mark.parametrize(
    ("arguments", "right", "wrong"),
    [
        (["--user", "kyouko", "--pass", "se:cret"], "kyouko:se:cret\n", "kyouko:wrong"),
        (["--auth", "a-token"], "a-token\n", "another"),
    ],
)
async def test_credentials_come_from_a_file(
    tmp_path: Path, arguments: list[str], right: str, wrong: str
) -> None:
    """User and password, or a token, open the server; a wrong one is told at the start."""
    secret = tmp_path / "secret"
    options = NatsOptions(credentials_file=secret, patience_seconds=1.0)
    with running_nats(arguments) as server:
        secret.write_text(wrong)
        with pytest.raises(SystemExit, match="Authorization"):
            await prepared_journals(server.url, folder=tmp_path, nats=options)
        secret.write_text(right)
        journals = await prepared_journals(server.url, folder=tmp_path, nats=options)
        await journals.check()
        names = await journals.uids()
        await journals.close()

    assert set() == names
