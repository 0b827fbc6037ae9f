"""Journal files after crashes and damage: nothing silently wrong."""

import asyncio
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyouko.ports import JournalDamage
from kyouko.storage.journal.records import MARKER, RECORD_BYTES
from kyouko.storage.journal.segment import HEADER_BYTES
from mesh.errors import Unavailable
from tests.unit.kyouko.journal.journal_files import (
    UID,
    prepared,
    read,
    read_now,
    record_sizes,
    segments,
    set_aside,
    write,
    write_now,
)

PAYLOADS = [b"first" * 5, b"", b"third" * 9, b"the last one"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a segment with four records."""
    directory = tmp_path_factory.mktemp("whole")
    write_now(directory, PAYLOADS)
    return segments(directory)[0].read_bytes()


def put_segment(directory: Path, content: bytes) -> Path:
    """Write the first segment of a journal."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / UID).mkdir(parents=True)
    path = directory / UID / f"{1:020d}.journal"
    path.write_bytes(content)
    return path


def test_a_cut_off_record_is_removed_wherever_it_is_cut(tmp_path: Path, whole: bytes) -> None:
    """At every length of the last record the ones before it stay, and the next takes its place."""
    shortest = len(whole) - record_sizes(PAYLOADS)[-1]
    for length in range(shortest, len(whole)):
        put_segment(tmp_path, whole[:length])

        found = read_now(tmp_path)
        write_now(tmp_path, [b"next"])
        again = read_now(tmp_path)

        assert ([1, 2, 3], PAYLOADS[:3], None) == (found.positions, found.payloads, found.damage)
        assert [*PAYLOADS[:3], b"next"] == again.payloads
        assert [] == set_aside(tmp_path)


@pytest.mark.parametrize("garbage", [b"\0" * 5000, b"x", MARKER * 100, bytes(range(256)) * 9])
def test_garbage_at_the_end_is_removed(tmp_path: Path, whole: bytes, garbage: bytes) -> None:
    """Bytes that no record begins with, as a crash may leave them, go away."""
    path = put_segment(tmp_path, whole + garbage)

    found = read_now(tmp_path)

    assert (PAYLOADS, None) == (found.payloads, found.damage)
    assert whole == path.read_bytes()


def test_records_in_a_payload_are_not_taken_for_records(tmp_path: Path, whole: bytes) -> None:
    """A sender who writes records of another file into rows cannot make a cut look like damage."""
    write_now(tmp_path, [b"good", whole])
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-1])

    found = read_now(tmp_path)

    assert ([b"good"], None) == (found.payloads, found.damage)


@settings(max_examples=120)
@given(data=st.data())
def test_a_changed_byte_is_found_wherever_it_is(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    """Records before it are good; behind it there is damage, unless it is the very last record."""
    place = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.integers(1, 255))
    directory = tmp_path_factory.mktemp("changed")
    changed = bytes([*whole[:place], whole[place] ^ change, *whole[place + 1 :]])
    put_segment(directory, changed)

    found = read_now(directory)

    good = good_records(place)
    assert (PAYLOADS[:good], list(range(1, good + 1))) == (found.payloads, found.positions)
    if good == len(PAYLOADS) - 1:
        assert (None, good) == (found.damage, found.last_position)
    else:
        assert found.damage is not None
        assert (f"{1:020d}.journal", good) == (
            found.damage.place,
            found.damage.last_good_position,
        )
        assert found.last_position >= len(PAYLOADS)
        assert changed == next((directory / UID).glob("*.damaged")).read_bytes()


def good_records(place: int) -> int:
    """Return how many records end before a byte; none when it is in the header."""
    end = HEADER_BYTES
    for count, size in enumerate(record_sizes(PAYLOADS)):
        end += size
        if place < end:
            return count if place >= HEADER_BYTES else 0
    raise AssertionError(place)


async def test_damage_is_told_until_a_snapshot_is_beyond_it(tmp_path: Path) -> None:
    """A process that dies before it has dealt with the damage hears of it again."""
    await write(tmp_path, [b"x" * 100] * 9)
    damage_record(segments(tmp_path)[0], 4, 100)

    first = await read(tmp_path)
    second = await read(tmp_path)
    third = await read(tmp_path, after=second.last_position)

    assert JournalDamage(f"{1:020d}.journal", 3, "record 4 is damaged") == first.damage
    assert second.damage is not None
    assert (3, [1, 2, 3]) == (second.damage.last_good_position, second.positions)
    assert None is third.damage


async def test_what_is_appended_after_damage_stays(tmp_path: Path) -> None:
    """The journal goes on from the last good record, above all positions that were in use."""
    await write(tmp_path, [b"x" * 100] * 9)
    damage_record(segments(tmp_path)[0], 4, 100)
    damaged = await read(tmp_path)

    await write(tmp_path, [b"after"] * 2)
    found = await read(tmp_path)
    await write(tmp_path, [b"later"], segment_bytes=300)
    later = await read(tmp_path)

    next_position = damaged.last_position + 1
    assert next_position > 9
    assert [1, 2, 3, next_position, next_position + 1] == found.positions
    assert [*found.positions, next_position + 2] == later.positions
    assert [b"after", b"after", b"later"] == later.payloads[3:]
    assert 1 == len(set_aside(tmp_path))


