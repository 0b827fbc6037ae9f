"""What every home of the audit log and of the error log has to do."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shiori.domain.logs.records import (
    AuditEntry,
    EntryFilter,
    ErrorFilter,
    ErrorRecord,
    Kind,
    Outcome,
    Position,
)
from shiori.ports import AuditRepository, ErrorRepository
from tests.factories import NOON

EVERYTHING = EntryFilter()
SECOND = timedelta(seconds=1)


def entry(number: int, **changes: Any) -> AuditEntry:
    """Return the entry of a call, made so many seconds after noon."""
    values: dict[str, Any] = {
        "entry_id": f"{number:032x}",
        "kind": Kind.CALL,
        "time": NOON + number * SECOND,
        "principal": "users/alice",
        "method": "hanami.kyouko.v1.NetworkService/CreateNetwork",
    }
    return AuditEntry(**(values | changes))


def error(number: int, **changes: Any) -> ErrorRecord:
    """Return the record of an error, logged so many seconds after noon."""
    values: dict[str, Any] = {
        "incident": f"{number:032x}",
        "time": NOON + number * SECOND,
        "service": "kyouko",
        "event": "unexpected error",
        "principal": "users/alice",
    }
    return ErrorRecord(**(values | changes))


async def ids(
    repository: AuditRepository, wanted: EntryFilter = EVERYTHING, own: str = ""
) -> list[int]:
    """Return the numbers of the entries found, newest first."""
    found = await repository.newest(wanted, own=own, after=None, limit=100)
    return [int(entry.entry_id, 16) for entry in found]


async def incidents(
    repository: ErrorRepository, wanted: ErrorFilter | None = None, own: str = ""
) -> list[int]:
    """Return the numbers of the records found, newest first."""
    found = await repository.newest(wanted or ErrorFilter(), own=own, after=None, limit=100)
    return [int(error.incident, 16) for error in found]


async def test_entry_comes_back_as_it_was(audit_entries: AuditRepository) -> None:
    """Every field survives, and the sequence is given."""
    made = entry(
        1,
        kind=Kind.STREAM_CLOSED,
        duration=timedelta(days=3, microseconds=7),
        claimed_principal="users/bob",
        service="kyouko",
        resource="projects/garden/networks/roses",
        project_id="garden",
        address="2001:db8::1",
        via="127.0.0.1",
        code="INTERNAL",
        reason="INTERNAL",
        incident="f" * 32,
        trace_id="e" * 32,
        token_id="d" * 32,
        stream_id="c" * 32,
        row_count=2**40,
        caller_left=True,
        lost_count=5,
    )

    await audit_entries.add([made])

    found = await audit_entries.newest(EVERYTHING, own="", after=None, limit=10)
    assert [replace(made, sequence=1)] == list(found)


async def test_entry_that_is_there_is_left_alone(audit_entries: AuditRepository) -> None:
    """A batch that comes again adds only what is new."""
    await audit_entries.add([entry(1), entry(2)])

    await audit_entries.add([entry(2, principal="users/mallory"), entry(3)])

    found = await audit_entries.newest(EVERYTHING, own="users/alice", after=None, limit=10)
    assert [3, 2, 1] == [int(item.entry_id, 16) for item in found]


async def test_nothing_may_be_added(audit_entries: AuditRepository) -> None:
    """An empty batch is no error."""
    await audit_entries.add([])

    assert 0 == await audit_entries.last_sequence()


async def test_newest_come_first_whenever_they_arrive(audit_entries: AuditRepository) -> None:
    """A listing is ordered by time, and by id within one moment."""
    await audit_entries.add([entry(3), entry(1)])
    await audit_entries.add([entry(2), entry(4, time=NOON + 3 * SECOND)])

    assert [4, 3, 2, 1] == await ids(audit_entries)


async def test_listing_goes_on_after_a_position(audit_entries: AuditRepository) -> None:
    """A page begins after the last entry of the one before, also within one moment."""
    await audit_entries.add([entry(number, time=NOON) for number in (1, 2, 3)])
    await audit_entries.add([entry(4, time=NOON - SECOND)])
    first = await audit_entries.newest(EVERYTHING, own="", after=None, limit=2)

    second = await audit_entries.newest(
        EVERYTHING, own="", after=Position(first[-1].time, first[-1].entry_id), limit=2
    )

    assert [[3, 2], [1, 4]] == [[int(e.entry_id, 16) for e in page] for page in (first, second)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EntryFilter(user="users/bob"), [3, 2]),
        (EntryFilter(project_id="garden"), [4]),
        (EntryFilter(method="hanami.misaki.v1.TokenService/Login"), [3]),
        (EntryFilter(method="Login"), [3]),
        (EntryFilter(method="ogin"), []),
        (EntryFilter(method="_____"), []),
        (EntryFilter(resource="projects/garden"), [4]),
        (EntryFilter(outcome=Outcome.SUCCEEDED), [2, 1]),
        (EntryFilter(outcome=Outcome.FAILED), [4, 3]),
        (EntryFilter(outcome=Outcome.REFUSED), [3]),
        (EntryFilter(start=NOON + 3 * SECOND), [4, 3]),
        (EntryFilter(end=NOON + 3 * SECOND), [2, 1]),
        (EntryFilter(user="users/bob", outcome=Outcome.SUCCEEDED), [2]),
    ],
)
async def test_filter_finds_what_fits_all_its_fields(
    audit_entries: AuditRepository, wanted: EntryFilter, expected: list[int]
) -> None:
    """Each field of a filter narrows the listing."""
    await audit_entries.add(
        [
            entry(1),
            entry(2, principal="users/bob"),
            entry(
                3,
                principal="",
                claimed_principal="users/bob",
                method="hanami.misaki.v1.TokenService/Login",
                code="UNAUTHENTICATED",
            ),
            entry(4, project_id="garden", resource="projects/garden", code="NOT_FOUND"),
        ]
    )

    assert expected == await ids(audit_entries, wanted)


async def test_own_entries_are_calls_and_logins(audit_entries: AuditRepository) -> None:
    """One's own are what one did, and what others did in one's name."""
    await audit_entries.add(
        [
            entry(1),
            entry(2, principal="", claimed_principal="users/alice"),
            entry(3, principal="users/bob"),
            entry(4, principal=""),
        ]
    )

    assert [2, 1] == await ids(audit_entries, own="users/alice")


async def test_arrivals_come_in_the_order_of_arrival(audit_entries: AuditRepository) -> None:
    """A watch gets late entries too, up to the sequence it asks for."""
    await audit_entries.add([entry(5)])
    await audit_entries.add([entry(1, principal="users/bob"), entry(2)])
    await audit_entries.add([entry(3)])

    found = await audit_entries.arrived(EVERYTHING, own="users/alice", after=1, until=3, limit=9)

    assert [2] == [int(item.entry_id, 16) for item in found]
    assert 4 == await audit_entries.last_sequence()


async def test_old_entries_are_removed(audit_entries: AuditRepository) -> None:
    """What was before a time goes, whenever it arrived."""
    await audit_entries.add([entry(3), entry(1), entry(2)])

    removed = await audit_entries.remove_before(NOON + 2 * SECOND)

    assert (1, [3, 2]) == (removed, await ids(audit_entries))


async def test_too_much_makes_the_first_ones_go(audit_entries: AuditRepository) -> None:
    """When the bound is passed, a tenth of it is freed, from what was stored first."""
    await audit_entries.add([entry(number) for number in range(1, 101)])
    size = entry(1).size_bytes
    unneeded = await audit_entries.remove_oldest(100 * size)

    removed = await audit_entries.remove_oldest(50 * size)

    assert (0, 55) == (unneeded, removed)
    assert list(range(100, 55, -1)) == await ids(audit_entries)


async def test_sequences_of_removed_entries_never_come_again(
    audit_entries: AuditRepository,
) -> None:
    """A watch that goes on after a removed entry misses nothing."""
    await audit_entries.add([entry(1), entry(2)])
    before = await audit_entries.last_sequence()
    await audit_entries.remove_before(datetime.max.replace(tzinfo=NOON.tzinfo))

    await audit_entries.add([entry(3)])

    assert await audit_entries.last_sequence() > before


async def test_error_comes_back_as_it_was(error_records: ErrorRepository) -> None:
    """Every field survives; an unknown incident is None."""
    made = error(
        1,
        method="hanami.kyouko.v1.NetworkService/CreateNetwork",
        resource="projects/garden/networks/roses",
        project_id="garden",
        trace_id="e" * 32,
        error="ZeroDivisionError('división')",
        stack_trace="Traceback\n  ...",
    )

    await error_records.add([made])

    assert made == await error_records.get(made.incident)
    assert await error_records.get("0" * 32) is None


async def test_error_that_is_there_is_left_alone(error_records: ErrorRepository) -> None:
    """A batch that comes again adds only what is new."""
    await error_records.add([error(1)])

    await error_records.add([error(1, event="something else"), error(2)])

    found = await error_records.newest(ErrorFilter(), own="", after=None, limit=10)
    assert [error(2), error(1)] == list(found)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ErrorFilter(user="users/bob"), [2]),
        (ErrorFilter(project_id="garden"), [3]),
        (ErrorFilter(service="misaki"), [3]),
        (ErrorFilter(method="Login"), [2]),
        (ErrorFilter(start=NOON + 2 * SECOND, end=NOON + 3 * SECOND), [2]),
    ],
)
async def test_error_filter_finds_what_fits(
    error_records: ErrorRepository, wanted: ErrorFilter, expected: list[int]
) -> None:
    """Each field of a filter narrows the listing."""
    await error_records.add(
        [
            error(1),
            error(2, principal="users/bob", method="hanami.misaki.v1.TokenService/Login"),
            error(3, project_id="garden", service="misaki"),
        ]
    )

    assert expected == await incidents(error_records, wanted)


async def test_own_errors_are_those_of_own_calls(error_records: ErrorRepository) -> None:
    """Nobody's errors are nobody's own."""
    await error_records.add([error(1), error(2, principal="users/bob"), error(3, principal="")])

    assert [1] == await incidents(error_records, own="users/alice")


async def test_errors_are_listed_page_by_page(error_records: ErrorRepository) -> None:
    """A page begins after the last record of the one before."""
    await error_records.add([error(number, time=NOON) for number in (1, 2, 3)])

    found = await error_records.newest(
        ErrorFilter(), own="", after=Position(NOON, f"{3:032x}"), limit=1
    )

    assert [error(2, time=NOON)] == list(found)


async def test_old_and_too_many_errors_are_removed(error_records: ErrorRepository) -> None:
    """Age and size bound the error log too."""
    await error_records.add([error(number) for number in range(1, 21)])

    old = await error_records.remove_before(NOON + 11 * SECOND)
    too_many = await error_records.remove_oldest(5 * error(1).size_bytes)

    assert (10, 6) == (old, too_many)
    assert [20, 19, 18, 17] == await incidents(error_records)
