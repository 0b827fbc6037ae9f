"""What every journal promises."""

import asyncio

import pytest

from kyouko.ports import JournalRecord
from tests.contract.kyouko.journal_homes import JournalHome, all_records, started

ONE = "0" * 31 + "1"
TWO = "0" * 31 + "2"


def payload(number: int, size: int = 300) -> bytes:
    """Return bytes that tell which record they belong to."""
    return (f"{number:08d}" * (size // 8 + 1)).encode()[:size]


async def test_records_come_back_in_order_after_a_restart(journal_home: JournalHome) -> None:
    """What was flushed is read again by the next process: same positions, same bytes."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        positions = [journal.append([payload(number)]) for number in range(1, 41)]
        await journal.flush()

    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        found = await all_records(journal)

    assert list(range(1, 41)) == positions
    assert [JournalRecord(number, payload(number)) for number in range(1, 41)] == found
    assert (None, 40, 40) == (journal.damage, journal.last_position, journal.durable_position)


async def test_a_record_is_the_sum_of_its_parts(journal_home: JournalHome) -> None:
    """Bytes and views of any shape, empty ones among them, become one payload."""
    numbers = memoryview(bytes(range(64))).cast("B", (8, 8))
    parts: list[bytes | memoryview] = [
        b"head",
        memoryview(b"-"),
        memoryview(b""),
        numbers,
        b"",
        memoryview(bytes(9000)),
    ]

    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        journal.append(parts)
        journal.append([])
        await journal.flush()
        found = await all_records(journal)

    assert [b"head-" + bytes(range(64)) + bytes(9000), b""] == [record.data for record in found]


async def test_closing_makes_the_rest_durable(journal_home: JournalHome) -> None:
    """Records appended just before the journal is closed are there afterwards."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        for number in range(1, 6):
            journal.append([payload(number)])
        await journal.close()

    async with started(journal_home) as journals:
        again = await journals.open(ONE, after=0)
        found = await all_records(again)

    assert [1, 2, 3, 4, 5] == [record.position for record in found]


async def test_watchers_hear_when_records_become_durable(journal_home: JournalHome) -> None:
    """Nobody has to ask: `durable_position` moves by itself, and says so on the loop."""
    heard: list[int] = []
    moved = asyncio.Event()

    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)

        def note() -> None:
            heard.append(journal.durable_position)
            moved.set()

        stop = journal.watch(note)
        journal.append([payload(1)])
        await moved.wait()
        stop()
        journal.append([payload(2)])
        await journal.flush()

    assert [1] == heard


async def test_appending_works_from_another_thread(journal_home: JournalHome) -> None:
    """A worker appends while the loop flushes; nothing is lost or out of order."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)

        def work() -> None:
            for number in range(1, 301):
                journal.append([payload(number, 40)])

        worker = asyncio.create_task(asyncio.to_thread(work))
        while not worker.done():
            await journal.flush()
            await asyncio.sleep(0)
        await worker
        await journal.flush()
        found = await all_records(journal)

    assert [JournalRecord(number, payload(number, 40)) for number in range(1, 301)] == found


async def test_reading_begins_after_a_position(journal_home: JournalHome) -> None:
    """Records that a snapshot holds are not read again."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        for number in range(1, 31):
            journal.append([payload(number)])
        await journal.flush()
        found = [[record.position for record in await all_records(journal, n)] for n in (0, 17, 30)]

    assert [list(range(1, 31)), list(range(18, 31)), []] == found


async def test_released_records_are_not_needed_any_more(journal_home: JournalHome) -> None:
    """After a release the records behind it are there, in a next process too."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        for number in range(1, 31):
            journal.append([payload(number)])
        await journal.flush()
        await journal.release(17)
        before = await all_records(journal, 17)

    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=17)
        after = await all_records(journal, 17)

    assert list(range(18, 31)) == [record.position for record in before]
    assert before == after


async def test_positions_go_on_after_everything_was_released(journal_home: JournalHome) -> None:
    """A journal without records does not begin anew."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        for number in range(1, 6):
            journal.append([payload(number)])
        await journal.flush()
        await journal.release(5)
        sixth = journal.append([payload(6)])
        await journal.flush()
        await journal.release(6)

    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=6)
        seventh = journal.append([payload(7)])
        await journal.flush()
        found = await all_records(journal, 6)

    assert (6, 7) == (sixth, seventh)
    assert [JournalRecord(7, payload(7))] == found


