"""The engine's border: what goes in, what comes out, what is refused."""

import threading

import numpy as np
import pytest

from kyouko.domain.engine import (
    Arrival,
    EngineInputError,
    EngineOptions,
    GrowingEngine,
    InputPopulation,
    TaskKind,
    create_engine,
    restore_engine,
)
from kyouko.kernels import indices
from tests.reference.structures import curve, flat, local, pictures, table

NUMBERS = flat(10, kind=TaskKind.NUMBERS, size=2)


def test_a_new_network_has_no_connections() -> None:
    """Before the first row there are no connections, neurons, sections or outputs."""
    statistics = create_engine(local()).statistics()

    assert 0 == statistics.connections
    assert 0 == statistics.neurons
    assert 0 == statistics.sections
    assert 0 == statistics.outputs


def test_predicting_before_learning() -> None:
    """A network that knows no class predicts none; one of numbers predicts zeros."""
    classes = create_engine(flat(3)).predict(np.ones((2, 3), np.float32))
    numbers = create_engine(NUMBERS).predict(np.ones((2, 10), np.float32))
    fixed = create_engine(flat(3, size=4)).predict(np.ones((2, 3), np.float32))

    assert (2, 0) == classes.shape
    assert [[0.0, 0.0], [0.0, 0.0]] == numbers.tolist()
    assert [[0.25] * 4] * 2 == fixed.tolist()


def test_connections_are_counted() -> None:
    """Input connections are weight rows times block width, outputs times neurons are the rest."""
    engine = GrowingEngine(local())
    engine.learn(*pictures(100), arrival=Arrival.STORED)

    statistics = engine.statistics()

    rows = int(engine.state.row_used.sum())
    assert rows * 16 == statistics.input_connections
    assert 64 * 10 == statistics.output_connections
    assert statistics.input_connections + 640 == statistics.connections
    assert 64 == statistics.neurons
    assert statistics.memory_bytes < statistics.memory_limit_bytes


def test_an_empty_frame_is_fine() -> None:
    """No rows give empty results and change nothing."""
    engine = create_engine(flat(3))

    scored = engine.learn(
        np.zeros((0, 3), np.uint8), np.zeros(0, np.int32), arrival=Arrival.STREAMED
    )

    assert (0, 0) == scored.outputs.shape
    assert 0 == engine.statistics().learned_rows


def test_a_label_opens_outputs() -> None:
    """A label never seen opens the outputs up to it; they were 0 in the rows before."""
    engine = create_engine(flat(3))
    rows = np.random.default_rng(0).random((4, 3)).astype(np.float32)

    scored = engine.learn(rows, np.array([0, 1, 0, 4], np.int32), arrival=Arrival.STORED)

    assert 5 == engine.outputs
    assert (4, 5) == scored.outputs.shape
    assert [-1, 0, -1][:2] == scored.predicted.tolist()[:2]
    assert 0.0 == scored.outputs[:, 2:].sum()
    assert pytest.approx([0.0, 1.0, 1.0, 1.0]) == scored.outputs.sum(axis=1).tolist()
    assert pytest.approx(13.8) == scored.loss[3]
    assert pytest.approx(1.0) == float(engine.predict(rows[:1]).sum())


def test_scores_belong_to_the_outputs() -> None:
    """Loss, predicted class and correctness follow from the outputs and the label."""
    rows, labels = pictures(400)
    scored = create_engine(flat(144)).learn(rows, labels, arrival=Arrival.STREAMED)

    chances = scored.outputs[np.arange(400), labels]
    seen = chances > 0
    assert np.array_equal(scored.outputs.argmax(axis=1)[1:], scored.predicted[1:])
    assert np.array_equal(scored.predicted == labels, scored.correct.astype(bool))
    expected = -np.log(np.maximum(chances[seen], 1e-6))
    assert pytest.approx(expected, abs=1e-4) == scored.loss[seen]


def test_numbers_are_learned_in_their_own_unit() -> None:
    """Predictions come back in the unit of the targets, whatever that is."""
    rows, targets = curve(1500, outputs=2)
    small = create_engine(NUMBERS).learn(rows, targets, arrival=Arrival.STREAMED)
    large = create_engine(NUMBERS).learn(rows, targets * np.float32(1e6), arrival=Arrival.STREAMED)

    error = np.abs(small.outputs - targets)[750:].mean(axis=0)
    spread = np.abs(targets - targets.mean(axis=0)).mean(axis=0)
    assert (error < 0.4 * spread).all()
    assert pytest.approx(1.0, abs=0.02) == np.abs(large.outputs - targets * 1e6).mean() / (
        np.abs(small.outputs - targets).mean() * 1e6
    )


