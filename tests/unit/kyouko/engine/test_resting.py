"""Resting bands follow the channels: idle levels that move, and inputs that carry only noise."""

import itertools

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, GrowingEngine, GrowthKind, TaskKind, restore_engine
from kyouko.kernels import indices
from kyouko.kernels.compile import argument_names
from kyouko.kernels.reviewing import review_bands
from tests.reference.coding import drive_sections
from tests.reference.structures import flat

Data = tuple[np.ndarray, np.ndarray]


def sensors(rows: int, *, idle: float, noise: float, seed: int) -> Data:
    """Four sensors, idle in three of four rows; the class tells whether two together are busy."""
    random = np.random.default_rng(seed)
    busy = random.random((rows, 4)) < 0.25
    values = np.where(busy, random.uniform(5, 20, busy.shape), 0.0) + idle
    values += random.normal(size=busy.shape) * noise
    return values.astype(np.float32), (busy[:, 0] | busy[:, 1]).astype(np.int32)


def active_share(engine: GrowingEngine, rows: np.ndarray) -> float:
    """Share of the values that lie outside the resting bands."""
    low, high = engine.state.resting_low, engine.state.resting_high
    return float(((rows < low) | (rows > high)).mean())


def review(engine: GrowingEngine) -> None:
    """Call the kernel with the state's arrays by name."""
    review_bands(*(getattr(engine.state, name) for name in argument_names(review_bands)))


def test_moving_keeps_the_function() -> None:
    """All scores outside the new band, and at its point, are what they were before."""
    engine = GrowingEngine(flat(4))
    rows, labels = sensors(600, idle=0.0, noise=0.0, seed=1)
    engine.learn(rows, labels, arrival=Arrival.STORED)
    state = engine.state
    moved, _ = sensors(64, idle=7.0, noise=0.0, seed=2)
    state.start_values[:] = moved
    probes = np.random.default_rng(3).uniform(-30, 40, (200, 4)).astype(np.float32)
    probes[:20] = 7.0
    before = engine.predict(probes)

    review(engine)

    assert np.array_equal(np.full(4, 7.0, np.float32), state.resting_low)
    assert pytest.approx(before, abs=2e-5) == engine.predict(probes)
    last = engine.events()[-1]
    assert (600, GrowthKind.BAND_MOVED, -1) == (last.row, last.kind, last.subject)
    assert int(state.row_used.sum()) == state.counters[indices.USED_ROWS]
    assert int(state.section_count.sum()) == state.counters[indices.SECTIONS]


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_moved_idle_level_rests_again(noise: float) -> None:
    """After the idle level of all sensors moved, rows cost at the next review what they did."""
    engine = GrowingEngine(flat(4))
    before, labels = sensors(2000, idle=100.0, noise=noise, seed=1)
    engine.learn(before, labels, arrival=Arrival.STREAMED)
    usual = active_share(engine, before)
    after, moved_labels = sensors(4000, idle=117.0, noise=noise, seed=2)
    moved = active_share(engine, after)

    scored = engine.learn(after, moved_labels, arrival=Arrival.STREAMED)

    assert usual < 0.4
    assert moved > 0.9
    assert active_share(engine, after) < 0.4
    assert scored.correct[-1000:].mean() > 0.9


def test_drifting_idle_level_is_followed() -> None:
    """A slowly rising idle level is at rest again and again, and sections stay few."""
    engine = GrowingEngine(flat(4))
    for step in range(40):
        rows, labels = sensors(1000, idle=5.0 * step, noise=0.01, seed=step)
        engine.learn(rows, labels, arrival=Arrival.STREAMED)

    moves = [event for event in engine.events() if event.kind is GrowthKind.BAND_MOVED]
    assert len(moves) >= 8
    assert engine.state.section_count.max() <= indices.MOST_SECTIONS
    assert not engine.statistics().growth_stopped


def noisy(rows: int, *, useful: int, seed: int, kind: str = "xor") -> Data:
    """Values of which the first `useful` decide: alone each, or only two together."""
    random = np.random.default_rng(seed)
    values = random.uniform(-1, 1, (rows, 20)).astype(np.float32)
    if kind == "xor":
        return values, ((values[:, 0] > 0) ^ (values[:, 1] > 0)).astype(np.int32)
    return values, (values[:, :useful].sum(axis=1) > 0).astype(np.int32)


@pytest.mark.parametrize("kind", ["xor", "sum"])
@pytest.mark.parametrize("arrival", list(Arrival))
def test_noise_falls_silent(kind: str, arrival: Arrival) -> None:
    """Most inputs of pure noise cost nothing in the end; those that are needed stay active."""
    engine = GrowingEngine(flat(20, 32))
    rows, labels = noisy(12_000, useful=2, seed=1, kind=kind)

    scored = engine.learn(rows, labels, arrival=arrival)

    silent = np.flatnonzero(engine.state.trial == indices.TRIAL_SILENT)
    assert not {0, 1} & set(silent.tolist())
    assert len(silent) >= 9
    assert scored.correct[-2000:].mean() > 0.93


