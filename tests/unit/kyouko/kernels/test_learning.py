"""The forward pass, the step and the averages agree with their slow twins on grown networks."""

from typing import Any

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, GrowingEngine, NetworkStructure, TaskKind
from kyouko.domain.engine.growing.presets import choose_settings
from kyouko.kernels import indices
from kyouko.kernels.averaging import average as average_copies
from kyouko.kernels.compile import argument_names
from kyouko.kernels.targets import track_targets
from tests.reference.network import (
    Weights,
    activate,
    average,
    copy_weights,
    largest_rate,
    list_drives,
    softmax,
    step,
)
from tests.reference.structures import curve, flat, local, pictures, table

CLASS_CASES = [
    pytest.param(flat(144), pictures(120), id="flat pictures"),
    pytest.param(local(), pictures(120), id="local pictures"),
    pytest.param(flat(6), table(120), id="table"),
]
NUMBER_CASES = [
    pytest.param(flat(10, kind=TaskKind.NUMBERS, size=2), curve(120, outputs=2), id="curve"),
]


def grow(
    structure: NetworkStructure, data: tuple[np.ndarray, np.ndarray], arrival: Arrival, rows: int
) -> GrowingEngine:
    """Learn the first rows without rehearsal, whose order is random."""
    engine = GrowingEngine(structure)
    for settings in engine._settings.values():
        settings[indices.REHEARSAL_STEPS] = 0.0
    engine.learn(data[0][:rows], data[1][:rows], arrival=arrival)
    return engine


def assert_weights(expected: Weights, found: Weights) -> None:
    """Compare two copies within the error of float32 sums."""
    for name in ("sections", "bias", "outputs", "output_bias"):
        # much faster than pytest.approx on thousands of weights
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=2e-4, atol=2e-5, err_msg=name
        )


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize(("structure", "data"), CLASS_CASES)
def test_probabilities_agree(
    structure: NetworkStructure, data: tuple[np.ndarray, np.ndarray], averaged: bool
) -> None:
    """Predicted probabilities are those of the slow twin, from either copy of the weights."""
    engine = grow(structure, data, Arrival.STREAMED, 100)
    engine.state.meters[indices.LOSS_SLOW] = 0.0 if averaged else 2.0
    engine.state.meters[indices.LOSS_FAST] = 1.0
    weights = copy_weights(engine.state, averaged=averaged)

    found = engine.predict(data[0][100:])

    for row, outputs in zip(data[0][100:], found, strict=True):
        expected = softmax(activate(weights, list_drives(engine.state, row), 0.05)[1])
        assert pytest.approx(expected, abs=2e-5) == outputs


@pytest.mark.parametrize("arrival", list(Arrival))
@pytest.mark.parametrize(("structure", "data"), CLASS_CASES)
@pytest.mark.parametrize("known_rows", [80, 100, 110])
def test_step_on_classes_agrees(
    structure: NetworkStructure,
    data: tuple[np.ndarray, np.ndarray],
    arrival: Arrival,
    known_rows: int,
) -> None:
    """One learned row moves every weight as the slow twin does."""
    engine = grow(structure, data, arrival, known_rows)
    state = engine.state
    settings = choose_settings(structure, arrival, ring_rows=0)
    row, label = data[0][known_rows], int(data[1][known_rows])
    state.active_count[:] = np.where(state.active_count > 0, indices.START_ROWS, 0)
    before = copy_weights(state, averaged=False)
    leak = float(settings[indices.LEAK])
    factor = float(state.meters[indices.STEP_FACTOR])
    if settings[indices.ERROR_SCALED]:
        factor = min(max(10.0 * float(state.meters[indices.ERROR_SLOW]), 0.05), 1.0)
    limit = largest_rate(state, settings)

    engine.learn(row[None], np.array([label], np.int32), arrival=arrival)

    driven = list_drives(state, row)
    delta = softmax(activate(before, driven, leak)[1])
    error = 1.0 - delta[label]
    delta[label] -= 1.0
    expected = step(before, driven, delta, settings, factor, limit)
    expected = expected if error >= float(settings[indices.SKIP]) else before
    assert_weights(expected, copy_weights(state, averaged=False))


@pytest.mark.parametrize(("structure", "data"), NUMBER_CASES)
def test_step_on_numbers_agrees(
    structure: NetworkStructure, data: tuple[np.ndarray, np.ndarray]
) -> None:
    """One row of numbers moves every weight as the slow twin does."""
    engine = grow(structure, data, Arrival.STREAMED, 100)
    state = engine.state
    settings = choose_settings(structure, Arrival.STREAMED, ring_rows=0)
    state.active_count[:] = indices.START_ROWS
    before = copy_weights(state, averaged=False)
    unit, middle = state.scale_deviation.copy(), state.scale_mean.copy()
    factor = float(state.meters[indices.STEP_FACTOR])
    limit = largest_rate(state, settings)
    row, target = data[0][100:101], data[1][100:101]

    engine.learn(row, target, arrival=Arrival.STREAMED)

    driven = list_drives(state, row[0])
    scores = activate(before, driven, 0.05)[1]
    delta = np.clip(scores - (target[0] - middle) / unit, -3.0, 3.0)
    expected = step(before, driven, delta, settings, factor, limit)
    assert_weights(expected, copy_weights(state, averaged=False))


