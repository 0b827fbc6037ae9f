"""The journal of a network with a pipeline: raw rows and their times make it again, to the bit."""

import numpy as np
import pytest

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Learner, Rows
from kyouko.domain.networks.ledger import Ledger, Submission
from kyouko.domain.networks.network import SnapshotContent
from kyouko.domain.template import resolve
from kyouko.templates import read_template
from mesh.errors import DomainError
from tests.contract.kyouko.in_memory import MemoryJournal

KEY = b"k" * 16
PIPELINES = {
    "forecast": "{lags: [1], forecast: {horizon: 2}, calendar: {}, late: {}, grow_channels: true,"
    " rules: [{channels: [0], missing: reject}]}",
    "reconstruction": "{reconstruction: {}, missing: skip, late: {}, grow_channels: true}",
}


def ledger_of(pipeline: str, content: SnapshotContent | None = None) -> Ledger:
    """Return the ledger of a small network of two channels."""
    template = read_template(
        "inputs: [{name: row}]\npopulations: [{name: all, neurons: 8}]\n"
        f"outputs: [{{name: out, kind: numbers}}]\npipeline: {pipeline}\n"
    )
    return Ledger(Learner(resolve(template, channels=2), content), content)


def rows_of(sequence: int) -> Rows:
    """Return four rows: every fifth frame lacks a value, every seventh is late; 20 grow wider."""
    random = np.random.default_rng(sequence)
    inputs = random.normal(size=(4, 2 if sequence < 20 else 3)).astype(np.float32)
    if sequence % 5 == 0:
        inputs[2, 0] = np.nan
    start = sequence if sequence % 7 else sequence - 3
    times = (4 * start + np.arange(4)) * 1_000_000_000
    return Rows(inputs, event_times=times)


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
@pytest.mark.parametrize("snapshot_after", [0, 13, 25])
async def test_a_replay_is_the_network_itself(pipeline: str, snapshot_after: int) -> None:
    """From the start or from a snapshot: weights, waiting rows, guards and counts."""
    records: dict[int, bytes] = {}
    ledger = ledger_of(pipeline)
    ledger.write_to(MemoryJournal(records, 0))
    ledger.open_session(KEY, "users/alice", since=0, is_new=True, horizon=0, holder=1)
    content: SnapshotContent | None = None
    refused = 0
    for sequence in range(1, 31):
        outcome = ledger.take(Submission(KEY, 1, sequence, rows_of(sequence)))
        refused += isinstance(outcome, DomainError)
        if sequence == snapshot_after:
            content = ledger.export().content
    double = rows_of(31)
    ledger.learn(
        Rows(double.inputs.astype(np.float64), None, "", double.event_times), Arrival.STORED
    )

    again = ledger_of(pipeline, content)
    for position, data in records.items():
        if position > again.position:
            again.replay(position, data)

    expected, actual = ledger.export(), again.export()
    assert (6 if "reject" in pipeline else 0) == refused
    assert expected.statistics == actual.statistics
    first, second = expected.content, actual.content
    assert first.pipeline is not None
    assert second.pipeline is not None
    assert dict(first.pipeline.header) == dict(second.pipeline.header)
    for one, other in (
        (first.engine.arrays, second.engine.arrays),
        (dict(first.pipeline.arrays), dict(second.pipeline.arrays)),
    ):
        assert one.keys() == other.keys()
        assert all(one[name].tobytes() == other[name].tobytes() for name in one)
