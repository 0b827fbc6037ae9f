"""What every network obeys, whatever its shape and task."""

import itertools
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kyouko.domain.engine import (
    Activation,
    Arrival,
    Engine,
    EngineOptions,
    EngineState,
    EngineStateError,
    GrowingEngine,
    NetworkStructure,
    Optimizer,
    TaskKind,
    create_engine,
    restore_engine,
)
from kyouko.kernels import indices
from tests.reference.structures import (
    bricks,
    curve,
    delayed,
    far,
    flat,
    local,
    organising,
    pictures,
    scrambled_pictures,
    spiking,
    static,
    table,
)

Data = tuple[np.ndarray, np.ndarray]

KINDS: dict[str, tuple[NetworkStructure, Data]] = {
    "flat pictures": (flat(144), pictures(900)),
    "local pictures": (local(), pictures(900)),
    "table": (flat(6), table(900)),
    "fixed classes": (flat(6, size=3), table(900)),
    "numbers": (flat(10, kind=TaskKind.NUMBERS, size=2), curve(900, outputs=2)),
    # Tables have experts beside the network by default.
    "table alone": (flat(6, options=EngineOptions(experts=False)), table(900)),
    "numbers alone": (
        flat(10, kind=TaskKind.NUMBERS, size=2, options=EngineOptions(experts=False)),
        curve(900, outputs=2),
    ),
    "pictures with experts": (flat(144, options=EngineOptions(experts=True)), pictures(900)),
    "delays": (delayed(flat(6), 1, 2, 9), table(900)),
    "delayed numbers": (
        delayed(flat(10, kind=TaskKind.NUMBERS, size=2), 3, 70),
        curve(900, outputs=2),
    ),
    "brick of bricks": (bricks(), pictures(900)),
    "long connections": (far(), table(900)),
    "spiking": (spiking(6), table(900)),
    "spiking numbers": (spiking(10, kind=TaskKind.NUMBERS, size=2), curve(900, outputs=2)),
    "delayed spiking": (delayed(spiking(6), 1, 4), table(900)),
    "self-organised": (organising(144), scrambled_pictures(900)[:2]),
    "static": (static(flat(144)), pictures(900)),
    "static tanh": (static(flat(6, size=3), 9, activation=Activation.TANH), table(900)),
    "static sigmoid": (static(flat(6), activation=Activation.SIGMOID), table(900)),
    "static adam": (static(flat(6), 7, 5, optimizer=Optimizer.ADAM), table(900)),
    "static numbers": (
        static(flat(10, kind=TaskKind.NUMBERS, size=2), 5),
        curve(900, outputs=2),
    ),
    "static adam numbers": (
        static(flat(10, kind=TaskKind.NUMBERS, size=2), optimizer=Optimizer.ADAM),
        curve(900, outputs=2),
    ),
    "delayed static": (delayed(static(flat(6)), 1, 70), table(900)),
}
EVERY_KIND = pytest.mark.parametrize("kind", list(KINDS))
EVERY_ARRIVAL = pytest.mark.parametrize("arrival", list(Arrival))


def exported(engine: Engine) -> dict[str, np.ndarray]:
    """Everything that decides the network's future."""
    return engine.export_state().arrays


def assert_same_arrays(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    """Compare to the bit."""
    assert list(expected) == list(found)
    for name, array in expected.items():
        assert array.tobytes() == found[name].tobytes(), name


@EVERY_ARRIVAL
@EVERY_KIND
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.integers(1, 699), max_size=6))
def test_frames_do_not_matter(kind: str, arrival: Arrival, cuts: list[int]) -> None:
    """Rows in frames of any size teach and score exactly as one frame of all rows."""
    structure, (rows, targets) = KINDS[kind]
    whole, parts = create_engine(structure), create_engine(structure)
    scored = whole.learn(rows[:700], targets[:700], arrival=arrival)
    borders = [0, *sorted(set(cuts)), 700]

    pieces = [
        parts.learn(rows[start:stop], targets[start:stop], arrival=arrival)
        for start, stop in itertools.pairwise(borders)
    ]

    assert_same_arrays(exported(whole), exported(parts))
    assert np.array_equal(scored.loss, np.concatenate([piece.loss for piece in pieces]))
    assert np.array_equal(scored.predicted, np.concatenate([piece.predicted for piece in pieces]))


