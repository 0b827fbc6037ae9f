"""Networks that find local populations by themselves: what they find, and what then happens."""

from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import (
    Arrival,
    EngineOptions,
    EngineState,
    EngineStateError,
    EngineStructureError,
    GrowthKind,
    InputPopulation,
    Organisation,
    create_engine,
    restore_engine,
)
from kyouko.domain.engine.organising.finding import find_reaches
from tests.reference.neighbourhood import count_steps, find_centres, find_neighbours
from tests.reference.structures import SIDE, organising, scrambled_pictures

ROWS, LABELS, PLACES = scrambled_pictures(900)
ORGANISATION = Organisation(populations=6, neurons=8, channels=30, at_row=300)
MORE = InputPopulation("more", 3, (3, 1, 1), (0.0, 0.0, 0.0))


def mean_distance(reach: tuple[int, ...]) -> float:
    """Mean distance of channels from their common middle, in the picture before it was mixed."""
    y, x = np.divmod(PLACES[list(reach)], SIDE)
    return float(np.hypot(x - x.mean(), y - y.mean()).mean())


def test_a_scrambled_plane_is_recovered() -> None:
    """Populations reach channels that lie side by side in the picture before it was mixed."""
    reaches = find_reaches(ROWS[:300], ORGANISATION)

    assert [30] * 6 == [len(reach) for reach in reaches]
    # A disc of 30 places has a mean distance of 2.1 from its middle, the whole picture one of 4.6.
    assert max(mean_distance(reach) for reach in reaches) < 3.0
    assert float(np.mean([mean_distance(reach) for reach in reaches])) < 2.5


def test_populations_cover_the_plane() -> None:
    """Their centres lie apart: together they reach most channels."""
    reaches = find_reaches(ROWS[:300], ORGANISATION)

    assert len({channel for reach in reaches for channel in reach}) > 0.7 * SIDE * SIDE


def test_finding_agrees_with_its_twin() -> None:
    """The plain search finds the same centres, and every reach is what lies nearest to one."""
    rows = ROWS[:300]

    reaches = find_reaches(rows, ORGANISATION)

    neighbours = find_neighbours(rows)
    for centre, reach in zip(find_centres(rows, 6), reaches, strict=True):
        steps = count_steps(neighbours, centre)
        furthest = max(steps[channel] for channel in reach)
        nearer = {channel for channel, number in enumerate(steps) if number < furthest}
        assert centre in reach
        assert nearer <= set(reach)


def test_scale_sign_and_offset_do_not_matter() -> None:
    """Each channel may have its own factor, sign and offset."""
    random = np.random.default_rng(3)
    factors = 2.0 ** random.integers(-20, 20, ROWS.shape[1]) * random.choice([-1, 1], ROWS.shape[1])

    changed = (ROWS[:300] * factors).astype(np.float32)

    assert find_reaches(ROWS[:300], ORGANISATION) == find_reaches(changed, ORGANISATION)


def test_bad_values_change_little() -> None:
    """Missing and infinite values and huge outliers leave the neighbourhoods local."""
    random = np.random.default_rng(4)
    rows = ROWS[:300].copy()
    rows[random.random(rows.shape) < 0.03] = np.nan
    rows[::50, ::7] = np.inf
    rows[25::50, ::5] = -3e38

    reaches = find_reaches(rows, ORGANISATION)

    assert len(reaches) == 6
    assert float(np.mean([mean_distance(reach) for reach in reaches])) < 3.0


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(ROWS[:300, :30], id="no more channels than a population reaches"),
        pytest.param(np.zeros((300, 60), np.float32), id="constant channels"),
        pytest.param(np.full((300, 60), np.nan, np.float32), id="missing channels"),
        pytest.param(ROWS[:9], id="too few rows to tell"),
        pytest.param(
            np.random.default_rng(1).normal(size=(300, 60)).astype(np.float32), id="independent"
        ),
    ],
)
def test_without_neighbours_nothing_is_found(rows: np.ndarray) -> None:
    """Channels that cannot be told apart, or have nothing in common, are left as they are."""
    assert () == find_reaches(rows, ORGANISATION)


def test_populations_come_exactly_at_the_row() -> None:
    """One row before nothing has changed, then the populations are there, and an event tells."""
    engine = create_engine(organising(144))
    engine.learn(ROWS[:149], LABELS[:149], arrival=Arrival.STORED)
    before = engine.statistics()

    engine.learn(ROWS[149:150], LABELS[149:150], arrival=Arrival.STORED)

    after = engine.statistics()
    [event] = [item for item in engine.events() if item.kind is GrowthKind.POPULATIONS_ADDED]
    assert (16, 48) == (before.neurons, after.neurons)
    assert (150, -1) == (event.row, event.subject)
    assert event.connections >= 4 * 30 * 8


def test_predictions_do_not_jump() -> None:
    """The network that has just been widened predicts as one that was not."""
    declared = replace(organising(144), organisation=Organisation(4, 8, 36, at_row=10_000))
    engines = [create_engine(structure) for structure in (organising(144), declared)]

    for engine in engines:
        engine.learn(ROWS[:150], LABELS[:150], arrival=Arrival.STORED)

    found, expected = (engine.predict(ROWS[150:]) for engine in engines)
    assert engines[0].statistics().neurons > engines[1].statistics().neurons
    np.testing.assert_allclose(expected, found, atol=1e-5)


