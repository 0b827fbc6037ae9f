"""Channels that hardly matter are removed, as the slow twin says, and may grow again."""

import re

import numpy as np
import pytest

from kyouko.domain.engine import (
    Arrival,
    EngineOptions,
    EngineStructureError,
    GrowingEngine,
    NetworkStructure,
)
from kyouko.kernels import indices
from kyouko.kernels.compile import argument_names
from kyouko.kernels.pruning import prune_channels
from tests.reference.pruning import find_useless, sum_drives
from tests.reference.structures import bricks, flat, local, pictures

RARE = 5


def rows_with_a_rare_channel(rows: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures in which one channel is lit in a few rows only, whatever the class."""
    data, labels = pictures(rows, seed=seed)
    data[:, RARE] = 0.0
    data[:: max(rows // 3, 1), RARE] = 100.0
    return data, labels


def review(engine: GrowingEngine) -> None:
    """Call the kernel with the state's arrays by name."""
    prune_channels(*(getattr(engine.state, name) for name in argument_names(prune_channels)))


def grow(structure: NetworkStructure) -> GrowingEngine:
    """Learn, have everything that grew reviewed, and learn on."""
    engine = GrowingEngine(structure)
    for seed in (1, 2):
        data, labels = rows_with_a_rare_channel(1500, seed=seed)
        engine.learn(data, labels, arrival=Arrival.STORED)
        if seed == 1:
            review(engine)
    return engine


@pytest.mark.parametrize(
    "structure", [flat(144), local(), bricks()], ids=["flat", "local", "brick of bricks"]
)
def test_review_agrees(structure: NetworkStructure) -> None:
    """Exactly the channels of the slow twin are removed, the rare one among them."""
    engine = grow(structure)
    state = engine.state
    before = engine.statistics()
    sections = state.section_count.copy()
    useless = find_useless(state)

    review(engine)

    after = engine.statistics()
    gone = np.flatnonzero((sections > 0) & (state.section_count == 0))
    assert useless == set(gone.tolist())
    assert RARE in useless
    assert before.sections - int(sections[gone].sum()) == after.sections
    assert after.pruned_connections == before.input_connections - after.input_connections
    assert after.pruned_connections > 0
    assert int(state.row_used.sum()) == state.counters[indices.USED_ROWS]


def test_review_of_new_channels_removes_nothing() -> None:
    """What has grown since the last review is not judged."""
    engine = GrowingEngine(flat(144))
    data, labels = rows_with_a_rare_channel(300, seed=1)
    engine.learn(data, labels, arrival=Arrival.STORED)
    before = engine.statistics()

    review(engine)

    assert before == engine.statistics()


def test_predictions_hardly_change() -> None:
    """What is removed moved the probabilities by little."""
    engine = grow(flat(144))
    data, _ = rows_with_a_rare_channel(300, seed=3)
    before = engine.predict(data)

    review(engine)

    # rows in which nothing removed is lit do not change at all, the others by little on average
    assert float(np.abs(before - engine.predict(data)).mean()) < 1e-3


def test_pruned_channels_grow_again() -> None:
    """A removed channel stays silent for fifteen active values and has sections at the 16th."""
    engine = grow(flat(144))
    review(engine)
    data, labels = rows_with_a_rare_channel(16, seed=4)
    data[:, RARE] = 50.0 + np.arange(16)

    engine.learn(data[:15], labels[:15], arrival=Arrival.STORED)
    after_fifteen = int(engine.state.section_count[RARE])
    engine.learn(data[15:], labels[15:], arrival=Arrival.STORED)

    assert 0 == after_fifteen
    assert 1 <= engine.state.section_count[RARE]


def test_freed_rows_make_room() -> None:
    """In a full pool the rows of removed channels go to those that want to grow."""
    with pytest.raises(EngineStructureError) as refused:
        GrowingEngine(flat(144, options=EngineOptions(memory_limit_bytes=1)))
    least = int(re.findall(r"at least (\d+) bytes", str(refused.value))[0])
    # 64 weight rows, and room for about 30 more
    options = EngineOptions(memory_limit_bytes=least + 30 * (16 * 8 + 5))
    engine = grow(flat(144, options=options))
    stopped = engine.statistics()

    review(engine)

    assert stopped.growth_stopped
    assert not engine.statistics().growth_stopped
    assert engine.state.counters[indices.FREE_ROWS] > 0


def test_use_sums_squared_drives() -> None:
    """A sixteenth of the rows adds the squared drives of the slow twin."""
    engine = grow(flat(144))
    data, labels = rows_with_a_rare_channel(400, seed=5)
    expected = engine.state.use.astype(np.float64)
    sampled = 0

    for row, label in zip(data, labels, strict=True):
        number = int(engine.state.counters[indices.LEARNED_ROWS]) + 1
        engine.learn(row[None], np.array([label], np.int32), arrival=Arrival.STORED)
        if (number * 2654435769) % 2**32 < 2**28:
            expected += sum_drives(engine.state, row)
            sampled += 1

    assert 20 <= sampled <= 30
    assert pytest.approx(expected, rel=1e-3, abs=1e-3) == engine.state.use
