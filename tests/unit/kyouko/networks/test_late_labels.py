"""Labels that come later, to networks with a pipeline: as good as those in time, to the bit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from kyouko.domain.networks.learner import Labels, Learner, Numbers, RowResults, Rows, Target
from kyouko.domain.networks.ledger import Ledger, Submission
from kyouko.domain.networks.network import SnapshotContent
from kyouko.domain.networks.sessions import SessionsState
from kyouko.domain.networks.waiting import WaitingRows, pack, unpack
from kyouko.domain.template import resolve
from kyouko.templates import read_template
from mesh.errors import DomainError
from tests.contract.kyouko.in_memory import MemoryJournal

KEY = b"k" * 16
FRAMES = 24
ROWS = 4
SECOND = 1_000_000_000
PIPELINES = {
    "calendar": ("classes", "{calendar: {}, late: {}}"),
    "missing": ("numbers", "{missing: hold, rules: [{channels: [1], missing: skip}]}"),
    "stuck": ("classes", "{stuck_rows: 2, missing: skip}"),
    "reject": ("numbers", "{missing: reject, stuck_rows: 3}"),
    "lags": ("classes", "{lags: [1, 2, 5], differences: [1], missing: hold}"),
    "growing": ("classes", "{lags: [1], grow_channels: true, most_channels: 4, narrow_rows: true}"),
}


@dataclass
class Book:
    """A network and its journal."""

    kind: str
    pipeline: str
    records: dict[int, bytes] = field(default_factory=dict)
    horizon: int = 64

    def __post_init__(self) -> None:
        self.ledger = self._made(None)
        self.ledger.write_to(MemoryJournal(self.records, 0))
        self.ledger.open_session(
            KEY, "users/alice", since=0, is_new=True, horizon=self.horizon, holder=1
        )
        self.sequence = 0

    def take(self, rows: Rows, target_sequence: int = 0) -> RowResults | DomainError:
        """Send the next frame."""
        self.sequence += 1
        outcome = self.ledger.take(
            Submission(KEY, 1, self.sequence, rows, target_sequence=target_sequence)
        )
        assert isinstance(outcome, RowResults | DomainError)
        return outcome

    def replayed(self, after: SnapshotContent | None) -> Ledger:
        """Return what a new process makes of a snapshot and the journal."""
        again = self._made(after)
        for position, data in self.records.items():
            if position > again.position:
                again.replay(position, data)
        return again

    def _made(self, content: SnapshotContent | None) -> Ledger:
        template = read_template(
            "inputs: [{name: row}]\npopulations: [{name: all, neurons: 12}]\n"
            f"outputs: [{{name: out, kind: {self.kind}}}]\npipeline: {self.pipeline}\n"
        )
        return Ledger(Learner(resolve(template, channels=2), content), content)


@pytest.fixture(params=list(PIPELINES.values()), ids=list(PIPELINES))
def kinds(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return what a network learns, and its pipeline."""
    found: tuple[str, str] = request.param
    return found


def rows_of(number: int, *, channels: int = 2) -> Rows:
    """Return a frame: some values missing, some that stand still, some rows too late."""
    random = np.random.default_rng(number)
    inputs = random.normal(size=(ROWS, channels)).astype(np.float32)
    inputs[random.random(inputs.shape) < 0.1] = np.nan
    if number % 4 == 0:
        inputs[1:, 0] = 0.5
    seconds = ROWS * number + np.arange(ROWS)
    seconds[2] -= 9 * (number % 5 == 0)
    return Rows(inputs, event_times=seconds * SECOND)


def target_of(kind: str, number: int) -> Target:
    """Return the targets of a frame; new labels come now and then."""
    if kind == "numbers":
        return Numbers(np.random.default_rng(number).normal(size=(ROWS, 1)).astype(np.float32))
    return Labels([f"l{(number + row) % (2 + number // 6)}" for row in range(ROWS)])


def with_targets(rows: Rows, target: Target) -> Rows:
    """Return rows with their targets."""
    return Rows(rows.inputs, target, event_times=rows.event_times)


def late(target: Target) -> Rows:
    """Return targets without rows."""
    return Rows(np.empty((0, 0), np.float32), target)


def state_of(content: SnapshotContent) -> dict[str, object]:
    """Return all that a network knows, as bytes, but for sessions and positions."""
    assert content.pipeline is not None
    return {
        "engine": {name: array.tobytes() for name, array in content.engine.arrays.items()},
        "header": content.engine.header,
        "pipeline": {name: array.tobytes() for name, array in content.pipeline.arrays.items()},
        "guards": dict(content.pipeline.header),
        "labels": content.labels,
        "scale": content.target_scale,
    }


def sessions_of(content: SnapshotContent) -> tuple[object, dict[str, bytes]]:
    """Return the sessions, rows that wait among them."""
    state: SessionsState = content.sessions
    return state.header, {name: array.tobytes() for name, array in state.arrays.items()}


async def test_labels_one_by_one_are_as_good_as_in_time(kinds: tuple[str, str]) -> None:
    """Each before the next row: the network is the same to the bit, and says the same."""
    in_time, later = Book(*kinds), Book(*kinds)
    expected: list[RowResults | DomainError] = []
    actual: list[RowResults | DomainError] = []

    for number in range(FRAMES):
        rows, target = rows_of(number), target_of(kinds[0], number)
        expected.append(in_time.take(with_targets(rows, target)))
        passed = later.take(rows)
        taught = later.take(late(target), later.sequence)
        actual.append(passed if isinstance(passed, DomainError) else taught)

    assert state_of(in_time.ledger.export().content) == state_of(later.ledger.export().content)
    assert [type(each) for each in expected] == [type(each) for each in actual]
    assert same_losses(expected, actual)