def test_silent_inputs_come_back() -> None:
    """When the class begins to depend on inputs that fell silent, they are heard again."""
    engine = GrowingEngine(flat(20, 32))
    rows, labels = noisy(8000, useful=2, seed=1, kind="sum")
    engine.learn(rows, labels, arrival=Arrival.STREAMED)
    silent = np.flatnonzero(engine.state.trial == indices.TRIAL_SILENT)[:2]
    later, _ = noisy(6000, useful=2, seed=2, kind="sum")
    changed = (later[:, silent].sum(axis=1) > 0).astype(np.int32)

    scored = engine.learn(later, changed, arrival=Arrival.STREAMED)

    assert 2 == len(silent)
    assert (engine.state.trial[silent] != indices.TRIAL_SILENT).all()
    assert (engine.state.section_count[silent] > 0).all()
    assert scored.correct[-1000:].mean() > 0.9


def test_new_values_of_silent_inputs_are_heard() -> None:
    """A silent input that leaves the range of its noise grows sections there."""
    engine = GrowingEngine(flat(20, 32))
    rows, labels = noisy(8000, useful=2, seed=1, kind="sum")
    engine.learn(rows, labels, arrival=Arrival.STREAMED)
    silent = int(np.flatnonzero(engine.state.section_count == 0)[0])
    later, labels = noisy(200, useful=2, seed=2, kind="sum")
    later[::2, silent] = 50.0 + np.arange(100)

    engine.learn(later, labels, arrival=Arrival.STREAMED)

    assert engine.state.section_count[silent] > 0


def test_numbers_lose_only_noise() -> None:
    """Of ten inputs of Friedman's function exactly the five that do not matter fall silent."""
    random = np.random.default_rng(0)
    rows = random.random((12_000, 10)).astype(np.float32)
    targets = 10 * np.sin(np.pi * rows[:, 0] * rows[:, 1]) + 20 * (rows[:, 2] - 0.5) ** 2
    targets = (targets + 10 * rows[:, 3] + 5 * rows[:, 4])[:, None].astype(np.float32)
    engine = GrowingEngine(flat(10, 64, kind=TaskKind.NUMBERS, size=1))

    engine.learn(rows, targets, arrival=Arrival.STREAMED)

    silent = set(np.flatnonzero(engine.state.trial == indices.TRIAL_SILENT).tolist())
    assert silent <= {5, 6, 7, 8, 9}
    assert len(silent) >= 4


def test_trials_do_not_depend_on_frames() -> None:
    """Reviews and trials end at the same rows in any frames, and after a restart in between."""
    structure = flat(20, 32)
    rows, labels = noisy(2500, useful=2, seed=1, kind="sum")
    whole, parts = GrowingEngine(structure), GrowingEngine(structure)
    whole.learn(rows, labels, arrival=Arrival.STREAMED)

    borders = [0, 64, 65, 250, 251, 300, 511, 633, 1000, 1001, 1255, 1900]
    for start, stop in itertools.pairwise(borders):
        parts.learn(rows[start:stop], labels[start:stop], arrival=Arrival.STREAMED)
    copy = restore_engine(structure, parts.export_state())
    copy.learn(rows[1900:], labels[1900:], arrival=Arrival.STREAMED)

    expected, found = whole.export_state().arrays, copy.export_state().arrays
    for name, array in expected.items():
        assert array.tobytes() == found[name].tobytes(), name


def test_trial_measures_the_loss_without_some_channels() -> None:
    """What a trial adds up is the loss with the suspects at their mean, less the usual loss."""
    engine = GrowingEngine(flat(20, 32))
    rows, labels = noisy(1500, useful=2, seed=1, kind="sum")
    row = 0
    while engine.state.counters[indices.TRIAL_LEFT] == 0 and row < len(rows):
        engine.learn(rows[row : row + 1], labels[row : row + 1], arrival=Arrival.STORED)
        row += 1
    state = engine.state
    on = state.trial == indices.TRIAL_ON
    loss = {}
    for without in (False, True):
        hidden = state.bias.astype(np.float64).copy()
        for channel in range(20):
            knots = state.knots[channel, : state.section_count[channel] + 1].tolist()
            low, high = float(state.resting_low[channel]), float(state.resting_high[channel])
            drives = drive_sections(float(rows[row, channel]), low, high, knots)
            if without and on[channel]:
                drives = state.trial_drive[channel, : len(drives)].tolist()
            for edge in range(state.reach_first[channel], state.reach_first[channel + 1]):
                for section, drive in enumerate(drives):
                    weights = state.weights[state.row_table[section, edge]]
                    hidden[state.reach_block[edge]] += drive * weights
        hidden = np.maximum(hidden, 0.05 * hidden).ravel()
        scores = state.output_weights[:2] @ hidden + state.output_bias[:2]
        loss[without] = float(np.log(np.exp(scores).sum()) - scores[labels[row]])

    engine.learn(rows[row : row + 1], labels[row : row + 1], arrival=Arrival.STORED)

    assert on.any()
    assert pytest.approx(loss[True] - loss[False], abs=1e-4) == state.meters[indices.TRIAL_LOSS]
