"""Spiking populations: what they remember, what they forget, and what that is good for."""

from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import (
    Arrival,
    EngineOptions,
    EngineState,
    EngineStateError,
    GrowingEngine,
    InputPopulation,
    NetworkStructure,
    Population,
    Spiking,
    create_engine,
    restore_engine,
)
from kyouko.kernels import indices
from tests.bench.series import SHAPE_STEPS, hidden_shape
from tests.reference.network import copy_weights, list_drives, softmax
from tests.reference.structures import flat, spiking, table

ROWS, LABELS = table(600)


def lone(spikes: Spiking | None, neurons: int = 16) -> NetworkStructure:
    """One population over six channels."""
    population = Population("hidden", (0.0, 0.0, 1.0), neurons, spiking=spikes)
    return replace(flat(6), populations=(population,))


def grown(structure: NetworkStructure, rows: int = 300) -> GrowingEngine:
    """Learn the first rows as a stream."""
    engine = GrowingEngine(structure)
    engine.learn(ROWS[:rows], LABELS[:rows], arrival=Arrival.STREAMED)
    return engine


def sums_of(engine: GrowingEngine, row: np.ndarray) -> np.ndarray:
    """What one row alone adds to the potentials, in float64."""
    state = engine.state
    total = np.zeros(state.bias.shape[1])
    for _, place, drive in list_drives(state, row):
        total += drive * state.weights[place].astype(np.float64)
    return total


def test_without_memory_it_is_the_plain_network() -> None:
    """With leak, cooldown and rest at 0 every bit equals that of a network without spikes."""
    none = EngineOptions(rehearsal_steps=0.0, rehearsal_rows=0)
    zero = replace(spiking(6, spikes=Spiking(0.0, 0.0, 0)), options=none)
    plain = replace(
        zero, populations=tuple(replace(item, spiking=None) for item in zero.populations)
    )
    engines = [GrowingEngine(structure) for structure in (zero, plain)]

    scored = [engine.learn(ROWS, LABELS, arrival=Arrival.STREAMED) for engine in engines]

    assert np.array_equal(scored[0].outputs, scored[1].outputs)
    left, right = (engine.export_state().arrays for engine in engines)
    own = {"trace_length", "raised", "silent", "inner_trace", "trace_row", "trace_drive"}
    # bands of spiking populations do not move, so their rows are not sampled
    own |= {"start_values", "watch_low", "watch_high", "watch_sums"}
    own |= {"watch_squares", "shares", "counters"}
    for name in left.keys() - own:
        assert left[name].tobytes() == right[name].tobytes(), name


def test_potentials_leak() -> None:
    """While weights stay the same, a potential is the sum of all rows' drives, each faded."""
    leak = 0.6
    engine = grown(lone(Spiking(leak=leak)))
    state = engine.state
    state.trace_length[:] = 0
    state.meters[indices.LOSS_SLOW], state.meters[indices.LOSS_FAST] = 9.0, 1.0
    weights = copy_weights(state, averaged=False)

    found = engine.observe(ROWS[300:320])

    potential = np.zeros(16)
    for row, outputs in zip(ROWS[300:320], found, strict=True):
        potential = leak * potential + sums_of(engine, row)
        sums = potential + weights.bias[0]
        hidden = np.where(sums > 0, sums, 0.05 * sums)
        expected = softmax(weights.outputs @ hidden + weights.output_bias)
        assert pytest.approx(expected, abs=0.02) == outputs


def test_predicting_is_what_comes_next() -> None:
    """Each row is predicted as if it came next; observing rows makes them the past."""
    engine = grown(spiking(6))
    before = engine.export_state().arrays

    alone = np.concatenate([engine.predict(ROWS[place : place + 1]) for place in range(300, 310)])
    together = engine.predict(ROWS[300:310])
    passed = engine.observe(ROWS[300:310])

    assert np.array_equal(alone, together)
    assert np.array_equal(together[0], passed[0])
    assert not np.allclose(together[1:], passed[1:])
    after = engine.export_state().arrays
    changed = {name for name in before if before[name].tobytes() != after[name].tobytes()}
    assert {"inner_trace", "raised", "silent"} <= changed
    assert changed <= {
        "inner_trace", "raised", "silent", "trace_row", "trace_drive", "trace_length",
    }  # fmt: skip


def test_observed_rows_do_not_depend_on_frames() -> None:
    """Rows that pass in one frame leave what they leave one by one."""
    whole, single = grown(spiking(6)), grown(spiking(6))

    outputs = whole.observe(ROWS[300:400])
    alone = [single.observe(ROWS[place : place + 1])[0] for place in range(300, 400)]

    assert np.array_equal(outputs, np.stack(alone))
    for name, array in whole.export_state().arrays.items():
        assert array.tobytes() == single.export_state().arrays[name].tobytes(), name


def test_a_spike_is_followed_by_silence() -> None:
    """A neuron that has fired is silent for as many rows as declared, then may fire again."""
    engine = grown(lone(Spiking(leak=0.0, refractory=3)))
    state = engine.state
    state.silent[:] = 0
    fired = []

    for _ in range(8):
        engine.observe(ROWS[300:301])
        fired.append((state.hidden > 0).tolist())

    first = np.array(fired[0])
    assert first.any()
    assert np.array_equal(fired[4], first)
    assert not np.array(fired[1:4])[:, first].any()
    assert not np.array(fired[5:8])[:, first].any()