def same_losses(
    expected: Sequence[RowResults | DomainError], actual: Sequence[RowResults | DomainError]
) -> bool:
    """Tell whether the same losses were told, and there were some."""
    losses = [
        (one.loss, other.loss)
        for one, other in zip(expected, actual, strict=True)
        if isinstance(one, RowResults) and isinstance(other, RowResults)
    ]
    assert len(losses) > FRAMES // 4
    return all(
        one is not None and other is not None and np.array_equal(one, other, equal_nan=True)
        for one, other in losses
    )


async def test_labels_all_at_the_end_teach_the_rows_as_they_came(kinds: tuple[str, str]) -> None:
    """The engine learns what it would have learned in time: nothing that came later is in it."""
    in_time, later = Book(*kinds), Book(*kinds, horizon=1000)
    waiting: list[int] = []

    for number in range(FRAMES):
        rows, target = rows_of(number), target_of(kinds[0], number)
        in_time.take(with_targets(rows, target))
        if isinstance(later.take(rows), RowResults):
            waiting.append(number)
    for number in waiting:
        assert isinstance(later.take(late(target_of(kinds[0], number)), number + 1), RowResults)

    assert state_of(in_time.ledger.export().content) == state_of(later.ledger.export().content)


@pytest.mark.parametrize("snapshot_after", [None, 7, 20])
async def test_a_replay_knows_what_waits(
    kinds: tuple[str, str], snapshot_after: int | None
) -> None:
    """Labels late, too late or never, rows that grow wider: the same to the bit from anywhere."""
    book = Book(*kinds, horizon=5 * ROWS)
    chance = np.random.default_rng(5)
    snapshot: SnapshotContent | None = None
    for number in range(FRAMES):
        wide = 3 if "grow" in kinds[1] and number > 11 else 2
        book.take(rows_of(number, channels=wide))
        if chance.random() < 0.7:
            target_sequence = max(1, book.sequence - int(chance.integers(0, 8)))
            book.take(late(target_of(kinds[0], number)), target_sequence)
        if number == snapshot_after:
            snapshot = book.ledger.export().content

    expected = book.ledger.export().content
    actual = book.replayed(snapshot).export().content
    again = book.replayed(expected).export().content

    assert state_of(expected) == state_of(actual) == state_of(again)
    assert sessions_of(expected) == sessions_of(actual) == sessions_of(again)


@pytest.mark.parametrize(
    ("kind", "target", "reason"),
    [
        ("classes", Labels(["a"] * (ROWS - 1)), "TARGET_INVALID"),
        ("classes", Numbers(np.ones((ROWS, 1))), "TARGET_INVALID"),
        ("classes", Labels([""] * ROWS), "TARGET_INVALID"),
        ("numbers", Numbers(np.ones((ROWS, 2))), "WIDTH_MISMATCH"),
        ("numbers", Numbers(np.full((ROWS, 1), np.nan)), "TARGET_INVALID"),
        ("numbers", Numbers(np.ones((ROWS + 1, 1))), "TARGET_INVALID"),
    ],
)
async def test_late_targets_that_do_not_fit_leave_no_mark(
    kind: str, target: Target, reason: str
) -> None:
    """They are refused, and the rows wait on for the right ones."""
    book = Book(kind, "{missing: skip}")
    book.take(rows_of(1))
    before = state_of(book.ledger.export().content)

    refused = book.take(late(target), 1)
    after = state_of(book.ledger.export().content)
    taught = book.take(late(target_of(kind, 1)), 1)

    assert isinstance(refused, DomainError)
    assert (reason, before) == (refused.reason, after)
    assert isinstance(taught, RowResults)


async def test_a_frame_that_was_left_out_whole_learns_nothing() -> None:
    """Its targets are taken all the same, for it did wait."""
    book = Book("classes", "{missing: skip}")
    book.take(Rows(np.full((ROWS, 2), np.nan, np.float32)))

    taught = book.take(late(target_of("classes", 1)), 1)

    assert isinstance(taught, RowResults)
    assert taught.loss is not None
    assert (0, True) == (taught.learned_rows, bool(np.isnan(taught.loss).all()))


async def test_what_waits_is_bounded_by_what_enters_the_engine() -> None:
    """Rows with many lags take more memory, so fewer of them wait over all sessions."""
    book = Book("classes", "{window: 1024}", horizon=1_000_000)
    for number in range(22):
        book.take(Rows(np.random.default_rng(number).normal(size=(200, 2)).astype(np.float32)))

    waiting = book.ledger.sessions.find(KEY).waiting
    held = sum(frame.inputs.nbytes for frame in waiting.values())

    assert 30 * 2**20 < held <= 32 * 2**20


def test_frames_of_other_widths_and_gaps_come_back_from_a_snapshot() -> None:
    """Narrow rows get what was missing in them, and know which rows were left out."""
    narrow = WaitingRows(np.ones((2, 3), np.float32), np.array([0, 3]), 4)
    wide = WaitingRows.all_of(np.zeros((1, 5), np.float32))

    found = dict(unpack(pack({7: narrow, 9: wide})))

    assert [7, 9] == list(found)
    assert ([0, 3], 4) == (found[7].kept.tolist(), found[7].row_count)
    assert np.array_equal(found[7].inputs, narrow.as_wide_as(5), equal_nan=True)
    assert np.array_equal(found[9].inputs, wide.inputs)
    with pytest.raises(ValueError, match="wait"):
        dict(unpack(pack({7: narrow}) | {"waiting_kept": np.ones(4, np.uint8)}))
