"""Delayed channels: the inner engine sees what they held some rows ago, and time moves rightly."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import (
    Arrival,
    Connection,
    DelayedEngine,
    Engine,
    EngineInputError,
    EngineOptions,
    EngineState,
    EngineStateError,
    EngineStructureError,
    GrowthKind,
    InputPopulation,
    NetworkKind,
    NetworkStructure,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    TaskKind,
    create_engine,
    restore_engine,
)
from kyouko.domain.engine.delayed.widening import widen_structure
from tests.reference.structures import Float32, delayed, flat, table

DELAYS = (1, 4, 30)
STRUCTURE = delayed(flat(6), *DELAYS)


def widened(rows: Float32, *delays: int) -> Float32:
    """Put the rows of each delay beside the present ones, slowly and plainly."""
    wide = [rows]
    for delay in delays:
        late = np.full_like(rows, np.nan)
        late[delay:] = rows[:-delay]
        wide.append(late)
    return np.concatenate(wide, axis=1)


def inner_of(engine: Engine) -> dict[str, np.ndarray]:
    """Arrays of the inner engine, by their own names."""
    arrays = engine.export_state().arrays
    return {
        name.removeprefix("inner/"): array for name, array in arrays.items() if "inner/" in name
    }


def assert_same(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    """Compare to the bit."""
    assert list(expected) == list(found)
    assert [] == [name for name in expected if expected[name].tobytes() != found[name].tobytes()]


def test_learning_sees_the_rows_before() -> None:
    """Delays give the bits that an engine gets from rows widened by hand, missing past included."""
    rows, labels = table(700)
    engine, plain = create_engine(STRUCTURE), create_engine(flat(24))

    found = engine.learn(rows, labels, arrival=Arrival.STREAMED)

    wide = widened(rows, *DELAYS)
    expected = plain.learn(wide, labels, arrival=Arrival.STREAMED)
    assert isinstance(engine, DelayedEngine)
    assert np.array_equal(expected.outputs, found.outputs)
    assert np.array_equal(expected.loss, found.loss)
    assert_same(plain.export_state().arrays, inner_of(engine))


def test_each_predicted_row_comes_next() -> None:
    """Predicting many rows answers each one as if it alone followed the learned ones."""
    rows, labels = table(360)
    engine = create_engine(STRUCTURE)
    engine.learn(rows[:50], labels[:50], arrival=Arrival.STREAMED)
    before = engine.export_state().arrays

    found = engine.predict(rows[50:])

    plain = create_engine(flat(24))
    wide = widened(rows, *DELAYS)
    plain.learn(wide[:50], labels[:50], arrival=Arrival.STREAMED)
    late = np.repeat(wide[50:51, 6:], 310, axis=0)
    assert np.array_equal(plain.predict(np.concatenate([rows[50:], late], axis=1)), found)
    assert_same(before, engine.export_state().arrays)


@pytest.mark.parametrize("frame", [1, 7, 310])
def test_observed_rows_move_time(frame: int) -> None:
    """Rows that pass without targets are predicted in order and become the past, in any frames."""
    rows, labels = table(400)
    engine, plain = create_engine(STRUCTURE), create_engine(flat(24))
    wide = widened(rows, *DELAYS)
    for network, inputs in ((engine, rows), (plain, wide)):
        network.learn(inputs[:80], labels[:80], arrival=Arrival.STREAMED)

    answers = [engine.observe(rows[start : start + frame]) for start in range(80, 390, frame)]

    assert np.array_equal(plain.predict(wide[80:390]), np.concatenate(answers)[:310])
    assert_same(plain.export_state().arrays, inner_of(engine))


def test_observed_rows_are_saved() -> None:
    """A restored network remembers the rows that it only observed."""
    rows, labels = table(200)
    engine = create_engine(STRUCTURE)
    engine.learn(rows[:80], labels[:80], arrival=Arrival.STREAMED)
    engine.observe(rows[80:100])

    copy = restore_engine(STRUCTURE, engine.export_state())

    assert np.array_equal(engine.predict(rows[100:]), copy.predict(rows[100:]))


def test_bytes_and_floats_give_the_same_bits() -> None:
    """Rows of whole numbers teach the same as uint8 and as float32, also mixed."""
    rows, labels = table(300)
    small = (rows * 1000 % 200).astype(np.uint8)
    engines = [create_engine(STRUCTURE) for _ in range(3)]

    engines[0].learn(small, labels, arrival=Arrival.STREAMED)
    engines[1].learn(small.astype(np.float32), labels, arrival=Arrival.STREAMED)
    engines[2].learn(small[:33], labels[:33], arrival=Arrival.STREAMED)
    floats = small[33:].astype(np.float32)
    engines[2].learn(floats, labels[33:], arrival=Arrival.STREAMED)

    assert_same(engines[0].export_state().arrays, engines[1].export_state().arrays)
    assert_same(engines[0].export_state().arrays, engines[2].export_state().arrays)


def test_only_given_values_are_counted() -> None:
    """A missing value counts once, however many delays see it; the missing past does not count."""
    rows, labels = table(100)
    rows[10, 2] = np.nan
    rows[20, 3] = np.inf
    engine = create_engine(STRUCTURE)

    engine.learn(rows, labels, arrival=Arrival.STREAMED)

    assert 2 == engine.statistics().non_finite_values


def two_inputs() -> NetworkStructure:
    """An input with delays and one without, and hidden populations that pick from them."""
    far = Reach(ReachKind.RADIUS, radius=1.0)
    chosen = Reach(ReachKind.CHANNELS, channels=(1, 2))
    return NetworkStructure(
        inputs=(
            InputPopulation("a", 2, (2, 1, 1), (0.0, 0.0, 0.0), delays=(1, 3)),
            InputPopulation("b", 1, (1, 1, 1), (9.0, 0.0, 0.0)),
        ),
        populations=(
            Population("by name", (0.0, 0.0, 0.0), 8, inputs=("a",)),
            Population("by place", (9.0, 0.0, 0.0), 8, reach=far),
            Population("by number", (0.0, 0.0, 0.0), 8, reach=chosen),
            Population("linked", (0.0, 0.0, 0.0), 8, inputs=("b", "by name")),
        ),
        output=OutputPopulation("label", TaskKind.CLASSES),
        connections=(Connection("a", "linked", 0.5), Connection("by place", "linked")),
    )


def test_whatever_reaches_a_channel_reaches_its_past() -> None:
    """Names, places, channel numbers and long connections include the delayed copies."""
    wide = widen_structure(two_inputs(), 1_000_000)

    names = [item.name for item in wide.inputs]
    assert ["a", "a, 1 rows ago", "a, 3 rows ago", "b"] == names
    assert [(), (), (), ()] == [item.delays for item in wide.inputs]
    assert 1 == len({item.position for item in wide.inputs[:3]})
    by_name, by_place, by_number, linked = wide.populations
    assert tuple(names[:3]) == by_name.inputs
    assert () == by_place.inputs
    assert (1, 3, 5, 6) == by_number.reach.channels
    assert ("b", "by name") == linked.inputs
    assert [("a", 0.5), ("a, 1 rows ago", 0.5), ("a, 3 rows ago", 0.5), ("by place", 1.0)] == [
        (item.source, item.chance) for item in wide.connections
    ]
    assert 1_000_000 == wide.options.memory_limit_bytes
    wide.check()


def test_only_delayed_inputs_have_a_past() -> None:
    """A network of some delayed inputs learns, is saved, and goes on exactly."""
    structure = replace(two_inputs(), connections=())
    rows, labels = table(300, channels=3)
    engine = create_engine(structure)
    engine.learn(rows[:100], labels[:100], arrival=Arrival.STREAMED)

    copy = restore_engine(structure, engine.export_state())

    for network in (engine, copy):
        network.learn(rows[100:], labels[100:], arrival=Arrival.STREAMED)
    assert (3, 2) == engine.export_state().arrays["delayed/past_values"].shape
    assert_same(engine.export_state().arrays, copy.export_state().arrays)


@pytest.mark.parametrize("delays", [(), (2,), (1, 90)])
def test_channels_with_any_delays_can_be_added(delays: tuple[int, ...]) -> None:
    """The old channels' past stays, the new one's is missing; the wider network can be restored."""
    rows, labels = table(400, channels=8)
    engine = create_engine(STRUCTURE)
    engine.learn(rows[:100, :6].copy(), labels[:100], arrival=Arrival.STREAMED)
    first = engine.predict(rows[100:101, :6])

    engine.add_channels(InputPopulation("more", 2, (2, 1, 1), (0.0, 1.0, 0.0), delays=delays))

    unknown = rows[100:101].copy()
    unknown[:, 6:] = np.nan
    assert np.array_equal(first, engine.predict(unknown))
    engine.learn(rows[100:250], labels[100:250], arrival=Arrival.STREAMED)
    copy = restore_engine(engine.structure, engine.export_state())
    for network in (engine, copy):
        network.learn(rows[250:], labels[250:], arrival=Arrival.STREAMED)
    assert_same(engine.export_state().arrays, copy.export_state().arrays)
    assert 8 == engine.channels


@pytest.mark.parametrize("delays", [tuple(range(1, 13)), (100_000,)])
def test_channels_that_do_not_fit_change_nothing(delays: tuple[int, ...]) -> None:
    """No room for the last of the copies, or for the past: the network learns on as it was."""
    rows, labels = table(300)
    small = replace(STRUCTURE, options=EngineOptions(memory_limit_bytes=600_000))
    engine, quiet, other = (create_engine(small) for _ in range(3))
    for network in (engine, quiet):
        network.learn(rows[:200], labels[:200], arrival=Arrival.STREAMED)
    more = InputPopulation("more", 30, (30, 1, 1), (0.0, 0.0, 0.0))
    other.add_channels(more)

    with pytest.raises(EngineStructureError, match="memory_limit_bytes"):
        engine.add_channels(replace(more, delays=delays))

    for network in (engine, quiet):
        network.learn(rows[200:], labels[200:], arrival=Arrival.STREAMED)
    assert_same(quiet.export_state().arrays, engine.export_state().arrays)
    assert (6, 36) == (engine.channels, other.channels)


@pytest.mark.parametrize("kind", list(NetworkKind))
def test_a_network_without_delays_gets_none_later(kind: NetworkKind) -> None:
    """Channels with delays are refused where no past is kept, and the network stays as it was."""
    engine = create_engine(replace(flat(6), kind=kind))

    with pytest.raises(EngineStructureError, match="delays"):
        engine.add_channels(InputPopulation("more", 1, (1, 1, 1), (0.0, 0.0, 0.0), delays=(1,)))

    assert 6 == engine.channels


@pytest.mark.parametrize("kind", list(NetworkKind))
def test_any_kind_learns_an_order(kind: NetworkKind) -> None:
    """What only the value of three rows ago tells is told by growing and static networks."""
    random = np.random.default_rng(4)
    rows = random.integers(0, 2, (6000, 1)).astype(np.float32)
    labels = np.roll(rows[:, 0], 3).astype(np.int32)

    correct = (
        create_engine(delayed(replace(flat(1), kind=kind), 1, 2, 3))
        .learn(rows, labels, arrival=Arrival.STREAMED)
        .correct
    )

    assert correct[3000:].mean() > 0.99


def test_events_tell_the_users_channels() -> None:
    """Growth of a delayed value is told as growth of its channel."""
    rows, labels = table(300)
    for channel in range(6):
        # One after the other, because channels that grow in one row share an event.
        rows[: 100 + 20 * channel, channel] = 0.0
    engine = create_engine(STRUCTURE)
    engine.learn(rows, labels, arrival=Arrival.STREAMED)

    subjects = {event.subject for event in engine.events() if event.kind is GrowthKind.CHANNEL_GREW}

    assert set(range(6)) == subjects


@pytest.mark.parametrize("frame", [1, 300])
def test_memory_stays_in_its_bound(frame: int) -> None:
    """What is kept of the past counts, and the inner network takes no more than the rest."""
    rows, labels = table(300)
    structure = delayed(flat(6, options=EngineOptions(memory_limit_bytes=400_000)), 5, 2000)
    engine = create_engine(structure)

    for start in range(0, 300, frame):
        part = slice(start, start + frame)
        engine.learn(rows[part], labels[part], arrival=Arrival.STREAMED)

    statistics = engine.statistics()
    held = sum(array.nbytes for array in engine.export_state().arrays.values())
    assert 2000 * 6 * 4 < statistics.memory_bytes <= 400_000 == statistics.memory_limit_bytes
    assert held <= statistics.memory_bytes


@pytest.mark.parametrize("delays", [(20_000,), (3_600,)])
def test_a_past_that_does_not_fit_is_refused(delays: tuple[int, ...]) -> None:
    """Delays for which the memory limit leaves no room, or none beside them, are an error."""
    options = EngineOptions(memory_limit_bytes=100_000)

    with pytest.raises(EngineStructureError, match="memory_limit_bytes"):
        create_engine(delayed(flat(6, options=options), *delays))


DAMAGES: dict[str, Callable[[EngineState], object]] = {
    "another engine": lambda state: state.header.update(engine="growing"),
    "another format": lambda state: state.header.update(format=99),
    "other channels": lambda state: state.header.update(channels=7),
    "no inner header": lambda state: state.header.pop("inner"),
    "wrong count": lambda state: state.header.update(non_finite=-1),
    "no room": lambda state: state.header.update(reserved_bytes=0),
    "all room": lambda state: state.header.update(reserved_bytes=1 << 60),
    "no past": lambda state: state.arrays.pop("delayed/past_values"),
    "shorter past": lambda state: state.arrays.update(
        {"delayed/past_values": np.zeros((3, 6), np.float32)}
    ),
    "no weights": lambda state: state.arrays.pop("inner/inner/weights"),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_damaged_states_are_refused(damage: str) -> None:
    """Whatever is missing or wrong in a state is found before anything is taken over."""
    rows, labels = table(100)
    engine = create_engine(STRUCTURE)
    engine.learn(rows, labels, arrival=Arrival.STREAMED)
    state = engine.export_state()

    DAMAGES[damage](state)

    with pytest.raises(EngineStateError):
        restore_engine(STRUCTURE, state)


def test_wrong_rows_do_not_move_time() -> None:
    """A frame that is refused leaves window and weights as they were, also when observing."""
    rows, labels = table(100)
    engine = create_engine(STRUCTURE)
    engine.learn(rows, labels, arrival=Arrival.STREAMED)
    before = engine.export_state().arrays

    with pytest.raises(EngineInputError):
        engine.learn(rows, np.full(100, -1, np.int32), arrival=Arrival.STREAMED)
    for ask in (engine.predict, engine.observe):
        with pytest.raises(EngineInputError):
            ask(rows[:, :5])

    assert_same(before, engine.export_state().arrays)
