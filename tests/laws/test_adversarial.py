"""Whatever arrives, a network of any kind lives on: finite, within its memory, deterministic.

`python -m tests.bench adversarial` sends a million such rows to every kind.
"""

import os
from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import (
    Arrival,
    EngineInputError,
    EngineStructureError,
    NetworkStructure,
    TaskKind,
    create_engine,
    restore_engine,
)
from tests.reference.adversity import (
    HARDSHIPS,
    Trial,
    adverse_rows,
    adverse_structures,
    adverse_targets,
)

LIMIT = 6_000_000
INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
ROWS = 400 if INTERPRETED else 20_000
STRUCTURES = adverse_structures(LIMIT)
if INTERPRETED:
    # Kernels that are plain Python compute with numpy's numbers, which warn when they overflow.
    pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

EVERY_KIND = pytest.mark.parametrize("kind", list(STRUCTURES))


def some_rows(structure: NetworkStructure, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the structure's width with targets, one hardship after the other."""
    random = np.random.default_rng(5)
    frames = [adverse_rows(20, structure.channels, random) for _ in range(rows // 20)]
    targets = [adverse_targets(20, structure, random) for _ in range(rows // 20)]
    return np.concatenate([frame.astype(np.float32) for frame in frames]), np.concatenate(targets)


@EVERY_KIND
def test_a_hard_life(kind: str) -> None:
    """Thousands of rows under changing hardships leave a finite network within its bound."""
    trial = Trial.of(STRUCTURES[kind], seed=11)

    for frame, _ in enumerate(trial.run(ROWS)):
        if frame % 20 == 0:
            trial.check_state()

    trial.check_state()
    assert trial.rows == trial.engine.statistics().learned_rows
    assert trial.widenings > 0 or INTERPRETED
    assert 0 < trial.most_bytes <= LIMIT


def with_limit(structure: NetworkStructure, limit: int) -> NetworkStructure:
    """The same network under another bound of memory."""
    return replace(structure, options=replace(structure.options, memory_limit_bytes=limit))


def least_limit(structure: NetworkStructure) -> int:
    """The smallest bound, to the percent, under which the network can be built at all."""
    limits = [int(1000 * 1.01**step) for step in range(1000)]
    low, high = 0, len(limits) - 1
    while low < high:
        middle = (low + high) // 2
        try:
            create_engine(with_limit(structure, limits[middle]))
            high = middle
        except EngineStructureError:
            low = middle + 1
    return limits[high]


@pytest.mark.parametrize("spare", [1.0, 1.1])
@EVERY_KIND
def test_a_hard_life_in_little_room(kind: str, spare: float) -> None:
    """A network with hardly more memory than it needs to exist learns on, and takes no more."""
    limit = int(least_limit(STRUCTURES[kind]) * spare)
    trial = Trial.of(with_limit(STRUCTURES[kind], limit), seed=12)

    for _ in trial.run(ROWS // 10, most_widenings=0):
        pass

    trial.check_state()
    held = sum(array.nbytes for array in trial.engine.export_state().arrays.values())
    assert trial.most_bytes <= limit
    assert held <= limit


@pytest.mark.parametrize("hardship", HARDSHIPS, ids=lambda hardship: hardship.__name__)
@EVERY_KIND
def test_each_hardship_from_the_first_row_on(kind: str, hardship) -> None:  # type: ignore[no-untyped-def]
    """A network that never sees anything else stays finite, and learns ordinary rows later."""
    structure = STRUCTURES[kind]
    random = np.random.default_rng(3)
    engine = create_engine(structure)
    for arrival in Arrival:
        rows = hardship(random.normal(size=(100, engine.channels)).astype(np.float32), random)
        engine.learn(rows, adverse_targets(100, structure, random), arrival=arrival)

    rows = random.normal(size=(100, engine.channels)).astype(np.float32)
    scored = engine.learn(rows, adverse_targets(100, structure, random), arrival=Arrival.STREAMED)

    assert np.isfinite(scored.outputs).all()
    assert np.isfinite(scored.loss).all()
    assert np.isfinite(engine.predict(rows)).all()


@EVERY_KIND
def test_hard_lives_repeat(kind: str) -> None:
    """The same hardships in other frames, and over a restart, give the same bits."""
    structure = STRUCTURES[kind]
    rows, targets = some_rows(structure, 600)
    whole, pieces = create_engine(structure), create_engine(structure)
    whole.learn(rows, targets, arrival=Arrival.STREAMED)

    for part in (slice(0, 1), slice(1, 90), slice(90, 90), slice(90, 311)):
        pieces.learn(rows[part], targets[part], arrival=Arrival.STREAMED)
    copy = restore_engine(structure, pieces.export_state())
    copy.learn(rows[311:], targets[311:], arrival=Arrival.STREAMED)

    expected, found = whole.export_state().arrays, copy.export_state().arrays
    assert list(expected) == list(found)
    assert [] == [name for name in expected if expected[name].tobytes() != found[name].tobytes()]


def refused(structure: NetworkStructure) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Frames that do not fit, by what is wrong with them."""
    rows = np.ones((3, structure.channels), np.float32)
    targets = adverse_targets(3, structure, np.random.default_rng(0))
    frames = {
        "wider rows": (np.ones((3, structure.channels + 1), np.float32), targets),
        "one row too few": (rows[:2], targets),
        "one dimension": (rows[0], targets),
        "double inputs": (rows.astype(np.float64), targets),
        "whole-number inputs": (rows.astype(np.int32), targets),
        "double targets": (rows, targets.astype(np.float64)),
    }
    if structure.output.kind is TaskKind.CLASSES:
        most = structure.most_outputs
        frames["label below 0"] = (rows, np.array([0, 1, -1], np.int32))
        frames["label too high"] = (rows, np.array([0, 1, most], np.int32))
    else:
        for name, value in (("missing", np.nan), ("infinite", np.inf)):
            spoilt = targets.copy()
            spoilt[2] = value
            frames[f"{name} target"] = (rows, spoilt)
    return frames


@pytest.mark.parametrize("learned", [0, 200])
@EVERY_KIND
def test_what_does_not_fit_is_refused(kind: str, learned: int) -> None:
    """A frame that does not fit raises an error that says so and leaves the network untouched."""
    structure = STRUCTURES[kind]
    engine = create_engine(structure)
    rows, targets = some_rows(structure, 200)
    engine.learn(rows[:learned], targets[:learned], arrival=Arrival.STREAMED)
    before = engine.export_state()

    for inputs, goals in refused(structure).values():
        with pytest.raises(EngineInputError):
            engine.learn(inputs, goals, arrival=Arrival.STREAMED)

    after = engine.export_state()
    assert before.header == after.header
    for name, array in before.arrays.items():
        assert array.tobytes() == after.arrays[name].tobytes(), name


@EVERY_KIND
def test_no_rows_at_all(kind: str) -> None:
    """A frame without rows is learned and predicted without effect."""
    structure = STRUCTURES[kind]
    engine = create_engine(structure)
    rows, targets = some_rows(structure, 100)
    engine.learn(rows, targets, arrival=Arrival.STREAMED)
    before = engine.export_state().arrays

    scored = engine.learn(rows[:0], targets[:0], arrival=Arrival.STREAMED)

    assert 0 == len(scored.loss)
    assert (0, engine.outputs) == engine.predict(rows[:0]).shape
    after = engine.export_state().arrays
    assert [] == [name for name in before if before[name].tobytes() != after[name].tobytes()]
