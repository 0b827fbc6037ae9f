"""No input falls silent while the rows are all alike, and none that did stays so for new ones."""

from collections.abc import Iterator

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, EngineOptions, GrowingEngine, TaskKind
from kyouko.kernels import indices
from tests.reference.structures import flat

Data = tuple[np.ndarray, np.ndarray]


def four_classes(rows: int, *, seed: int) -> Data:
    """Twenty inputs of which the first four decide, two for each bit of the class."""
    values = np.random.default_rng(seed).uniform(-1, 1, (rows, 20)).astype(np.float32)
    high = values[:, 0] + values[:, 1] > 0
    low = values[:, 2] > values[:, 3]
    return values, (2 * high + low).astype(np.int32)


def in_stretches(data: Data, rows: int) -> Data:
    """Let the classes take turns, each for so many rows."""
    values, labels = data
    of_class = [np.flatnonzero(labels == label) for label in range(4)]
    turns = min(len(places) for places in of_class) // rows
    order = np.concatenate(
        [places[turn * rows : (turn + 1) * rows] for turn in range(turns) for places in of_class]
    )
    return values[order], labels[order]


def learn_and_look(engine: GrowingEngine, data: Data, arrival: Arrival) -> Iterator[set[int]]:
    """Learn 500 rows at a time, and list the inputs that a trial has silenced by then."""
    values, targets = data
    for start in range(0, len(values), 500):
        part = slice(start, start + 500)
        engine.learn(values[part], targets[part], arrival=arrival)
        yield set(np.flatnonzero(engine.state.trial == indices.TRIAL_SILENT).tolist())


@pytest.mark.parametrize("arrival", list(Arrival))
@pytest.mark.parametrize("kept", [None, 1000])
def test_needed_inputs_are_heard_in_long_stretches_of_one_class(
    arrival: Arrival, kept: int | None
) -> None:
    """With 3,000 rows of each class in turn no input that decides ever falls silent."""
    engine = GrowingEngine(flat(20, 32, options=EngineOptions(rehearsal_rows=kept)))
    data = in_stretches(four_classes(50_000, seed=1), 3000)

    silent = set().union(*learn_and_look(engine, data, arrival))

    assert not silent & {0, 1, 2, 3}


def test_needed_inputs_are_heard_in_long_modes() -> None:
    """A machine that idles for 3,000 rows loses no input that tells the number when it runs."""
    random = np.random.default_rng(1)
    runs = np.arange(24_000) // 3000 % 2 == 1
    values = random.uniform(-1, 1, (24_000, 12)).astype(np.float32)
    values[:, 0] = runs + 0.1 * random.normal(size=24_000)
    numbers = np.where(runs, 3 + 2 * values[:, 1] - 3 * values[:, 2], 3.0)
    engine = GrowingEngine(flat(12, 32, kind=TaskKind.NUMBERS, size=1))
    data = values, numbers[:, None].astype(np.float32)

    silent = set().union(*learn_and_look(engine, data, Arrival.STREAMED))

    assert not silent & {1, 2}


def test_noise_falls_silent_where_rows_are_kept() -> None:
    """Who asks for kept rows gets rid of noise too, as long as classes come mixed."""
    engine = GrowingEngine(flat(20, 32, options=EngineOptions(rehearsal_rows=1000)))
    values, labels = four_classes(12_000, seed=1)

    engine.learn(values, labels, arrival=Arrival.STORED)

    silent = set(np.flatnonzero(engine.state.trial == indices.TRIAL_SILENT).tolist())
    assert not silent & {0, 1, 2, 3}
    assert len(silent) >= 9


def test_a_new_class_wakes_silent_inputs() -> None:
    """Inputs that fell silent are heard again 1,000 rows after a class that needs them came."""
    engine = GrowingEngine(flat(20, 32))
    values, labels = four_classes(8000, seed=1)
    engine.learn(values, labels, arrival=Arrival.STREAMED)
    before = np.flatnonzero(engine.state.trial == indices.TRIAL_SILENT)
    later, labels = four_classes(1000, seed=2)
    labels[later[:, before[0]] > 0] = 4

    engine.learn(later, labels, arrival=Arrival.STREAMED)

    assert len(before) >= 9
    assert (engine.state.trial[before] != indices.TRIAL_SILENT).all()
