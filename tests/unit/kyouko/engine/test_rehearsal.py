"""Rehearsal keeps the rows it should, and helps where it should."""

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, EngineOptions, GrowingEngine
from kyouko.kernels import indices
from tests.reference.structures import flat, pictures, table


def learned(arrival: Arrival, rows: int, **options: float) -> GrowingEngine:
    """Learn pictures with the given options."""
    engine = GrowingEngine(flat(144, options=EngineOptions(**options)))  # type: ignore[arg-type]
    engine.learn(*pictures(rows), arrival=arrival)
    return engine


def test_streams_keep_the_newest_rows() -> None:
    """A ring of 50 holds exactly the last 50 rows with their labels."""
    rows, labels = pictures(180)
    engine = learned(Arrival.STREAMED, 180, rehearsal_rows=50)
    state = engine.state
    order = (np.arange(50) + state.counters[indices.RING_NEXT]) % 50

    assert labels[130:].tolist() == state.list_label[:50][order].tolist()
    newest = int(order[-1])
    count = int(state.list_length[newest])
    values = rows[-1][state.list_channel[newest, :count]]
    assert values.tolist() == state.list_value[newest, :count].tolist()


def test_stored_rows_are_not_kept_by_default() -> None:
    """A task on stored rows rehearses only when asked."""
    assert 0 == learned(Arrival.STORED, 300).state.counters[indices.RING_FILLED]


def test_asking_for_memory_is_asking_for_its_use() -> None:
    """A stored task for which rows are to be kept learns them again, without a number of steps."""
    engine = learned(Arrival.STORED, 300, rehearsal_rows=100)

    assert 100 == engine.state.counters[indices.RING_FILLED]
    assert engine.export_state().arrays["weights"].tobytes() != (
        learned(Arrival.STORED, 300).export_state().arrays["weights"].tobytes()
    )


def test_stored_rehearsal_prefers_hard_rows() -> None:
    """Rows that a stored task keeps were harder, when they came, than those that came with them."""
    engine = GrowingEngine(flat(144, options=EngineOptions(rehearsal_rows=200)))
    rows, labels = pictures(4000)
    scored = engine.learn(rows, labels, arrival=Arrival.STORED)
    state = engine.state

    kept = []
    for slot in range(200):
        count = int(state.list_length[slot])
        channels, values = state.list_channel[slot, :count], state.list_value[slot, :count]
        kept.append(int(np.flatnonzero((rows[:, channels] == values).all(axis=1))[0]))

    late = np.array([place for place in kept if place >= 2000])
    assert len(late) > 20
    assert scored.loss[late].mean() > 1.5 * scored.loss[2000:].mean()


def test_stored_rehearsal_shares_evenly_between_classes() -> None:
    """Classes that came early keep their share of the kept rows, and are not forgotten."""
    rows, labels = pictures(4000)
    order = np.argsort(labels >= 5, kind="stable")
    options = EngineOptions(rehearsal_rows=200, rehearsal_steps=1.0)
    forgetful, careful = GrowingEngine(flat(144)), GrowingEngine(flat(144, options=options))

    for engine in (forgetful, careful):
        engine.learn(rows[order], labels[order], arrival=Arrival.STORED)

    tally = np.bincount(careful.state.list_label[:200], minlength=10)
    assert tally.min() >= 10
    fresh, truth = pictures(1000, seed=8)
    old = truth < 5
    kept = (careful.predict(fresh).argmax(axis=1) == truth)[old].mean()
    lost = (forgetful.predict(fresh).argmax(axis=1) == truth)[old].mean()
    assert kept > 0.7
    assert kept > lost


@pytest.mark.parametrize("steps", [0.0, 1.0, 3.0])
def test_any_rehearsal_learns(steps: float) -> None:
    """A stream is learned with and without rehearsal."""
    rows, labels = table(4000)
    engine = GrowingEngine(flat(6, 32, options=EngineOptions(rehearsal_steps=steps)))

    scored = engine.learn(rows, labels, arrival=Arrival.STREAMED)

    assert scored.correct[2000:].mean() > 0.85
