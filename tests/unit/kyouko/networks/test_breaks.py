"""Changes that break off half-way: no row is lost by them, and none learned twice."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import structlog

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Labels, Rows
from kyouko.domain.networks.ledger import Ledger, Submission
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveLimits
from kyouko.domain.networks.network import Network, SnapshotContent
from kyouko.domain.networks.workers import Workers
from kyouko.domain.template import resolve
from kyouko.storage.journal.files import FileJournals
from kyouko.templates import read_template
from mesh.errors import DomainError, Unavailable
from tests.contract.kyouko.in_memory import MemoryNetworkRepository, MemorySnapshotStore

TEMPLATE = """
inputs: [{name: row}]
populations: [{name: all, neurons: 12}]
outputs: [{name: out, kind: classes}]
pipeline: {lags: [1], missing: hold}
"""
STRUCTURE = resolve(read_template(TEMPLATE), channels=2)
KEY, TASK, ALICE = b"k" * 16, b"t" * 16, "users/alice"
# A snapshot is taken so often, lest a new start has much to learn again.
CHANGES_PER_SNAPSHOT = 8

Change = Callable[[Ledger, int], Any]
Line = tuple[str, int]


def rows_of(number: int, label: str | None = None) -> Rows:
    """Return two rows that are different for every number."""
    inputs = np.random.default_rng(number).normal(size=(2, 2)).astype(np.float32)
    return Rows(inputs, None if label is None else Labels([label, "other"]))


def learned(ledger: Ledger, number: int) -> Any:
    """Send rows with labels, of a message; now and then with a new label."""
    rows = rows_of(number, f"label {number // 16}")
    return ledger.take(Submission(KEY, 1, number, rows, message_id=f"message {number}"))


def waiting(ledger: Ledger, number: int) -> Any:
    """Send rows that wait for their labels."""
    return ledger.take(Submission(KEY, 1, number, rows_of(number)))


def late(ledger: Ledger, number: int) -> Any:
    """Send the labels of the rows that wait longest, or too late ones."""
    rows = Rows(np.empty((0, 0), np.float32), Labels(["late", "later"]))
    oldest = next(iter(ledger.sessions.find(KEY).waiting), 1)
    return ledger.take(Submission(KEY, 1, number, rows, target_sequence=oldest))


def refused(ledger: Ledger, number: int) -> Any:
    """Send rows with a label that is none."""
    return ledger.take(Submission(KEY, 1, number, rows_of(number, "")))


def repeated(ledger: Ledger, number: int) -> Any:
    """Send the message that came last once more."""
    return ledger.take(Submission(KEY, 1, number, rows_of(number, "a"), message_id="message 3"))


def of_a_task(ledger: Ledger, number: int) -> Any:
    """Learn the next rows of a task."""
    ledger.begin_task(TASK, "tasks/one")
    return ledger.learn(rows_of(number, "stored"), Arrival.STORED, task=TASK)


def out_of_memory(ledger: Ledger, number: int) -> Any:
    """Send rows for which there is no memory when they are to be written down."""
    code = Ledger._append.__code__
    line = (code.co_filename, code.co_firstlineno + 1)
    return Lines(line).follow(lambda: learned(ledger, number))


def opened(ledger: Ledger, number: int) -> Any:
    """Open another session."""
    return ledger.open_session(
        f"{number:016}".encode(), ALICE, since=0, is_new=True, horizon=0, holder=number
    )


class Lines:
    """Follows a change line by line; at one of them memory runs out, the first time it is reached.

    Attributes:
        seen: the lines so far, in their order.
    """

    def __init__(self, breaks_at: Line | None = None) -> None:
        self.seen: dict[Line, None] = {}
        self._breaks_at = breaks_at

    def follow(self, work: Callable[[], Any]) -> Any:
        """Do work until it breaks off."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            return work()
        finally:
            sys.settrace(before)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if "/kyouko/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            line = (frame.f_code.co_filename, frame.f_lineno)
            self.seen[line] = None
            if line == self._breaks_at:
                raise MemoryError
        return self._trace