async def test_positions_are_above_those_of_the_snapshot(journal_home: JournalHome) -> None:
    """A snapshot may know of records that never became durable; their positions stay used."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        journal.append([payload(1)])
        await journal.flush()

    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=100)
        position = journal.append([payload(101)])
        await journal.flush()

    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=100)
        found = await all_records(journal, 100)

    assert 101 == position
    assert (None, [JournalRecord(101, payload(101))]) == (journal.damage, found)


async def test_an_older_snapshot_than_the_journal_builds_on_is_damage(
    journal_home: JournalHome,
) -> None:
    """Records that only the newer snapshot held are missed, not passed over in silence."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        journal.append([payload(1)])
        await journal.flush()
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=100)
        journal.append([payload(101)])
        await journal.flush()

    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        found = await all_records(journal)
        position = journal.append([payload(0)])

    assert journal.damage is not None
    assert (1, [1]) == (journal.damage.last_good_position, [record.position for record in found])
    assert position > 101


async def test_networks_do_not_see_each_other(journal_home: JournalHome) -> None:
    """Each network has positions and records of its own; deleting one leaves the other."""
    async with started(journal_home) as journals:
        one = await journals.open(ONE, after=0)
        two = await journals.open(TWO, after=0)
        one.append([b"of one"])
        two.append([b"of two"])
        await one.flush()
        await two.flush()
        names = await journals.uids()
        await one.close()
        await journals.delete(ONE)
        rest = await journals.uids()
        found = await all_records(two)

    assert ({ONE, TWO}, {TWO}) == (names, rest)
    assert [JournalRecord(1, b"of two")] == found


async def test_a_deleted_journal_is_empty_when_it_is_opened_again(
    journal_home: JournalHome,
) -> None:
    """Deleting forgets all records; deleting twice is no mistake."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        journal.append([payload(1)])
        await journal.flush()
        await journal.close()
        await journals.delete(ONE)
        await journals.delete(ONE)
        journal = await journals.open(ONE, after=0)
        found = await all_records(journal)

    assert ([], 0, None) == (found, journal.last_position, journal.damage)


async def test_an_idle_journal_is_there_when_it_was_never_written(
    journal_home: JournalHome,
) -> None:
    """Opening alone leaves nothing, and an empty journal can be flushed, read and released."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=7)
        await journal.flush()
        await journal.room()
        await journal.release(7)
        found = await all_records(journal, 7)
        names = await journals.uids()

    assert ([], set(), 7, 7) == (found, names, journal.last_position, journal.durable_position)


async def test_room_comes_back_when_records_are_durable(journal_home: JournalHome) -> None:
    """An appender that asks for room never has more waiting than allowed and one record."""
    most = 0

    async with started(journal_home, pending_bytes=100_000) as journals:
        journal = await journals.open(ONE, after=0)
        for number in range(1, 51):
            await journal.room()
            journal.append([payload(number, 20_000)])
            most = max(most, journal.last_position - journal.durable_position)
            await asyncio.sleep(0.006)
        await journal.flush()
        found = await all_records(journal)

    assert [payload(number, 20_000) for number in range(1, 51)] == [each.data for each in found]
    assert most <= 10


async def test_a_closed_journal_takes_no_records(journal_home: JournalHome) -> None:
    """What nobody would write is refused, not lost."""
    async with started(journal_home) as journals:
        journal = await journals.open(ONE, after=0)
        await journal.close()
        await journal.close()

        with pytest.raises(RuntimeError, match="closed"):
            journal.append([b"late"])


async def test_a_journal_has_one_keeper(journal_home: JournalHome) -> None:
    """Opening an open journal is a mistake of the program, and said so."""
    async with started(journal_home) as journals:
        await journals.open(ONE, after=0)

        with pytest.raises(RuntimeError, match="open already"):
            await journals.open(ONE, after=0)


@pytest.mark.parametrize("uid", ["", "..", "a/b", "a.b", "a b", "ä", "x" * 65, "*", ">"])
async def test_a_uid_cannot_lead_elsewhere(journal_home: JournalHome, uid: str) -> None:
    """Names that would be paths or wildcards are refused."""
    async with started(journal_home) as journals:
        with pytest.raises(ValueError, match="cannot be the name"):
            await journals.open(uid, after=0)


async def test_all_is_well_says_the_check(journal_home: JournalHome) -> None:
    """A place where journals can be written passes the check."""
    async with started(journal_home) as journals:
        await journals.check()
        journal = await journals.open(ONE, after=0)
        journal.append([payload(1)])
        await journal.flush()
        await journals.check()

        assert 1 == journal.durable_position
