"""Who may read the logs, and what watching and sweeping them does."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mesh.access import Caller, Role
from mesh.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)
from mesh.visibility import microseconds
from shiori.domain.logs.audit import AuditLog
from shiori.domain.logs.errors import ErrorLog
from shiori.domain.logs.records import (
    AuditEntry,
    EntryFilter,
    ErrorFilter,
    ErrorRecord,
    Kind,
    Retention,
)
from tests.contract.shiori.in_memory_logs import InMemoryAuditEntries, InMemoryErrorRecords
from tests.factories import NOON, caller, principal

DAY = timedelta(days=1)
ALICE = caller(principal("users/alice", garden=Role.MEMBER), any_principal=True)
GARDENER = caller(principal("users/gina", garden=Role.PROJECT_ADMIN), any_principal=True)
STRANGER = caller(principal("users/sam"), any_principal=True)
ADMIN = caller(principal("users/root", admin=True), any_principal=True)
BOB = EntryFilter(user="users/bob")
GARDEN = EntryFilter(project_id="garden")


def audit_log(**changes: Any) -> AuditLog:
    """Return an empty audit log whose clock stands at noon."""
    values: dict[str, Any] = {"retention": Retention(DAY, 10**9), "max_watches": 2}
    return AuditLog(InMemoryAuditEntries(), clock=lambda: NOON, **(values | changes))


def error_log(**changes: Any) -> ErrorLog:
    """Return an empty error log whose clock stands at noon."""
    values: dict[str, Any] = {"retention": Retention(DAY, 10**9)}
    return ErrorLog(InMemoryErrorRecords(), clock=lambda: NOON, **(values | changes))


def entry(number: int, who: str = "users/alice", **changes: Any) -> AuditEntry:
    """Return an entry."""
    values: dict[str, Any] = {"kind": Kind.CALL, "time": NOON, "principal": who}
    return AuditEntry(entry_id=f"{number:032x}", **(values | changes))


async def read(log: AuditLog, who: Caller, wanted: EntryFilter | None = None) -> list[int]:
    """Return the numbers of the entries that somebody gets."""
    page = await log.list(who, wanted or EntryFilter(), page_size=0, page_token="")
    return sorted(int(item.entry_id, 16) for item in page.items)


@pytest.fixture
async def log() -> AuditLog:
    """Return a log: alice's 1 and 2 (in the garden), bob's 3 (in the garden) and 4."""
    made = audit_log()
    await made.record("kyouko", [entry(1), entry(2, project_id="garden")])
    await made.record("kyouko", [entry(3, "users/bob", project_id="garden"), entry(4, "users/bob")])
    return made


async def test_people_read_their_own(log: AuditLog) -> None:
    """Without a project everybody but an admin gets their own entries."""
    assert [1, 2] == await read(log, ALICE)
    assert [] == await read(log, STRANGER)
    assert [] == await read(log, GARDENER)


async def test_nobody_reads_what_an_earlier_user_of_the_name_did() -> None:
    """Neither entries nor errors, in lists, watches and by name; admins read it all."""
    times = [NOON - DAY / 2, NOON - DAY / 4]
    alice = replace(ALICE.principal, since=microseconds(NOON - DAY / 3))
    later = replace(ALICE, principal=alice)
    log, errors = audit_log(), error_log()
    await log.record("kyouko", [entry(i, time=time) for i, time in enumerate(times)])
    old, new = (
        ErrorRecord(incident=f"{i:032x}", time=time, principal="users/alice")
        for i, time in enumerate(times)
    )
    await errors.record("kyouko", [old, new])

    listed = await errors.list(later, ErrorFilter(), page_size=0, page_token="")
    async with aclosing(log.watch(later, EntryFilter(), after=0)) as watched:
        first = await anext(watched)

    assert [1] == await read(log, later)
    assert [1] == await read(log, later, EntryFilter(start=times[0]))
    assert [0, 1] == await read(log, ADMIN)
    assert 1 == int(first.entry_id, 16)
    assert [new.incident] == [record.incident for record in listed.items]
    with pytest.raises(NotFound):
        await errors.get(later, old.incident)


async def test_admins_read_everything(log: AuditLog) -> None:
    """An admin gets all entries, or those of one user."""
    assert [1, 2, 3, 4] == await read(log, ADMIN)
    assert [3, 4] == await read(log, ADMIN, BOB)


async def test_project_admins_read_their_project(log: AuditLog) -> None:
    """A project admin gets what everybody did in the project, and nothing else."""
    assert [2, 3] == await read(log, GARDENER, GARDEN)
    assert [3] == await read(log, GARDENER, EntryFilter(project_id="garden", user="users/bob"))
    with pytest.raises(PermissionDenied):
        await read(log, GARDENER, BOB)


async def test_members_read_their_own_of_a_project(log: AuditLog) -> None:
    """A member of a project is not told what the others did there."""
    assert [2] == await read(log, ALICE, GARDEN)
    with pytest.raises(PermissionDenied):
        await read(log, ALICE, EntryFilter(project_id="garden", user="users/bob"))


async def test_project_of_others_is_unknown(log: AuditLog) -> None:
    """A stranger to a project cannot tell whether it exists."""
    with pytest.raises(NotFound):
        await read(log, STRANGER, GARDEN)


async def test_service_cannot_write_in_the_name_of_another() -> None:
    """Whatever an entry says, its service is the one that sent it."""
    log = audit_log()

    await log.record("kyouko", [entry(1, service="misaki")])

    page = await log.list(ADMIN, EntryFilter(), page_size=0, page_token="")
    assert ["kyouko"] == [item.service for item in page.items]


async def test_pages_follow_each_other(log: AuditLog) -> None:
    """Page by page everything comes once, newest first."""
    numbers, token = [], ""
    for _ in range(4):
        page = await log.list(ADMIN, EntryFilter(), page_size=1, page_token=token)
        numbers += [int(item.entry_id, 16) for item in page.items]
        token = page.next_page_token

    assert ([4, 3, 2, 1], "") == (numbers, token)


async def test_page_token_belongs_to_its_reader(log: AuditLog) -> None:
    """The token of an admin's page is none of anybody else's, and damage is noticed."""
    page = await log.list(ADMIN, EntryFilter(), page_size=1, page_token="")

    for token in (page.next_page_token, "bm90aGluZw"):
        with pytest.raises(InvalidArgument) as caught:
            await log.list(ALICE, EntryFilter(), page_size=1, page_token=token)
        assert "PAGE_TOKEN_INVALID" == caught.value.reason


async def test_watch_yields_what_arrives_from_now_on(log: AuditLog) -> None:
    """A watch begins with the next entry, and leaves out those of others."""
    async with aclosing(log.watch(ALICE, EntryFilter(), after=None)) as entries:
        following = asyncio.ensure_future(anext(entries))
        await asyncio.sleep(0)
        await log.record("kyouko", [entry(5, "users/bob"), entry(6)])

        assert 6 == (await following).sequence


async def test_watch_goes_on_after_a_sequence(log: AuditLog) -> None:
    """What arrived between two watches is not missed."""
    async with aclosing(log.watch(ALICE, EntryFilter(), after=1)) as entries:
        assert 2 == (await anext(entries)).sequence


async def test_watches_of_one_user_are_bounded(log: AuditLog) -> None:
    """The third watch is refused, and an ended one makes room."""
    first, second = (log.watch(ALICE, EntryFilter(), after=0) for _ in range(2))
    await anext(first)
    await anext(second)

    with pytest.raises(ResourceExhausted):
        await anext(log.watch(ALICE, EntryFilter(), after=0))

    await first.aclose()
    assert 1 == (await anext(log.watch(ALICE, EntryFilter(), after=0))).sequence
    await second.aclose()


async def test_watches_end_with_the_service(log: AuditLog) -> None:
    """A service that stops tells its watchers."""
    watch = log.watch(ALICE, EntryFilter(), after=None)
    following = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)

    log.close()

    with pytest.raises(Unavailable) as caught:
        await following
    assert "SHUTTING_DOWN" == caught.value.reason


async def test_sweep_removes_by_age_and_size() -> None:
    """What is older than the retention goes, then the oldest of what is too much."""
    size = entry(1, service="kyouko").size_bytes
    log = audit_log(retention=Retention(DAY, 10 * size))
    await log.record("kyouko", [entry(n, time=NOON - 2 * DAY) for n in range(1, 4)])
    await log.record("kyouko", [entry(n) for n in range(4, 18)])

    removed = await log.sweep()

    assert (3 + 5, list(range(9, 18))) == (removed, await read(log, ADMIN))


@pytest.fixture
async def errors() -> ErrorLog:
    """Return a log with an error of alice's, one in the garden, and one of nobody's call."""
    made = error_log()
    shared: dict[str, Any] = {"time": NOON, "error": "KeyError('x')", "stack_trace": "Traceback"}
    await made.record(
        "kyouko",
        [
            ErrorRecord(incident="1" * 32, principal="users/alice", **shared),
            ErrorRecord(incident="2" * 32, project_id="garden", principal="users/bob", **shared),
            ErrorRecord(incident="3" * 32, **shared),
        ],
    )
    return made


async def seen(log: ErrorLog, who: Caller, wanted: ErrorFilter | None = None) -> list[ErrorRecord]:
    """Return the records that somebody gets."""
    page = await log.list(who, wanted or ErrorFilter(), page_size=0, page_token="")
    return list(page.items)


async def test_only_admins_see_stack_traces(errors: ErrorLog) -> None:
    """Others see that it happened, when and where, and no more."""
    full = await errors.get(ADMIN, "1" * 32)
    own = await errors.get(ALICE, "1" * 32)
    (managed,) = await seen(errors, GARDENER, ErrorFilter(project_id="garden"))

    assert ("KeyError('x')", "Traceback") == (full.error, full.stack_trace)
    assert full.without_details() == own
    assert ("2" * 32, "", "") == (managed.incident, managed.error, managed.stack_trace)


async def test_errors_of_others_do_not_exist(errors: ErrorLog) -> None:
    """An incident of somebody else's call is as unknown as one that never was."""
    for incident in ("2" * 32, "3" * 32, "4" * 32):
        with pytest.raises(NotFound):
            await errors.get(ALICE, incident)
    with pytest.raises(PermissionDenied):
        await seen(errors, ALICE, ErrorFilter(user="users/bob"))


async def test_errors_are_listed_by_who_may_see_them(errors: ErrorLog) -> None:
    """Admins get all, users their own."""
    assert 3 == len(await seen(errors, ADMIN))
    assert ["1" * 32] == [record.incident for record in await seen(errors, ALICE)]


async def test_errors_are_swept_too() -> None:
    """Records older than the retention go."""
    log = error_log()
    old = ErrorRecord(incident="1" * 32, time=NOON - 2 * DAY)
    await log.record("kyouko", [old, ErrorRecord(incident="2" * 32, time=NOON)])

    removed = await log.sweep()

    assert (1, ["2" * 32]) == (removed, [record.incident for record in await seen(log, ADMIN)])