class House:
    """Live networks with journals in files."""

    def __init__(self, folder: Path) -> None:
        self.repository = MemoryNetworkRepository()
        self.executor = Workers(1, "kernels")
        self.journals = FileJournals(folder)
        self.live = LiveNetworks(
            self.repository,
            MemorySnapshotStore(),
            self.journals,
            self.executor,
            limits=LiveLimits(),
        )

    async def create(self, network_id: str) -> None:
        """Store a network, and open a session with it."""
        now = datetime(2026, 1, 2, tzinfo=UTC)
        uid = f"uid-of-{network_id}"
        await self.repository.create(Network(uid, "flowers", network_id, STRUCTURE, now, ALICE))
        async with self.live.using("flowers", network_id) as live:
            await live.owner.run(open_session)

    async def change(
        self, network_id: str, change: Change, number: int, lines: Lines | None = None
    ) -> None:
        """Let a network change as the client of a session would, who goes on with it."""
        async with self.live.using("flowers", network_id) as live:
            live.owner.ledger.sessions.find(KEY).holder = 1
            if lines is None:
                await live.owner.run(lambda ledger: change(ledger, number))
            else:
                await live.owner.run(lambda ledger: lines.follow(lambda: change(ledger, number)))

    async def count(self, network_id: str, change: Change) -> int:
        """Return what grows with every change of a kind that has been made."""
        async with self.live.using("flowers", network_id) as live:
            sessions = live.owner.ledger.sessions
            if change is opened:
                return len(sessions)
            key = TASK if change is of_a_task else KEY
            return sessions.find(key).last_sequence if sessions.has(key) else 0

    async def keep(self, network_id: str) -> None:
        """Take a snapshot."""
        async with self.live.using("flowers", network_id) as live:
            await self.live.keep(live)

    async def content(self, network_id: str) -> SnapshotContent:
        """Return all that a network knows, but for its place in the journal."""
        async with self.live.using("flowers", network_id) as live:
            exported = await live.owner.run(Ledger.export)
            return replace(exported.content, journal_position=0)


def open_session(ledger: Ledger) -> int:
    """Open the session of all frames here."""
    return ledger.open_session(KEY, ALICE, since=0, is_new=True, horizon=6, holder=1)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Return a house with two networks that know nothing yet."""
    with structlog.testing.capture_logs():
        made = House(tmp_path)
        await made.journals.prepare()
        await made.create("broken")
        await made.create("twin")
        yield made
        await made.live.close()
        await made.journals.close()
        made.executor.shutdown()


def bits_of(content: SnapshotContent) -> dict[str, object]:
    """Return all that a network knows in a form that can be compared."""
    assert content.pipeline is not None
    arrays = {**content.engine.arrays, **content.sessions.arrays, **content.pipeline.arrays}
    return {
        "arrays": {name: array.tobytes() for name, array in arrays.items()},
        "headers": (content.engine.header, content.sessions.header, content.pipeline.header),
        "labels": content.labels,
    }


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "change",
    [learned, waiting, late, refused, repeated, of_a_task, opened],
    ids=lambda change: change.__name__,
)
async def test_a_change_that_breaks_off_anywhere_is_made_once(house: House, change: Change) -> None:
    """Whatever line memory runs out at: with what is sent again it is the twin, to the bit."""
    for number, first in enumerate((learned, waiting, learned, waiting, change), start=1):
        await house.change("broken", first, number)
        known = Lines()
        await house.change("twin", first, number, known)

    broke = 0
    for number, line in enumerate(known.seen, start=6):
        before = await house.count("broken", change)
        try:
            await house.change("broken", change, number, Lines(line))
        except (Unavailable, MemoryError) as error:
            broke += isinstance(error, Unavailable)
        if await house.count("broken", change) == before:
            await house.change("broken", change, number)
        await house.change("twin", change, number)
        if number % CHANGES_PER_SNAPSHOT == 0:
            await house.keep("broken")

    expected, actual = await house.content("twin"), await house.content("broken")
    assert broke > 20
    assert bits_of(expected) == bits_of(actual)


async def test_work_behind_a_break_is_refused(house: House) -> None:
    """It is told to come again, reads nothing of what is left, and no snapshot is taken of it."""
    async with house.live.using("flowers", "broken") as live:
        loop = asyncio.get_running_loop()
        breaking = await live.owner.submit(lambda ledger: out_of_memory(ledger, 1))
        behind = await live.owner.submit(lambda ledger: learned(ledger, 2))
        told: asyncio.Future[bool] = loop.create_future()
        live.on_break.add(lambda: told.set_result(True))
        outcomes = await asyncio.gather(breaking, behind, return_exceptions=True)
        with pytest.raises(Unavailable) as later:
            await live.owner.run(lambda ledger: ledger.learner.learned_rows)
        await house.live.keep(live)

    assert await told
    assert ["NETWORK_RELOADING"] * 3 == [
        error.reason for error in (*outcomes, later.value) if isinstance(error, DomainError)
    ]
    assert "" == (await house.repository.get("flowers", "broken")).snapshot


async def test_short_work_may_break_too(house: House) -> None:
    """What breaks off on the event loop is not seen by anybody else either."""
    async with house.live.using("flowers", "broken") as live:
        with pytest.raises(Unavailable):
            live.owner.at_once(lambda ledger: out_of_memory(ledger, 1))

        assert (False, True) == (live.owner.is_short(1), live.closed)

    async with house.live.using("flowers", "broken") as again:
        assert 0 == again.owner.learner.learned_rows


async def test_a_network_may_be_deleted_while_it_is_loaded_again(house: House) -> None:
    """Its journal is closed before it is deleted."""
    async with house.live.using("flowers", "broken") as live:
        with pytest.raises(Unavailable):
            live.owner.at_once(lambda ledger: out_of_memory(ledger, 1))
        async with house.live.deleting("uid-of-broken"):
            await house.live.drop("uid-of-broken")

    assert "uid-of-broken" not in await house.journals.uids()
