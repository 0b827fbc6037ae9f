"""The static network's border: what it is made from, what it tells, what it keeps."""

from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import (
    Activation,
    Arrival,
    Connection,
    Device,
    EngineInputError,
    EngineOptions,
    EngineState,
    EngineStateError,
    EngineStructureError,
    GrowthKind,
    InputPopulation,
    NetworkStructure,
    Optimizer,
    Organisation,
    Reach,
    ReachKind,
    Spiking,
    StaticEngine,
    TaskKind,
    create_engine,
    restore_engine,
)
from tests.reference.structures import curve, flat, pictures, static, table

EVERY_OPTIMIZER = pytest.mark.parametrize("optimizer", list(Optimizer))
EVERY_ACTIVATION = pytest.mark.parametrize("activation", list(Activation))


def learned(structure: NetworkStructure, rows: int = 3000) -> StaticEngine:
    """A network that has learned rows of its task."""
    classes = structure.output.kind is TaskKind.CLASSES
    inputs, targets = table(rows) if classes else curve(rows, outputs=structure.output.size)
    engine = StaticEngine(structure)
    engine.learn(inputs, targets, arrival=Arrival.STREAMED)
    return engine


@EVERY_OPTIMIZER
@EVERY_ACTIVATION
def test_classes_are_learned(activation: Activation, optimizer: Optimizer) -> None:
    """Every activation and optimizer learns a curved border on raw values."""
    structure = static(flat(6, 32), activation=activation, optimizer=optimizer, learning_rate=0.02)
    if optimizer is Optimizer.ADAM:
        structure = static(flat(6, 32), activation=activation, optimizer=optimizer)
    inputs, labels = table(9000)
    engine = create_engine(structure)
    engine.learn(inputs[:8000], labels[:8000], arrival=Arrival.STORED)

    found = engine.predict(inputs[8000:]).argmax(axis=1)

    # The most frequent class makes up 0.5; a linear border reaches 0.66.
    assert np.mean(found == labels[8000:]) > 0.72


@EVERY_OPTIMIZER
@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_numbers_are_learned_at_any_size(optimizer: Optimizer, size: float) -> None:
    """Targets of any size and offset are learned alike."""
    structure = static(flat(10, 32, kind=TaskKind.NUMBERS, size=2), optimizer=optimizer)
    inputs, targets = curve(6000, outputs=2)
    wanted = ((targets + 100.0) * size).astype(np.float32)
    engine = create_engine(structure)

    scored = engine.learn(inputs, wanted, arrival=Arrival.STORED)

    assert float(scored.loss[-1000:].mean()) < 0.25
    error = np.abs(engine.predict(inputs[-500:]) / size - 100.0 - targets[-500:])
    assert float(error.mean() / np.abs(targets - targets.mean(axis=0)).mean()) < 0.5


def test_two_layers_are_one_after_the_other() -> None:
    """Populations are the layers in order; all connections exist from the start."""
    engine = StaticEngine(static(flat(6, 32, size=3), 9))

    statistics = engine.statistics()

    assert 6 * 32 + 32 * 9 == statistics.input_connections
    assert 9 * 3 == statistics.output_connections
    assert 41 == statistics.neurons
    assert 0 == statistics.sections


def test_statistics_add_up() -> None:
    """Rows, updates, losses and connections are those of what was learned."""
    engine = learned(static(flat(6)))
    inputs, labels = table(100)
    inputs[3, 2] = np.nan
    inputs[4, 1:3] = np.inf

    engine.learn(inputs, labels, arrival=Arrival.STORED)

    statistics = engine.statistics()
    assert 3100 == statistics.learned_rows
    assert 3000 < statistics.updated_rows <= 3100
    assert 3 == statistics.non_finite_values
    assert 3 == statistics.outputs
    assert 0.0 < statistics.running_loss < 0.8
    assert 0.0 < statistics.running_error < 0.4
    assert statistics.connections == sum(event.connections for event in engine.events())