async def test_damage_in_the_middle_sets_later_segments_aside(tmp_path: Path) -> None:
    """Records behind a damaged one build on what is lost, so they are not replayed."""
    await write(tmp_path, [b"x" * 100] * 12, segment_bytes=500)
    before = segments(tmp_path)
    damage_record(before[1], 1, 100)

    found = await read(tmp_path)

    assert found.damage is not None
    assert before[1].name == found.damage.place
    assert ([1, 2, 3], 3) == (found.positions, found.damage.last_good_position)
    assert len(before) - 1 == len(set_aside(tmp_path))


async def test_a_missing_segment_is_damage(tmp_path: Path) -> None:
    """A file that somebody removed is missed, and what came after it is set aside."""
    await write(tmp_path, [b"x" * 100] * 12, segment_bytes=500)
    names = segments(tmp_path)
    names[1].unlink()

    found = await read(tmp_path)

    first_missing, first_there = (int(names[place].stem) for place in (1, 2))
    assert found.damage is not None
    assert f"records from {first_missing} to {first_there - 1} are missing" == found.damage.problem
    assert list(range(1, first_missing)) == found.positions


async def test_a_missing_first_segment_is_damage(tmp_path: Path) -> None:
    """Records that the snapshot does not hold and no file either are missed."""
    await write(tmp_path, [b"x" * 100] * 12, segment_bytes=500)
    names = segments(tmp_path)
    names[0].unlink()

    missed = await read(tmp_path, after=1)

    assert missed.damage is not None
    assert (1, []) == (missed.damage.last_good_position, missed.positions)


async def test_damage_that_a_snapshot_is_beyond_harms_nobody(tmp_path: Path) -> None:
    """Segments of which no record is needed are not even read."""
    await write(tmp_path, [b"x" * 100] * 12, segment_bytes=500)
    names = segments(tmp_path)
    names[0].write_bytes(b"nonsense")
    needed = int(names[1].stem)

    found = await read(tmp_path, after=needed - 1)

    assert (None, list(range(needed, 13))) == (found.damage, found.positions)


async def test_the_file_of_another_network_is_refused(tmp_path: Path) -> None:
    """Rows of one network never reach another, also if somebody mixes up files."""
    await write(tmp_path, [b"of a"])
    other = "0" * 31 + "b"
    (tmp_path / UID).rename(tmp_path / other)
    journals = await prepared(tmp_path)

    journal = await journals.open(other, after=0)
    found = [record async for record in journal.read(0)]
    await journals.close()

    assert journal.damage is not None
    assert ("the header belongs to another file", []) == (journal.damage.problem, found)


async def test_a_segment_that_was_not_finished_is_removed(tmp_path: Path) -> None:
    """A new file has its name only when it is durable; before that it counts for nothing."""
    await write(tmp_path, [b"one"])
    unfinished = tmp_path / UID / f"{2:020d}.new"
    unfinished.write_bytes(b"HANAMI")

    found = await read(tmp_path)

    assert ([b"one"], None, False) == (found.payloads, found.damage, unfinished.exists())


async def test_what_a_new_segment_replaces_is_passed_over(tmp_path: Path) -> None:
    """A file left after a failed sync ends where the next one says, whatever follows in it."""
    await write(tmp_path, [b"x" * 100] * 3)
    first = segments(tmp_path)[0]
    longer = first.read_bytes()
    await write(tmp_path, [b"y"], segment_bytes=200)
    first.write_bytes(longer + longer[HEADER_BYTES:-7])

    found = await read(tmp_path)

    assert ([1, 2, 3, 4], None) == (found.positions, found.damage)


async def test_two_processes_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second one is told so at its start; it may come when the first has ended."""
    first = await prepared(tmp_path)

    with pytest.raises(SystemExit, match="another process"):
        await prepared(tmp_path)
    await first.close()
    second = await prepared(tmp_path)
    names = await second.uids()
    await second.close()

    assert set() == names


async def test_an_open_that_is_left_does_not_disturb_the_next(tmp_path: Path) -> None:
    """Repair goes on in its thread when its caller leaves; the next one waits for it."""
    await write(tmp_path, [b"one"])
    journals = await prepared(tmp_path)
    left = asyncio.create_task(journals.open(UID, after=0))
    await asyncio.sleep(0)
    left.cancel()

    journal = await journals.open(UID, after=0)
    found = [record.data async for record in journal.read(0)]
    await journals.close()

    assert [b"one"] == found


async def test_a_folder_that_is_a_file_is_unavailable(tmp_path: Path) -> None:
    """What cannot be opened now says so; nothing is changed."""
    await write(tmp_path, [b"one"])
    journals = await prepared(tmp_path)
    broken = segments(tmp_path)[0]
    broken.unlink()
    broken.mkdir()

    with pytest.raises(Unavailable) as refused:
        await journals.open(UID, after=0)
    await journals.close()

    assert ("JOURNAL_UNAVAILABLE", "is a directory") == (
        refused.value.reason,
        refused.value.metadata["problem"],
    )


def damage_record(path: Path, number: int, size: int) -> None:
    """Change a byte in the payload of one of the records of a segment, all of one size."""
    content = bytearray(path.read_bytes())
    content[HEADER_BYTES + (number - 1) * (RECORD_BYTES + size) + RECORD_BYTES] ^= 1
    path.write_bytes(content)
