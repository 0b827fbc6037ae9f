"""The way of entries to their home."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from hanami.shiori.v1.audit_service_pb2 import AUDIT_KIND_CALL, AUDIT_KIND_GAP, AuditEntry
from hanami.shiori.v1.error_service_pb2 import ErrorRecord

from mesh.audit import trail as trail_module
from mesh.audit.spool import Spool
from mesh.audit.trail import AuditTrail
from mesh.clients import unavailable
from mesh.errors import InvalidArgument


class Home:
    """Logs in memory that can be away, or refuse."""

    def __init__(self) -> None:
        self.entries: dict[str, AuditEntry] = {}
        self.errors: dict[str, ErrorRecord] = {}
        self.is_away = False
        self.refuses = False
        self.arrived = asyncio.Event()
        self.refused = asyncio.Event()

    async def take_entries(self, entries: Sequence[AuditEntry]) -> None:
        """Store entries."""
        if self.is_away:
            raise unavailable("shiori")
        if self.refuses:
            self.refused.set()
            raise InvalidArgument.for_field("entries", "are no good")
        self.entries |= {entry.entry_id: entry for entry in entries}
        self.arrived.set()

    async def take_errors(self, errors: Sequence[ErrorRecord]) -> None:
        """Store records of errors."""
        if self.is_away:
            raise unavailable("shiori")
        self.errors |= {error.name: error for error in errors}
        self.arrived.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        while not condition():
            self.arrived.clear()
            await self.arrived.wait()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_GATHERING_SECONDS", "_FIRST_PAUSE_SECONDS", "_LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(trail_module, name, 0)


def entry(number: int) -> AuditEntry:
    """Return an entry."""
    return AuditEntry(entry_id=f"{number:032x}", kind=AUDIT_KIND_CALL, method="Grow")


def stored_bytes(folder: Path) -> int:
    """Return what the files in a folder hold."""
    return sum(file.stat().st_size for file in folder.iterdir())


@asynccontextmanager
async def running(folder: Path, home: Home, *, max_bytes: int = 2**20) -> AsyncIterator[AuditTrail]:
    """Run a trail on a folder."""
    trail = AuditTrail("garden", Spool(folder, max_bytes=max_bytes, segment_bytes=500), home)
    delivering = asyncio.create_task(trail.deliver_forever())
    try:
        yield trail
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)
        await trail.close()


async def test_entries_and_errors_come_home(tmp_path: Path) -> None:
    """What is written is delivered without anybody asking."""
    home = Home()
    async with running(tmp_path, home) as trail:
        trail.write(entry(1))
        trail.report(ErrorRecord(name="errorRecords/1"))
        await home.until(lambda: len(home.entries) + len(home.errors) == 2)

    assert ([entry(1)], ["errorRecords/1"]) == (list(home.entries.values()), list(home.errors))


async def test_nothing_is_lost_while_the_home_is_away(tmp_path: Path) -> None:
    """Entries wait, and come when the home is back."""
    home = Home()
    home.is_away = True
    async with running(tmp_path, home) as trail:
        for number in range(2000):
            trail.write(entry(number))
        for _ in range(10):
            await asyncio.sleep(0)
        home.is_away = False
        await home.until(lambda: len(home.entries) == 2000)

    assert (0, 0) == (trail.lost, stored_bytes(tmp_path))


async def test_entries_wait_for_the_next_start(tmp_path: Path) -> None:
    """A service that ends while the home is away delivers when it runs again."""
    home = Home()
    home.is_away = True
    async with running(tmp_path, home) as trail:
        trail.write(entry(1))
    home.is_away = False

    async with running(tmp_path, home):
        await home.until(lambda: bool(home.entries))

    assert [entry(1)] == list(home.entries.values())


async def test_last_entries_go_out_at_the_end(tmp_path: Path) -> None:
    """What is written just before a service stops is delivered while it stops."""
    home = Home()
    async with running(tmp_path, home) as trail:
        trail.write(entry(1))

    assert [entry(1)] == list(home.entries.values())


async def test_overflow_is_counted_logged_and_told(tmp_path: Path) -> None:
    """Beyond the bound entries are lost: the log says so, and the audit log how many."""
    home = Home()
    home.is_away = True
    with structlog.testing.capture_logs() as logs:
        async with running(tmp_path, home, max_bytes=2000) as trail:
            for number in range(100):
                trail.write(entry(number))
            size = stored_bytes(tmp_path)
            home.is_away = False
            gap = AUDIT_KIND_GAP
            await home.until(lambda: any(e.kind == gap for e in home.entries.values()))

    kept = [e for e in home.entries.values() if e.kind == AUDIT_KIND_CALL]
    (told,) = (e for e in home.entries.values() if e.kind == AUDIT_KIND_GAP)
    assert size <= 2000
    assert (100, trail.lost) == (len(kept) + told.lost_count, told.lost_count)
    assert "garden" == told.service
    assert any(line.get("lost") == 1 and line["log_level"] == "error" for line in logs)
    assert any(line.get("lost") == told.lost_count for line in logs)


async def test_refused_entries_do_not_hold_up_the_others(tmp_path: Path) -> None:
    """A batch that will never be taken is counted as lost, and logged."""
    home = Home()
    home.refuses = True
    with structlog.testing.capture_logs() as logs:
        async with running(tmp_path, home) as trail:
            trail.write(entry(1))
            await home.refused.wait()
            home.refuses = False
            trail.write(entry(2))
            await home.until(lambda: bool(home.entries))

    assert [entry(2)] == list(home.entries.values())
    assert [("error", 1)] == [(x["log_level"], x["count"]) for x in logs if "count" in x]


async def test_errors_may_come_from_any_thread(tmp_path: Path) -> None:
    """A thread that logs an error wakes the trail up."""
    home = Home()
    async with running(tmp_path, home) as trail:
        await asyncio.sleep(0)
        await asyncio.to_thread(trail.report, ErrorRecord(name="errorRecords/1"))
        await home.until(lambda: bool(home.errors))

    assert ["errorRecords/1"] == list(home.errors)