def test_new_neurons_learn() -> None:
    """Rows after the search change the weights of what was found."""
    engine = create_engine(organising(144))
    engine.learn(ROWS[:150], LABELS[:150], arrival=Arrival.STORED)
    before = engine.export_state().arrays["growing/output_weights"]

    engine.learn(ROWS[150:], LABELS[150:], arrival=Arrival.STORED)

    after = engine.export_state().arrays["growing/output_weights"]
    assert not before[:, 16:].any()
    assert np.abs(after[:, 16:]).max() > 0.001


def test_kept_rows_count_as_memory_and_are_let_go() -> None:
    """Until the search, statistics count the rows; afterwards they are gone."""
    engine = create_engine(organising(144))
    engine.learn(ROWS[:149], LABELS[:149], arrival=Arrival.STORED)
    kept = engine.export_state().arrays["organising/rows"]

    engine.learn(ROWS[149:200], LABELS[149:200], arrival=Arrival.STORED)

    assert ROWS[:149].tobytes() == kept.tobytes()
    assert 0 == len(engine.export_state().arrays["organising/rows"])


def test_constant_channels_leave_the_network_as_declared() -> None:
    """A network that finds nothing learns on with what was declared."""
    engine = create_engine(organising(144))
    rows = np.zeros((400, 144), np.float32)
    rows[:, 0] = LABELS[:400]

    engine.learn(rows, LABELS[:400], arrival=Arrival.STORED)

    statistics = engine.statistics()
    assert 16 == statistics.neurons
    assert not statistics.growth_stopped


def test_too_little_memory_stops_growth_and_says_so() -> None:
    """If what was found does not fit, the network goes on without it and within its bound."""
    plain = create_engine(organising(144)).statistics().memory_bytes
    for limit in range(plain, 40 * plain, plain):
        engine = create_engine(
            organising(144, options=EngineOptions(memory_limit_bytes=limit, rehearsal_rows=0))
        )
        engine.learn(ROWS, LABELS, arrival=Arrival.STORED)
        statistics = engine.statistics()
        assert statistics.memory_bytes <= limit
        if statistics.neurons > 16:
            break
        assert statistics.growth_stopped
        assert "memory" in statistics.growth_stop_reason
    else:
        pytest.fail("it never fits")
    assert limit > plain


@pytest.mark.parametrize("early", [100, 400])
def test_channels_can_come_before_and_after_the_search(early: int) -> None:
    """Channels added at run time keep what was learned, and snapshots continue exactly."""
    engine = create_engine(organising(144))
    engine.learn(ROWS[:early], LABELS[:early], arrival=Arrival.STORED)
    before = engine.predict(ROWS[600:])

    engine.add_channels(MORE)

    wide = np.concatenate([ROWS, ROWS[:, :3]], axis=1)
    resting = np.concatenate([ROWS, np.full((len(ROWS), 3), np.nan, np.float32)], axis=1)
    assert np.allclose(before, engine.predict(resting[600:]), atol=1e-6)
    copy = restore_engine(engine.structure, engine.export_state())
    for item in (engine, copy):
        item.learn(wide[early:], LABELS[early:], arrival=Arrival.STORED)
    assert 48 == engine.statistics().neurons
    assert np.array_equal(engine.predict(wide), copy.predict(wide))


def test_another_search_is_refused() -> None:
    """A state whose populations do not fit the declared organisation is not taken over."""
    engine = create_engine(organising(144))
    engine.learn(ROWS, LABELS, arrival=Arrival.STORED)
    other = replace(engine.structure, organisation=Organisation(2, 8, 36, 150))

    with pytest.raises(EngineStateError, match="reach_sizes"):
        restore_engine(other, engine.export_state())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("organising/reach_channels", np.full(144, 144, np.int32)),
        ("organising/reach_channels", np.zeros(144, np.int32)),
        ("organising/reach_sizes", np.array([144, 0, 0, 0], np.int32)),
        ("organising/rows", np.zeros((1, 144), np.float32)),
    ],
)
def test_damaged_states_are_refused(name: str, value: np.ndarray) -> None:
    """Channels outside the rows, or listed twice, never become connections."""
    engine = create_engine(organising(144))
    engine.learn(ROWS[:200], LABELS[:200], arrival=Arrival.STORED)
    state = engine.export_state()
    damaged = EngineState({**state.arrays, name: value}, state.header)

    with pytest.raises(EngineStateError):
        restore_engine(engine.structure, damaged)


@pytest.mark.parametrize("phase", ["waiting", "nothing found", "lost"])
def test_wrong_phases_are_refused(phase: str) -> None:
    """A header that contradicts the arrays is refused."""
    engine = create_engine(organising(144))
    engine.learn(ROWS[:200], LABELS[:200], arrival=Arrival.STORED)
    state = engine.export_state()

    with pytest.raises(EngineStateError):
        restore_engine(
            engine.structure, EngineState(state.arrays, {**state.header, "phase": phase})
        )


@pytest.mark.parametrize("name", ["populations", "neurons", "channels", "at_row"])
def test_organisations_are_checked(name: str) -> None:
    """Each number has to be at least 1."""
    structure = organising(144, organisation=replace(ORGANISATION, **{name: 0}))

    with pytest.raises(EngineStructureError, match=f"organisation.{name}"):
        create_engine(structure)