@EVERY_ARRIVAL
@EVERY_KIND
def test_rows_one_by_one(kind: str, arrival: Arrival) -> None:
    """A frame of n rows equals n frames of one row, for learning and for predicting."""
    structure, (rows, targets) = KINDS[kind]
    whole, single = create_engine(structure), create_engine(structure)
    whole.learn(rows[:400], targets[:400], arrival=arrival)

    for place in range(400):
        single.learn(rows[place : place + 1], targets[place : place + 1], arrival=arrival)

    assert_same_arrays(exported(whole), exported(single))
    alone = [single.predict(rows[place : place + 1])[0] for place in range(400, 500)]
    assert np.array_equal(whole.predict(rows[400:500]), np.stack(alone))


@EVERY_ARRIVAL
@EVERY_KIND
def test_reviews_do_not_depend_on_frames(
    kind: str, arrival: Arrival, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reviews that remove connections come at the same rows, in any frames and after a restart."""
    monkeypatch.setattr(indices, "PRUNE_EVERY", 200)
    structure, (rows, targets) = KINDS[kind]
    whole, parts = create_engine(structure), create_engine(structure)
    whole.learn(rows, targets, arrival=arrival)

    parts.learn(rows[:399], targets[:399], arrival=arrival)
    parts.learn(rows[399:400], targets[399:400], arrival=arrival)
    copy = restore_engine(structure, parts.export_state())
    copy.learn(rows[400:], targets[400:], arrival=arrival)

    assert_same_arrays(exported(whole), exported(copy))


@EVERY_KIND
def test_predicting_changes_nothing(kind: str) -> None:
    """A network that predicted in between learns on as one that did not; inputs stay intact."""
    structure, (rows, targets) = KINDS[kind]
    quiet, asked = create_engine(structure), create_engine(structure)
    for engine in (quiet, asked):
        engine.learn(rows[:300], targets[:300], arrival=Arrival.STREAMED)
    before = exported(asked)
    untouched = rows.copy()

    first = asked.predict(rows * np.float32(3))
    second = asked.predict(rows * np.float32(3))

    assert np.array_equal(first, second)
    assert_same_arrays(before, exported(asked))
    for engine in (quiet, asked):
        engine.learn(rows[300:], targets[300:], arrival=Arrival.STREAMED)
    assert_same_arrays(exported(quiet), exported(asked))
    assert np.array_equal(untouched, rows)


@pytest.mark.parametrize("cut", [0, 1, 3, 17, 63, 64, 65, 500])
@EVERY_KIND
def test_restored_networks_continue_exactly(kind: str, cut: int) -> None:
    """Export at any row, import, and go on: bit for bit the same future."""
    structure, (rows, targets) = KINDS[kind]
    original = create_engine(structure)
    original.learn(rows[:cut], targets[:cut], arrival=Arrival.STREAMED)

    copy = restore_engine(structure, original.export_state())

    for arrival, part in ((Arrival.STREAMED, slice(cut, 700)), (Arrival.STORED, slice(700, 900))):
        expected = original.learn(rows[part], targets[part], arrival=arrival)
        found = copy.learn(rows[part], targets[part], arrival=arrival)
        assert np.array_equal(expected.outputs, found.outputs)
    assert_same_arrays(exported(original), exported(copy))


@EVERY_ARRIVAL
@EVERY_KIND
def test_same_seed_same_network(kind: str, arrival: Arrival) -> None:
    """The same seed and rows give the same network; another seed gives another."""
    structure, (rows, targets) = KINDS[kind]
    other = replace(structure, options=replace(structure.options, seed=2))
    engines = [create_engine(item) for item in (structure, structure, other)]

    for engine in engines:
        engine.learn(rows, targets, arrival=arrival)

    assert_same_arrays(exported(engines[0]), exported(engines[1]))
    assert not np.array_equal(engines[0].predict(rows), engines[2].predict(rows))


@pytest.mark.parametrize("header", ["engine", "format", "channels", "block_width", "kind"])
def test_foreign_states_are_refused(header: str) -> None:
    """A state of another structure or format is refused with the reason."""
    engine = GrowingEngine(flat(3))
    state = engine.export_state()
    foreign = EngineState(state.arrays, {**state.header, header: "other"})

    with pytest.raises(EngineStateError, match=header):
        restore_engine(flat(3), foreign)


@pytest.mark.parametrize("name", ["row_table", "list_channel", "section_count", "counters"])
def test_damaged_states_are_refused(name: str) -> None:
    """Indices that point outside the arrays never reach the kernels."""
    structure, (rows, targets) = KINDS["table"]
    engine = GrowingEngine(structure)
    engine.learn(rows, targets, arrival=Arrival.STREAMED)
    state = engine.export_state()
    state.arrays[name] = np.full_like(state.arrays[name], 1 << 30)

    with pytest.raises(EngineStateError):
        restore_engine(structure, state)


@pytest.mark.parametrize("name", ["weights", "slow_bias", "output_weights", "knots", "meters"])
def test_states_that_are_not_finite_are_refused(name: str) -> None:
    """A NaN in what a network has learned does not come back with it."""
    structure, (rows, targets) = KINDS["table"]
    engine = GrowingEngine(structure)
    engine.learn(rows, targets, arrival=Arrival.STREAMED)
    state = engine.export_state()
    state.arrays[name].reshape(-1)[-1] = np.nan

    with pytest.raises(EngineStateError, match=f"{name} holds values that are not finite"):
        restore_engine(structure, state)


def listed_twice(arrays: dict[str, np.ndarray]) -> None:
    """Let the first kept row list a channel twice."""
    arrays["list_channel"][1] = arrays["list_channel"][0]


def used_twice(arrays: dict[str, np.ndarray]) -> None:
    """Let two sections share a weight row."""
    arrays["row_table"][0, 1] = arrays["row_table"][0, 0]


def free_and_used(arrays: dict[str, np.ndarray]) -> None:
    """Let the rows to be handed out next be in use."""
    arrays["free_rows"] = arrays["row_table"][0, :1].copy()
    arrays["counters"][indices.FREE_ROWS] = 1


def stopped_for_no_reason(arrays: dict[str, np.ndarray]) -> None:
    """Name a reason that does not exist."""
    arrays["counters"][indices.GROWTH_STOPPED] = 5


@pytest.mark.parametrize("damage", [listed_twice, used_twice, free_and_used, stopped_for_no_reason])
def test_states_at_odds_with_themselves_are_refused(
    damage: Callable[[dict[str, np.ndarray]], None],
) -> None:
    """Numbers that are all in range, but would lead a kernel beyond an array, are found."""
    structure, (rows, targets) = KINDS["table"]
    engine = GrowingEngine(structure)
    engine.learn(rows, targets, arrival=Arrival.STREAMED)
    state = engine.export_state()
    damage(state.arrays)

    with pytest.raises(EngineStateError):
        restore_engine(structure, state)


def mistakes(structure: NetworkStructure, data: Data, changed: np.ndarray) -> float:
    """Share of wrong predictions on the last 1,000 rows, mean of three seeds."""
    shares = []
    for seed in (1, 2, 3):
        options = replace(structure.options, seed=seed)
        engine = create_engine(replace(structure, options=options))
        engine.learn(changed[:-1000], data[1][:-1000], arrival=Arrival.STORED)
        predicted = engine.predict(changed[-1000:]).argmax(axis=1)
        shares.append(float(np.mean(predicted != data[1][-1000:])))
    return float(np.mean(shares))


SCALE_KINDS = pytest.mark.parametrize(
    ("structure", "data"),
    [
        pytest.param(flat(144, 32), pictures(5000), id="flat pictures"),
        pytest.param(local(), pictures(5000), id="local pictures"),
        pytest.param(flat(6, 32), table(5000), id="table"),
        pytest.param(bricks(), pictures(5000), id="brick of bricks"),
        pytest.param(spiking(6), table(5000), id="spiking"),
        pytest.param(
            flat(6, 32, options=EngineOptions(experts=False)), table(5000), id="table alone"
        ),
        pytest.param(static(flat(144, 32)), pictures(5000), id="static pictures"),
        pytest.param(static(flat(6, 32)), table(5000), id="static table"),
    ],
)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e6, 1e20])
@SCALE_KINDS
def test_scale_does_not_matter(structure: NetworkStructure, data: Data, scale: float) -> None:
    """Multiplying all inputs by one factor costs less than one point."""
    changed = (data[0].astype(np.float64) * scale).astype(np.float32)

    assert mistakes(structure, data, changed) < mistakes(structure, data, data[0]) + 0.01


@SCALE_KINDS
def test_scales_of_channels_do_not_matter(structure: NetworkStructure, data: Data) -> None:
    """A factor between 0.001 and 1,000 for each channel costs less than one point."""
    factors = 10.0 ** np.random.default_rng(0).uniform(-3, 3, data[0].shape[1])

    changed = (data[0] * factors).astype(np.float32)

    assert mistakes(structure, data, changed) < mistakes(structure, data, data[0]) + 0.01


@pytest.mark.parametrize("change", ["plus 1000", "minus 1000", "negated", "mirrored"])
@SCALE_KINDS
def test_offset_and_sign_do_not_matter(
    structure: NetworkStructure, data: Data, change: str
) -> None:
    """Adding a constant or negating costs less than two points."""
    changed = {
        "plus 1000": data[0] + 1000,
        "minus 1000": data[0] - 1000,
        "negated": -data[0],
        "mirrored": 255 - data[0],
    }[change]

    assert mistakes(structure, data, changed) < mistakes(structure, data, data[0]) + 0.02


@SCALE_KINDS
def test_outliers_are_harmless(structure: NetworkStructure, data: Data) -> None:
    """One channel a million times too large in 1 % of the rows costs less than one point."""
    random = np.random.default_rng(1)
    changed = data[0].copy()
    hit = np.flatnonzero(random.random(len(changed) - 1000) < 0.01)
    changed[hit, random.integers(0, changed.shape[1], len(hit))] *= np.float32(1e6)
    changed[hit, 0] = 1e6

    assert mistakes(structure, data, changed) < mistakes(structure, data, data[0]) + 0.01


@SCALE_KINDS
def test_missing_values_cost_little(structure: NetworkStructure, data: Data) -> None:
    """NaN in 3 % of the learned values, and infinities in 4 % of all rows, cost few points."""
    random = np.random.default_rng(2)
    changed = data[0].copy()
    border = len(changed) - 1000
    changed[:border][random.random((border, changed.shape[1])) < 0.03] = np.nan
    changed[::50, 1] = np.inf
    changed[25::50, 2] = -np.inf

    assert mistakes(structure, data, changed) < mistakes(structure, data, data[0]) + 0.06


extreme = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, -0.0, 3e38, -3e38, 1e-45, float("nan"), float("inf"), -float("inf")]),
    st.floats(-10, 10, width=32),
)


@EVERY_ARRIVAL
@pytest.mark.parametrize("kind", [TaskKind.CLASSES, TaskKind.NUMBERS])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nothing_makes_it_fall_over(kind: TaskKind, arrival: Arrival, data: st.DataObject) -> None:
    """Whatever numbers arrive, outputs stay finite and memory stays in its bound."""
    seed = data.draw(st.integers(0, 1000))
    pool = data.draw(st.lists(extreme, min_size=1, max_size=12))
    goals = data.draw(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=5))
    random = np.random.default_rng(seed)
    rows = random.choice(np.array(pool, np.float32), (200, 3))
    options = EngineOptions(memory_limit_bytes=120_000, rehearsal_rows=20)
    engine = GrowingEngine(flat(3, 8, kind=kind, size=1, options=options))
    if kind is TaskKind.CLASSES:
        engine = GrowingEngine(flat(3, 8, options=options))
        targets = random.integers(0, 4, 200).astype(np.int32)
    else:
        targets = random.choice(np.array(goals, np.float32), (200, 1))

    scored = engine.learn(rows, targets, arrival=arrival)

    assert np.isfinite(scored.outputs).all()
    assert np.isfinite(scored.loss).all()
    assert np.isfinite(engine.predict(rows)).all()
    assert np.isfinite(engine.state.meters).all()
    assert int((~np.isfinite(rows)).sum()) == engine.statistics().non_finite_values


@pytest.mark.parametrize("spare", [70, 150, 300])
def test_memory_stays_in_its_bound(spare: int) -> None:
    """A pool of weight rows that is full stops growth, and learning goes on."""
    rows, labels = pictures(2000)
    random = np.random.default_rng(0)
    noisy = (rows + random.normal(0, 30, rows.shape)).astype(np.float32)
    least = GrowingEngine(local(options=EngineOptions(rehearsal_rows=0))).state
    pool = least.weights.nbytes + least.slow_weights.nbytes + 5 * len(least.row_used)
    limit = least.count_bytes() - pool + spare * (8 * least.weights.shape[1] + 5)
    engine = GrowingEngine(local(options=EngineOptions(memory_limit_bytes=limit)))

    engine.learn(noisy, labels, arrival=Arrival.STREAMED)

    statistics = engine.statistics()
    assert engine.state.count_bytes() <= limit
    assert statistics.memory_bytes <= limit
    assert statistics.growth_stopped
    assert "memory" in statistics.growth_stop_reason
    used = int(engine.state.row_used.sum())
    assert used * engine.state.weights.shape[1] == statistics.input_connections
    assert np.isfinite(engine.predict(noisy)).all()


@pytest.mark.parametrize(
    "kind", [name for name in KINDS if not name.startswith(("delay", "static"))]
)
def test_padding_stays_silent(kind: str) -> None:
    """Weight rows are owned once, and padding neurons never get a weight."""
    structure, (rows, targets) = KINDS[kind]
    odd = replace(
        structure, populations=tuple(replace(item, neurons=13) for item in structure.populations)
    )
    engine = GrowingEngine(odd)
    engine.learn(rows, targets, arrival=Arrival.STREAMED)
    state = engine.state

    owned = [
        int(row)
        for channel in range(odd.channels)
        for edge in range(state.reach_first[channel], state.reach_first[channel + 1])
        for row in state.row_table[: state.section_count[channel], edge]
    ]
    owned += range(len(state.inner_source))

    assert len(set(owned)) == len(owned)
    assert sorted(owned) == np.flatnonzero(state.row_used).tolist()
    assert not state.weights[state.row_used > 0, 13:].any()
    assert not state.bias[:, 13:].any()
    assert not state.output_weights.reshape(-1, *state.bias.shape)[:, :, 13:].any()


def test_every_array_is_described() -> None:
    """The layout table names exactly the arrays that a network has."""
    state = GrowingEngine(flat(2)).state
    described = str(type(state).__doc__)

    assert [] == [item.name for item in fields(state) if f"    {item.name} " not in described]