def test_thresholds_rise_and_cool_down() -> None:
    """A spike raises its neuron's threshold by itself, of which a share is left in each row."""
    engine = grown(lone(Spiking(leak=0.0, cooldown=0.5)))
    state = engine.state
    state.raised[:] = 0.0
    spikes = []

    for _ in range(40):
        engine.observe(ROWS[300:301])
        spikes.append(np.maximum(state.hidden, 0.0).copy())

    active = spikes[0] > 0.1
    assert active.any()
    # u - t with t = 0.5 * (t + spike) settles at half the potential
    assert pytest.approx(0.5 * spikes[0][active], rel=1e-3) == spikes[-1][active]


def test_nothing_is_rehearsed() -> None:
    """A kept row would come without its past, so spiking networks keep none."""
    engine = grown(spiking(6))

    assert 0 == engine.state.ring_rows
    assert 0.0 == engine.state.meters[indices.REHEARSAL_DEBT]


def test_a_channel_laid_anew_is_forgotten() -> None:
    """When a channel's sections are laid anew, what they drove before is no longer counted."""
    engine = grown(lone(Spiking(leak=0.9)))
    state = engine.state
    channel = 2
    row = ROWS[300:301].copy()
    row[0, np.arange(6) != channel] = np.nan
    row[0, channel] = state.resting_high[channel] + 0.9 * state.knots[channel, 1]
    state.active_count[channel] = 15
    state.hot[channel, indices.HOT_VALID_LOW] = 1.0
    state.hot[channel, indices.HOT_VALID_HIGH] = 0.0

    engine.learn(row, LABELS[300:301], arrival=Arrival.STREAMED)

    drives = {place: drive for _, place, drive in list_drives(state, row[0])}
    own = {
        int(place)
        for edge in range(state.reach_first[channel], state.reach_first[channel + 1])
        for place in state.row_table[: state.section_count[channel], edge]
    }
    kept = dict(zip(state.trace_row[0], state.trace_drive[0], strict=True))
    length = int(state.trace_length[0])
    kept = {int(place): float(drive) for place, drive in list(kept.items())[:length]}
    assert pytest.approx(drives, rel=1e-5) == {p: d for p, d in kept.items() if p in own}
    assert len(kept) > len(drives)


def test_rows_taken_back_are_forgotten() -> None:
    """A review that removes a channel also removes the traces of its weight rows."""
    engine = grown(lone(Spiking(leak=0.9)))
    state = engine.state
    lost = int(state.trace_row[0, 0])
    state.row_used[lost] = 0

    engine._reviews.forget_lost_rows()

    assert 0.0 == state.trace_drive[0, 0]
    assert state.trace_drive[0, 1] != 0.0


def test_channels_can_be_added() -> None:
    """New channels at rest change nothing in what a network with memory and bricks predicts."""
    engine = grown(spiking(6))
    expected = engine.predict(ROWS[300:350])
    wide = np.concatenate([ROWS, np.full((600, 2), np.nan, np.float32)], axis=1)

    engine.add_channels(InputPopulation("more", 2, (2, 1, 1), (9.0, 0.0, 0.0)))

    assert np.array_equal(expected, engine.predict(wide[300:350]))
    wide[:, 6:] = ROWS[:, :2]
    engine.learn(wide[300:], LABELS[300:], arrival=Arrival.STREAMED)
    assert np.isfinite(engine.predict(wide)).all()


def test_inner_connections_have_to_fit() -> None:
    """A memory limit that does not hold the connections between hidden neurons is refused."""
    structure = spiking(6, 64)
    least = GrowingEngine(structure).state
    limit = least.count_bytes() - least.weights.nbytes - least.slow_weights.nbytes

    with pytest.raises(ValueError, match="memory_limit_bytes"):
        create_engine(replace(structure, options=EngineOptions(memory_limit_bytes=limit)))


@pytest.mark.parametrize("name", ["trace_row", "trace_length"])
def test_damaged_memories_are_refused(name: str) -> None:
    """Traces that point outside the arrays never reach the kernels."""
    structure = spiking(6)
    state = grown(structure).export_state()
    damaged = {**state.arrays, name: np.full_like(state.arrays[name], 1 << 30)}

    with pytest.raises(EngineStateError):
        restore_engine(structure, EngineState(damaged, state.header))


@pytest.mark.parametrize("spikes", [Spiking(0.3, 0.3, 1), Spiking(0.5), Spiking(0.0, 0.0, 1)])
def test_spikes_and_delays_tell_a_shape(spikes: Spiking) -> None:
    """With delays, spiking neurons find a shape among the same values in other orders."""
    series = hidden_shape(20_000)
    line = InputPopulation(
        "input", 1, (1, 1, 1), (0.0, 0.0, 0.0), delays=tuple(range(1, SHAPE_STEPS))
    )
    options = EngineOptions(experts=False)
    structure = replace(lone(spikes, 128), inputs=(line,), options=options)

    scored = create_engine(structure).learn(series.inputs, series.targets, arrival=Arrival.STREAMED)

    found, wanted = scored.predicted[10_000:] == 1, series.targets[10_000:] == 1
    assert 2 * (found & wanted).sum() / (found.sum() + wanted.sum()) >= 0.94
