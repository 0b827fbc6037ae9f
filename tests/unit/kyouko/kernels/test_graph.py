"""Hidden sources and spiking neurons agree with their slow twins, and these with the calculus."""

from dataclasses import fields, replace

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, GrowingEngine, NetworkStructure, TaskKind
from kyouko.domain.engine.growing.presets import choose_settings
from kyouko.kernels import indices
from tests.reference.graph import compute, loss, read_memory, remember, slopes, step
from tests.reference.network import Weights, copy_weights, largest_rate, list_drives, softmax
from tests.reference.structures import bricks, curve, far, pictures, spiking, table

Data = tuple[np.ndarray, np.ndarray]

CASES = pytest.mark.parametrize(
    ("structure", "data"),
    [
        pytest.param(bricks(), pictures(140), id="brick of bricks"),
        pytest.param(far(), table(140), id="long connections"),
        pytest.param(spiking(6), table(140), id="spiking"),
    ],
)


def grow(structure: NetworkStructure, data: Data, arrival: Arrival, rows: int) -> GrowingEngine:
    """Learn the first rows without rehearsal, whose order is random."""
    engine = GrowingEngine(structure)
    for settings in engine._settings.values():
        settings[indices.REHEARSAL_STEPS] = 0.0
    engine.learn(data[0][:rows], data[1][:rows], arrival=arrival)
    engine.state.active_count[:] = np.where(engine.state.active_count > 0, indices.START_ROWS, 0)
    return engine


@pytest.mark.parametrize("averaged", [False, True])
@CASES
def test_probabilities_agree(structure: NetworkStructure, data: Data, averaged: bool) -> None:
    """Each row is predicted as the twin does that comes next, from either copy of the weights."""
    engine = grow(structure, data, Arrival.STREAMED, 120)
    state = engine.state
    state.meters[indices.LOSS_SLOW] = 0.0 if averaged else 2.0
    state.meters[indices.LOSS_FAST] = 1.0
    weights = copy_weights(state, averaged=averaged)

    found = engine.predict(data[0][120:])

    for row, outputs in zip(data[0][120:], found, strict=True):
        twin = compute(state, weights, list_drives(state, row), read_memory(state), 0.05)
        assert pytest.approx(softmax(twin.scores), abs=3e-5) == outputs


@pytest.mark.parametrize("arrival", list(Arrival))
@pytest.mark.parametrize("known_rows", [90, 110, 130])
@CASES
def test_step_agrees(
    structure: NetworkStructure, data: Data, arrival: Arrival, known_rows: int
) -> None:
    """One learned row moves every weight, and the memory, as the slow twin does."""
    engine = grow(structure, data, arrival, known_rows)
    state = engine.state
    settings = choose_settings(structure, arrival, ring_rows=0)
    row, label = data[0][known_rows], int(data[1][known_rows])
    before, memory = copy_weights(state, averaged=False), read_memory(state)
    leak = float(settings[indices.LEAK])
    factor = float(state.meters[indices.STEP_FACTOR]) if settings[indices.NOISE_ADAPTED] else 1.0
    if settings[indices.ERROR_SCALED]:
        factor *= min(max(10.0 * float(state.meters[indices.ERROR_SLOW]), 0.05), 1.0)
    limit = largest_rate(state, settings)
    twin = compute(state, before, list_drives(state, row), memory, leak)

    engine.learn(row[None], np.array([label], np.int32), arrival=arrival)

    delta = softmax(twin.scores)
    error = 1.0 - delta[label]
    delta[label] -= 1.0
    expected = before
    if error >= float(settings[indices.SKIP]):
        expected = step(state, before, twin, memory, delta, settings, factor, limit)
    found = copy_weights(state, averaged=False)
    for item in fields(Weights):
        np.testing.assert_allclose(
            getattr(found, item.name), getattr(expected, item.name), 2e-4, 2e-5, err_msg=item.name
        )
    after, kept = read_memory(state), remember(state, twin, memory)
    assert pytest.approx(kept.traces, rel=1e-4, abs=1e-5) == after.traces
    assert pytest.approx(kept.raised, rel=1e-4, abs=1e-5) == after.raised
    assert np.array_equal(kept.silent, after.silent)


@CASES
def test_twin_follows_the_calculus(structure: NetworkStructure, data: Data) -> None:
    """The twin's derivatives are those that finite differences of the loss show."""
    engine = grow(structure, data, Arrival.STREAMED, 120)
    state, leak = engine.state, 0.05
    weights, memory = copy_weights(state, averaged=False), read_memory(state)
    driven, label = list_drives(state, data[0][120]), int(data[1][120])
    twin = compute(state, weights, driven, memory, leak)
    delta = softmax(twin.scores)
    delta[label] -= 1.0
    back = slopes(state, weights, twin, memory, delta, leak)
    gradient = np.zeros_like(weights.sections)
    for block, row, drive in twin.driven:
        gradient[row] += drive * back[block]
    places = np.argsort(-np.abs(gradient), axis=None)[:: max(1, len(twin.driven) // 4)][:40]

    for place in places:
        row, neuron = np.unravel_index(place, gradient.shape)
        shifted = []
        for change in (1e-5, -1e-5):
            sections = weights.sections.copy()
            sections[row, neuron] += change
            moved = replace(weights, sections=sections)
            shifted.append(loss(state, moved, driven, memory, label, leak))
        numeric = (shifted[0] - shifted[1]) / 2e-5

        assert pytest.approx(numeric, rel=2e-3, abs=1e-7) == gradient[row, neuron]


def test_inner_rows_are_first_rows() -> None:
    """Connections between hidden neurons appear with the first row, and count as connections."""
    rows, labels = pictures(1)
    engine = GrowingEngine(bricks())
    inner = len(engine.state.inner_source)
    before = engine.statistics().input_connections

    engine.learn(rows, labels, arrival=Arrival.STORED)

    width = engine.state.weights.shape[1]
    assert 4 * 16 == inner
    assert 0 == before
    assert engine.statistics().input_connections == int(engine.state.row_used.sum()) * width
    assert engine.state.weights[:inner].any(axis=1).all()
    assert not engine.state.weights[:inner, 20:].any()


def test_numbers_pass_through_bricks() -> None:
    """A brick of bricks learns a curve better than its mean does."""
    inputs, targets = curve(3000)
    structure = spiking(10, kind=TaskKind.NUMBERS, size=1)
    plain = replace(
        structure, populations=tuple(replace(p, spiking=None) for p in structure.populations)
    )
    engine = GrowingEngine(plain)

    engine.learn(inputs, targets, arrival=Arrival.STREAMED)

    error = np.abs(engine.predict(inputs) - targets)[-500:].mean()
    assert error < 0.4 * np.abs(targets - targets.mean())[-500:].mean()