@pytest.mark.parametrize("structure", [flat(144), local()], ids=["flat", "local"])
@pytest.mark.parametrize("usual_error", [0.0, 0.25, 1.0])
def test_limit_agrees(structure: NetworkStructure, usual_error: float) -> None:
    """A step that its limit bounds is as large as the slow twin's, whatever the usual error is."""
    data = pictures(120)
    engine = grow(structure, data, Arrival.STORED, 110)
    state = engine.state
    settings = engine._settings[Arrival.STORED]
    settings[indices.STEP] = 1e6  # nothing but the limit bounds the step
    settings[indices.SKIP] = 0.0
    state.active_count[:] = np.where(state.active_count > 0, indices.START_ROWS, 0)
    state.meters[indices.ALARM_LONG] = usual_error
    state.meters[indices.ERROR_SLOW] = 1.0
    before, limit = copy_weights(state, averaged=False), largest_rate(state, settings)
    row, label = data[0][110], int(data[1][110])

    engine.learn(row[None], np.array([label], np.int32), arrival=Arrival.STORED)

    driven = list_drives(state, row)
    delta = softmax(activate(before, driven, float(settings[indices.LEAK]))[1])
    delta[label] -= 1.0
    expected = step(before, driven, delta, settings, 1.0, limit)
    assert_weights(expected, copy_weights(state, averaged=False))


def test_a_change_of_concept_lifts_the_limit() -> None:
    """The limit is half as large on known ground, whole within 60 rows of a change, and falls."""
    rows, labels = pictures(6000, classes=4)
    labels[3000:] = (labels[3000:] + 1) % 4
    engine = GrowingEngine(flat(144))
    settings = engine._settings[Arrival.STORED]
    limits = []

    for part in (slice(0, 10), slice(10, 3000), slice(3000, 3060), slice(3060, 6000)):
        engine.learn(rows[part], labels[part], arrival=Arrival.STORED)
        limits.append(largest_rate(engine.state, settings))

    assert pytest.approx([0.05, 0.025, 0.05, 0.025]) == limits
    assert engine.statistics().drift_alarms >= 1


def test_average_agrees() -> None:
    """An averaging step moves every averaged weight in use by the share beta."""
    engine = grow(local(), pictures(120), Arrival.STORED, 100)
    state = engine.state
    slow, fast = copy_weights(state, averaged=True), copy_weights(state, averaged=False)
    used = state.row_used.astype(bool)
    arrays: dict[str, Any] = {
        name: getattr(state, name, None) for name in argument_names(average_copies)
    }
    arrays.update(
        beta=0.25,
        known=int(state.counters[indices.KNOWN_OUTPUTS]),
        row_top=int(state.counters[indices.ROW_TOP]),
    )

    average_copies(*arrays.values())

    expected, found = average(slow, fast, 0.25), copy_weights(state, averaged=True)
    assert pytest.approx(expected.sections[used], abs=1e-6) == found.sections[used]
    assert pytest.approx(expected.bias, abs=1e-6) == found.bias
    assert pytest.approx(expected.outputs, abs=1e-6) == found.outputs
    assert pytest.approx(expected.output_bias, abs=1e-6) == found.output_bias


@pytest.mark.parametrize("averaged", [False, True])
def test_new_unit_keeps_the_function(averaged: bool) -> None:
    """When the targets' running scale changes, predictions in the targets' unit do not."""
    data = curve(300)
    engine = grow(flat(10, kind=TaskKind.NUMBERS, size=1), data, Arrival.STREAMED, 255)
    state = engine.state
    state.meters[indices.LOSS_SLOW] = 0.0 if averaged else 2.0
    state.meters[indices.LOSS_FAST] = 1.0
    before = engine.predict(data[0])
    unit = state.scale_deviation.copy()
    arrays: dict[str, Any] = {
        name: getattr(state, name, None) for name in argument_names(track_targets)
    }
    state.list_target[0, 0] = 1e4
    arrays.update(slot=0, row_number=256)

    track_targets(*arrays.values())

    assert state.scale_deviation[0] > 2.0 * unit[0]
    assert pytest.approx(before, rel=1e-3, abs=1e-2) == engine.predict(data[0])