@pytest.mark.parametrize(
    ("inputs", "targets", "field"),
    [
        (np.zeros((2, 4), np.float32), np.zeros(2, np.int32), "inputs"),
        (np.zeros(3, np.float32), np.zeros(1, np.int32), "inputs"),
        (np.zeros((2, 3), np.float64), np.zeros(2, np.int32), "inputs"),
        (np.zeros((2, 3), np.float32), np.zeros(3, np.int32), "targets"),
        (np.zeros((2, 3), np.float32), np.zeros(2, np.int64), "targets"),
        (np.zeros((2, 3), np.float32), np.zeros((2, 1), np.int32), "targets"),
        (np.zeros((2, 3), np.float32), np.array([0, -1], np.int32), "targets"),
        (np.zeros((2, 3), np.float32), np.array([0, 9], np.int32), "targets"),
    ],
)
def test_bad_arrays_are_refused(inputs: np.ndarray, targets: np.ndarray, field: str) -> None:
    """An array that does not fit is named, and nothing of the frame is learned."""
    engine = create_engine(flat(3, options=EngineOptions(max_outputs=9)))

    with pytest.raises(EngineInputError) as refused:
        engine.learn(inputs, targets, arrival=Arrival.STORED)

    assert field == refused.value.field
    assert 0 == engine.statistics().learned_rows


def test_targets_that_are_no_numbers_are_refused() -> None:
    """NaN as a target is refused before anything is learned."""
    engine = create_engine(NUMBERS)
    targets = np.array([[1.0, np.nan]], np.float32)

    with pytest.raises(EngineInputError, match="finite"):
        engine.learn(np.zeros((1, 10), np.float32), targets, arrival=Arrival.STORED)

    assert 0 == engine.statistics().learned_rows


@pytest.mark.parametrize("kind", ["read-only", "strided", "unaligned"])
def test_any_memory_layout_is_taken(kind: str) -> None:
    """Rows from a socket's buffer or a slice give what a plain array gives."""
    rows, labels = table(200)
    plain = create_engine(flat(6)).learn(rows, labels, arrival=Arrival.STREAMED)
    if kind == "read-only":
        given = np.frombuffer(rows.tobytes(), np.float32).reshape(rows.shape)
    elif kind == "strided":
        given = np.repeat(rows, 2, axis=1)[:, ::2]
    else:
        given = np.frombuffer(b"x" + rows.tobytes(), np.float32, offset=1).reshape(rows.shape)

    found = create_engine(flat(6)).learn(given, labels, arrival=Arrival.STREAMED)

    assert np.array_equal(plain.outputs, found.outputs)


def test_bytes_and_floats_are_the_same_numbers() -> None:
    """Rows of bytes teach exactly what the same numbers teach as floats."""
    rows, labels = pictures(300)
    floats = create_engine(local()).learn(rows, labels, arrival=Arrival.STORED)

    found = create_engine(local()).learn(rows.astype(np.uint8), labels, arrival=Arrival.STORED)

    assert np.array_equal(floats.outputs, found.outputs)


def test_two_networks_learn_in_two_threads() -> None:
    """Networks share nothing, so threads cannot disturb them."""
    rows, labels = pictures(500)
    alone = create_engine(flat(144)).learn(rows, labels, arrival=Arrival.STREAMED)
    engines = [create_engine(flat(144)) for _ in range(2)]
    found = {}

    def work(place: int) -> None:
        found[place] = engines[place].learn(rows, labels, arrival=Arrival.STREAMED)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert np.array_equal(alone.outputs, found[0].outputs)
    assert np.array_equal(alone.outputs, found[1].outputs)


def test_drift_raises_the_alarm() -> None:
    """When the labels change their meaning the alarm is raised, and the network recovers."""
    rows, labels = pictures(4000, classes=4)
    labels[2000:] = (labels[2000:] + 1) % 4
    engine = create_engine(flat(144))

    scored = engine.learn(rows, labels, arrival=Arrival.STREAMED)

    assert engine.statistics().drift_alarms >= 1
    assert scored.correct[3000:].mean() > 0.9


@pytest.mark.parametrize("rows_before", [0, 30, 500])
def test_channels_can_be_added(rows_before: int) -> None:
    """New channels change no prediction while they rest, and their information is learned."""
    rows, labels = table(6000)
    narrow, wide = rows[:, 1:], np.roll(rows, -1, axis=1)
    engine = create_engine(flat(5, 32))
    engine.learn(narrow[:rows_before], labels[:rows_before], arrival=Arrival.STREAMED)
    before = engine.predict(narrow[:100])

    engine.add_channels(InputPopulation("late", 1, (1, 1, 1), (9.0, 0.0, 0.0)))

    assert np.array_equal(before, engine.predict(np.ascontiguousarray(wide[:100])))
    scored = engine.learn(
        np.ascontiguousarray(wide[rows_before:]), labels[rows_before:], arrival=Arrival.STREAMED
    )
    assert 6 == engine.channels
    assert scored.correct[-2000:].mean() > 0.85
    copy = restore_engine(engine.structure, engine.export_state())
    assert np.array_equal(engine.predict(wide[:100]), copy.predict(wide[:100]))


def test_young_averages_do_not_answer() -> None:
    """Before the weights were averaged once, the present ones answer, whatever their losses."""
    rows, labels = pictures(40)
    engine = GrowingEngine(flat(144, 128))
    engine.learn(rows[:35], labels[:35], arrival=Arrival.STORED)
    engine.state.meters[indices.LOSS_SLOW] = 0.5 * engine.state.meters[indices.LOSS_FAST]

    assert 0 == engine.state.counters[indices.AVERAGINGS]
    assert engine.state.meters[indices.LOSS_FAST] > 0.0
    assert not engine.statistics().uses_averaged_weights