def test_events_tell_start_outputs_and_channels() -> None:
    """The log has the start, every output at its row, and added channels."""
    engine = StaticEngine(static(flat(2, 8)))
    rows = np.zeros((5, 2), np.float32)
    engine.learn(rows, np.array([0, 0, 2, 1, 3], np.int32), arrival=Arrival.STREAMED)
    engine.add_channels(InputPopulation("more", 3, (3, 1, 1), (0.0, 0.0, 0.0)))

    found = [(event.kind, event.row, event.subject) for event in engine.events(1)]

    assert GrowthKind.STARTED is engine.events()[0].kind
    opened = GrowthKind.OUTPUT_OPENED
    assert [(opened, 1, 0), (opened, 3, 1), (opened, 3, 2), (opened, 5, 3)] == found[:4]
    assert [(GrowthKind.CHANNELS_ADDED, 5, 2)] == found[4:]
    assert engine.statistics().connections == sum(event.connections for event in engine.events())


@EVERY_OPTIMIZER
@pytest.mark.parametrize("kind", list(TaskKind))
def test_added_channels_leave_the_function_as_it_is(kind: TaskKind, optimizer: Optimizer) -> None:
    """New channels have no say at first, whatever they show, and learn later."""
    classes = kind is TaskKind.CLASSES
    structure = static(
        flat(6 if classes else 10, kind=kind, size=0 if classes else 2), optimizer=optimizer
    )
    engine = learned(structure)
    inputs, targets = table(2000) if classes else curve(2000, outputs=2)
    before = engine.predict(inputs)
    more = np.random.default_rng(1).normal(size=(2000, 2)).astype(np.float32) * 1e5

    engine.add_channels(InputPopulation("more", 2, (2, 1, 1), (0.0, 0.0, 0.0)))

    wide = np.concatenate([inputs, more], axis=1)
    np.testing.assert_allclose(before, engine.predict(wide), rtol=1e-4, atol=1e-5)
    engine.learn(wide, targets, arrival=Arrival.STREAMED)
    wide[:, -2:] *= -1.0
    assert not np.array_equal(engine.predict(wide[:100]), engine.predict(wide[100:200]))
    copy = restore_engine(engine.structure, engine.export_state())
    assert np.array_equal(engine.predict(wide), copy.predict(wide))


def test_channels_can_be_added_before_the_first_row() -> None:
    """A network without rows takes on channels, and its log still adds up."""
    engine = StaticEngine(static(flat(2, 8)))
    engine.add_channels(InputPopulation("more", 4, (4, 1, 1), (0.0, 0.0, 0.0)))
    inputs, labels = table(50)

    engine.learn(inputs, labels, arrival=Arrival.STORED)

    assert 6 == engine.channels
    assert engine.statistics().connections == sum(event.connections for event in engine.events())


def test_a_new_class_does_not_disturb_the_others() -> None:
    """What a label opens starts at a score of 0; the others keep their order."""
    inputs, labels = pictures(1500, classes=4)
    engine = StaticEngine(static(flat(144, 32)))
    engine.learn(inputs[:1000], labels[:1000], arrival=Arrival.STORED)
    before = engine.predict(inputs[1000:]).argmax(axis=1)

    engine.learn(inputs[:1], np.array([4], np.int32), arrival=Arrival.STORED)

    after = engine.predict(inputs[1000:])
    assert 5 == after.shape[1]
    assert np.mean(before == after.argmax(axis=1)) > 0.97


