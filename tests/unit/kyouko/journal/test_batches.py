"""Batches of records as messages: whatever happens to one of them is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.storage.journal.batches import HEAD_BYTES, BatchReader, encode, fitting
from kyouko.storage.journal.pending import PendingRecord
from kyouko.storage.journal.records import RECORD_BYTES

PAYLOADS = [b"one" * 9, b"", b"three" * 30, b"four"]


def records(first: int, payloads: list[bytes]) -> list[PendingRecord]:
    """Return records as a journal would send them."""
    return [
        PendingRecord(first + number, [payload[:2], memoryview(payload)[2:]], len(payload))
        for number, payload in enumerate(payloads)
    ]


def messages_of(payloads: list[bytes], most_bytes: int) -> list[bytes]:
    """Return the messages of a journal whose batches have at most two records."""
    messages = []
    for start in range(0, len(payloads), 2):
        batch = records(start + 1, payloads[start : start + 2])
        messages += encode(batch, base=start, most_bytes=most_bytes)
    return messages


def read(messages: list[bytes], after: int = 0) -> tuple[BatchReader, list[bytes]]:
    """Return what a reader makes of messages."""
    reader = BatchReader("stream", after=after)
    found = [
        record.data
        for sequence, data in enumerate(messages, 1)
        for record in reader.take(sequence, data)
    ]
    reader.end()
    return reader, found


@given(
    payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=9),
    most_bytes=st.integers(HEAD_BYTES + 1, 600),
)
def test_records_come_back_from_parts_of_any_length(payloads: list[bytes], most_bytes: int) -> None:
    """No message is longer than allowed, and the records in them are what they were."""
    messages = messages_of(payloads, most_bytes)

    reader, found = read(messages)

    assert max(map(len, messages)) <= most_bytes
    assert (payloads, None, len(payloads)) == (found, reader.damage, reader.highest)


@pytest.mark.parametrize("most_bytes", [80, 1000])
@given(data=st.data())
def test_a_changed_byte_is_found_wherever_it_is(most_bytes: int, data: st.DataObject) -> None:
    """What is read is a beginning of what was written, and the rest is told as damage.

    The parts of the last batch are the exception: without one of them it was never finished.
    """
    messages = messages_of(PAYLOADS, most_bytes)
    number = data.draw(st.integers(0, len(messages) - 1))
    place = data.draw(st.integers(0, len(messages[number]) - 1))
    changed = bytearray(messages[number])
    changed[place] ^= data.draw(st.integers(1, 255))

    reader, found = read([*messages[:number], bytes(changed), *messages[number + 1 :]])

    assert PAYLOADS[: len(found)] == found
    assert len(found) < len(PAYLOADS)
    assert reader.damage is not None
    assert len(found) == reader.damage.last_good_position
    assert reader.highest >= len(PAYLOADS)


@given(st.integers(0, 7))
def test_a_missing_message_is_found(number: int) -> None:
    """Unless it is of the last batch, which then was never finished."""
    messages = messages_of(PAYLOADS, 80)
    number %= len(messages)

    reader, found = read([*messages[:number], *messages[number + 1 :]])

    assert PAYLOADS[: len(found)] == found
    assert len(found) in {0, 2}
    assert (reader.damage is None) == (len(found) == 2)


def test_what_a_snapshot_holds_is_passed_over() -> None:
    """Only later records come, also when the snapshot ends in the middle of a batch."""
    messages = messages_of(PAYLOADS, 1000)

    reader, found = read([b"nonsense", *messages[1:]], after=3)

    assert ([b"four"], None) == (found, reader.damage)


@pytest.mark.parametrize(("room", "count"), [(0, 1), (2, 2), (1, 1), (10_000, 3)])
def test_a_message_takes_what_fits_but_at_least_one(room: int, count: int) -> None:
    """A record that is too long for any message goes alone, in parts."""
    batch = records(1, [b"a", b"bb", b"ccc"])

    found = fitting(batch, HEAD_BYTES + 2 * RECORD_BYTES + 1 + room)

    assert count == found