def test_missing_rows_are_predicted_as_the_mean_row() -> None:
    """A row without any value counts as the mean of all rows."""
    engine = learned(static(flat(10, kind=TaskKind.NUMBERS, size=1)))
    rows, _ = curve(3000)

    found = engine.predict(np.full((1, 10), np.nan, np.float32))

    expected = engine.predict(rows.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(expected, found, rtol=0.05)


def refuse(structure: NetworkStructure, match: str) -> None:
    """Expect that no network is made."""
    with pytest.raises(EngineStructureError, match=match):
        create_engine(structure)


def test_what_static_networks_do_not_have_is_refused() -> None:
    """Reaches, spikes, long connections, rehearsal and experts belong to growing networks."""
    plain = static(flat(6), 5)
    first, second = plain.populations

    def change(**changes: object) -> NetworkStructure:
        return replace(plain, populations=(replace(first, **changes), second))  # type: ignore[arg-type]

    refuse(change(reach=Reach(ReachKind.RADIUS, radius=3.0)), "reach")
    refuse(change(spiking=Spiking()), "spiking")
    refuse(replace(plain, populations=(first, replace(second, inputs=("input",)))), "inputs")
    refuse(replace(plain, connections=(Connection("input", "layer 1"),)), "connections")
    refuse(replace(plain, organisation=Organisation()), "organisation")
    refuse(replace(plain, options=EngineOptions(rehearsal_steps=1.0)), "rehearsal_steps")
    refuse(replace(plain, options=EngineOptions(experts=True)), "experts")
    for rate in (0.0, -1.0, 11.0, float("nan")):
        refuse(replace(plain, options=EngineOptions(learning_rate=rate)), "learning_rate")


def test_layers_may_name_what_precedes_them() -> None:
    """Saying that a layer follows the one before changes nothing."""
    plain = static(flat(6), 5)
    first, second = plain.populations
    named = (replace(first, inputs=("input",)), replace(second, inputs=("layer 0",)))

    assert 0 == create_engine(replace(plain, populations=named)).outputs


@EVERY_OPTIMIZER
def test_networks_that_do_not_fit_are_refused(optimizer: Optimizer) -> None:
    """The bound is met to the byte, by new networks and by wider ones."""
    structure = static(flat(6, 32), optimizer=optimizer)
    needed = create_engine(structure).statistics().memory_bytes
    fits = replace(structure, options=replace(structure.options, memory_limit_bytes=needed))
    engine = create_engine(fits)

    refuse(
        replace(structure, options=replace(structure.options, memory_limit_bytes=needed - 1)),
        f"at least {needed}",
    )
    with pytest.raises(EngineStructureError, match="memory_limit_bytes"):
        engine.add_channels(InputPopulation("more", 1, (1, 1, 1), (0.0, 0.0, 0.0)))
    assert 6 == engine.channels


def test_adam_takes_three_times_the_weights() -> None:
    """The moments are counted."""
    small, large = (
        create_engine(static(flat(100, 200, size=2), optimizer=optimizer)).statistics()
        for optimizer in Optimizer
    )

    # Two more copies of all weights.
    assert 2 * 4 * (101 * 200 + 201 * 2) == large.memory_bytes - small.memory_bytes


@pytest.mark.parametrize(
    ("inputs", "targets", "match"),
    [
        (np.zeros((3, 5), np.float32), np.zeros(3, np.int32), "channels"),
        (np.zeros((3, 6)), np.zeros(3, np.int32), "dtype"),
        (np.zeros(6, np.float32), np.zeros(3, np.int32), "dimensions"),
        (np.zeros((3, 6), np.float32), np.zeros(2, np.int32), "shape"),
        (np.zeros((3, 6), np.float32), np.zeros(3, np.int64), "dtype"),
        (np.zeros((3, 6), np.float32), np.array([0, -1, 0], np.int32), "label -1"),
        (np.zeros((3, 6), np.float32), np.array([0, 256, 0], np.int32), "label 256"),
    ],
)
def test_bad_arrays_are_refused(inputs: np.ndarray, targets: np.ndarray, match: str) -> None:
    """An array that does not fit is refused, and nothing is learned from it."""
    engine = learned(static(flat(6)), 100)
    before = engine.export_state()

    with pytest.raises(EngineInputError, match=match):
        engine.learn(inputs, targets, arrival=Arrival.STREAMED)

    after = engine.export_state()
    assert all(np.array_equal(before.arrays[name], after.arrays[name]) for name in before.arrays)


def test_no_rows_change_nothing() -> None:
    """An empty frame is learned and predicted as nothing."""
    engine = StaticEngine(static(flat(6)))

    scored = engine.learn(
        np.zeros((0, 6), np.float32), np.zeros(0, np.int32), arrival=Arrival.STREAMED
    )

    assert (0, 0) == scored.outputs.shape
    assert (4, 0) == engine.predict(np.zeros((4, 6), np.float32)).shape
    assert () == engine.events()


@pytest.mark.parametrize(
    "header", ["engine", "format", "channels", "layers", "most_outputs", "kind", "optimizer"]
)
def test_foreign_states_are_refused(header: str) -> None:
    """A state of another structure or format is refused with the reason."""
    state = StaticEngine(static(flat(3))).export_state()
    foreign = EngineState(state.arrays, {**state.header, header: "other"})

    with pytest.raises(EngineStateError, match=header):
        restore_engine(static(flat(3)), foreign)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("counters", 1 << 40),
        ("counters", -1),
        ("parameters", np.nan),
        ("channels/progress", 1 << 20),
        ("channels/progress", -1),
        ("channels/center", np.inf),
        ("channels/deviation", np.inf),
        ("channels/evidence", np.nan),
        ("channels/deviation", -1.0),
        ("channels/inverse", np.inf),
        ("events", 99),
        ("event_total", -1),
    ],
)
def test_damaged_states_are_refused(name: str, value: float) -> None:
    """Nothing that cannot be in a network reaches the kernels, and the engine stays as it was."""
    state = learned(static(flat(6)), 100).export_state()
    state.arrays[name] = np.full_like(state.arrays[name], value)
    engine = StaticEngine(static(flat(6)))

    with pytest.raises(EngineStateError):
        engine.import_state(state)

    assert 0 == engine.statistics().learned_rows


@pytest.mark.parametrize(
    ("name", "value"),
    [("output_unit", 0.0), ("output_unit", np.inf), ("output_center", np.nan), ("evidence", -1.0)],
)
def test_damaged_units_are_refused(name: str, value: float) -> None:
    """Targets without a size would make every prediction worthless."""
    structure = static(flat(10, kind=TaskKind.NUMBERS, size=2))
    rows, numbers = curve(100, outputs=2)
    engine = create_engine(structure)
    engine.learn(rows, numbers, arrival=Arrival.STREAMED)
    state = engine.export_state()
    state.arrays[f"targets/{name}"].fill(value)

    with pytest.raises(EngineStateError):
        restore_engine(structure, state)


@pytest.mark.parametrize("change", ["missing", "longer", "shorter", "dtype"])
def test_arrays_that_do_not_fit_are_refused(change: str) -> None:
    """An array of another shape or type is refused."""
    state = learned(static(flat(6)), 100).export_state()
    array = state.arrays["parameters"]
    if change == "missing":
        del state.arrays["parameters"]
    else:
        state.arrays["parameters"] = {
            "longer": np.concatenate([array, array, array, array]),
            "shorter": array[:-1],
            "dtype": array.astype(np.float64),
        }[change]

    with pytest.raises(EngineStateError, match="parameters"):
        restore_engine(static(flat(6)), state)


def test_states_leave_out_what_nobody_uses() -> None:
    """Weights of outputs that are not known yet are not saved."""
    engine = learned(static(flat(6, 32, options=EngineOptions(max_outputs=65536))), 100)

    assert 7 * 32 + 33 * 3 == len(engine.export_state().arrays["parameters"])


def test_bytes_and_floats_teach_the_same() -> None:
    """uint8 rows, float32 rows and rows in any layout of memory are one and the same."""
    rows, labels = pictures(500)
    grey = rows.astype(np.uint8)
    frozen = np.asfortranarray(rows)
    frozen.flags.writeable = False
    engines = [StaticEngine(static(flat(144))) for _ in range(3)]

    for engine, inputs in zip(engines, (rows, grey, frozen), strict=True):
        engine.learn(inputs, labels, arrival=Arrival.STORED)

    found = [engine.predict(rows) for engine in engines]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_a_gpu_that_is_not_there_is_refused() -> None:
    """Asking for a GPU without torch or without a GPU says which of them is missing."""
    try:
        import torch
    except ImportError:
        found = "torch is not installed"
    else:
        found = "" if torch.cuda.is_available() else "torch finds no GPU"
    structure = static(flat(6))
    structure = replace(structure, options=replace(structure.options, device=Device.GPU))

    if found:
        refuse(structure, found)
    else:
        assert 0 == create_engine(structure).outputs


@EVERY_OPTIMIZER
def test_tiny_networks_are_the_same_wherever_they_lie(optimizer: Optimizer) -> None:
    """The smallest arrays, neighbours in memory, are computed on like any others."""
    rows, labels = table(80)
    structure = static(flat(6, 3), 2, optimizer=optimizer)
    found = set()
    kept = []
    for place in range(40):
        kept.append(np.zeros(place * 3 + 1))
        engine = StaticEngine(structure)
        engine.learn(rows, labels, arrival=Arrival.STREAMED)
        found.add(engine.export_state().arrays["parameters"].tobytes())

    assert 1 == len(found)
