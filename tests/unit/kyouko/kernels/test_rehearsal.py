"""Kept rows are learned before or after the new row is answered, as the slow twin says."""

from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, EngineOptions, GrowingEngine, TaskKind
from kyouko.domain.engine.growing.presets import choose_settings
from kyouko.kernels import indices
from tests.reference.network import (
    Weights,
    activate,
    copy_weights,
    largest_rate,
    list_drives,
    step,
)
from tests.reference.rehearsal import choose_leaving
from tests.reference.structures import curve, flat, table

ROWS, TARGETS = curve(200)
ONE_KEPT = EngineOptions(rehearsal_rows=1, rehearsal_steps=1.0)
STRUCTURE = flat(10, kind=TaskKind.NUMBERS, size=1, options=ONE_KEPT)


def grown(rows: int, *, lags: bool) -> GrowingEngine:
    """Learn some rows, keep the last one, and say whether rehearsing made answers worse."""
    engine = GrowingEngine(STRUCTURE)
    engine.learn(ROWS[:rows], TARGETS[:rows], arrival=Arrival.STREAMED)
    state = engine.state
    state.active_count[:] = indices.START_ROWS
    state.meters[indices.ERROR_BEFORE] = 0.5
    state.meters[indices.ERROR_AFTER] = 0.6 if lags else 0.5
    return engine


def answer(engine: GrowingEngine, weights: Weights, place: int) -> tuple[float, float]:
    """Answer a row, and return its distance from the target too, in the target's unit."""
    state = engine.state
    unit, middle = float(state.scale_deviation[0]), float(state.scale_mean[0])
    score = float(activate(weights, list_drives(state, ROWS[place]), 0.05)[1][0])
    return score * unit + middle, score - (float(TARGETS[place, 0]) - middle) / unit


def learn_again(engine: GrowingEngine, weights: Weights, place: int) -> Weights:
    """Take the slow twin's step on one row."""
    delta = np.clip(np.array([answer(engine, weights, place)[1]]), -3.0, 3.0)
    settings = choose_settings(STRUCTURE, Arrival.STREAMED, ring_rows=1)
    factor = float(engine.state.meters[indices.STEP_FACTOR])
    limit = largest_rate(engine.state, settings)
    return step(weights, list_drives(engine.state, ROWS[place]), delta, settings, factor, limit)


@pytest.mark.parametrize(
    ("learned", "lags", "early"),
    [(101, False, False), (101, True, True), (103, False, True), (103, True, True)],
)
def test_the_order_of_answering_and_rehearsing(learned: int, lags: bool, early: bool) -> None:
    """Where rehearsing makes answers worse it comes after the answer; each eighth row finds out."""
    engine = grown(learned, lags=lags)
    engine.state.meters[indices.LOSS_SLOW] = 9.0  # the averaged weights do not answer
    before = copy_weights(engine.state, averaged=False)
    rehearsed = learn_again(engine, before, learned - 1)
    part = slice(learned, learned + 1)
    answered, distance = answer(engine, before if early else rehearsed, learned)
    expected = learn_again(engine, rehearsed, learned)
    _, after = answer(engine, rehearsed, learned)

    scored = engine.learn(ROWS[part], TARGETS[part], arrival=Arrival.STREAMED)

    found = copy_weights(engine.state, averaged=False)
    for name in ("sections", "bias", "outputs", "output_bias"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=2e-4, atol=2e-5, err_msg=name
        )
    assert pytest.approx(answered, rel=1e-4) == float(scored.outputs[0, 0])
    asked = (learned + 1) % indices.ASK_EVERY == 0
    meters = engine.state.meters
    share = 0.02 if asked else 0.0
    worse = 0.6 if lags else 0.5
    errors = min(1.0, abs(distance)), min(1.0, abs(after))
    assert pytest.approx(0.5 + share * (errors[0] - 0.5)) == meters[indices.ERROR_BEFORE]
    assert pytest.approx(worse + share * (errors[1] - worse)) == meters[indices.ERROR_AFTER]


@pytest.mark.parametrize(("error", "again"), [(0.01, False), (0.2, True)])
def test_an_easy_kept_row_is_left_alone(error: float, again: bool) -> None:
    """A stream learns a kept row of classes again only if it was not known when last looked at."""
    rows, labels = table(101)
    found = []
    for debt in (0.0, 1.0):
        engine = GrowingEngine(flat(6, options=ONE_KEPT))
        engine.learn(rows[:99], labels[:99], arrival=Arrival.STORED)
        state = engine.state
        state.counters[indices.RING_FILLED] = 1
        state.list_channel[0, :6], state.list_value[0, :6] = np.arange(6), rows[50]
        state.list_length[0], state.list_label[0] = 6, (labels[50] + 1) % 3
        state.list_target[0, 0] = error
        state.active_count[:] = indices.START_ROWS
        state.meters[indices.REHEARSAL_DEBT] = debt

        engine.learn(rows[99:100], labels[99:100], arrival=Arrival.STREAMED)

        found.append(state.weights.copy())

    assert again == (not np.array_equal(*found))


def test_series_in_time_are_answered_first() -> None:
    """A slow wave is answered before rehearsing and tracked; shuffled, the same rows are not."""
    time = np.arange(4000)
    wave = (np.sin(time / 40) * (1 + time / 1000)).astype(np.float32)
    inputs = np.stack([wave, np.roll(wave, 7)], axis=1)
    targets = np.roll(wave, -150)[:, None]
    order = np.random.default_rng(1).permutation(4000)
    structure = flat(2, kind=TaskKind.NUMBERS, size=1)
    in_time, shuffled, stubborn = (GrowingEngine(structure) for _ in range(3))
    stubborn.state.meters[indices.ERROR_BEFORE] = 1e300

    scored = in_time.learn(inputs, targets, arrival=Arrival.STREAMED)
    shuffled.learn(inputs[order], targets[order], arrival=Arrival.STREAMED)
    late = stubborn.learn(inputs, targets, arrival=Arrival.STREAMED)

    def lags(engine: GrowingEngine) -> bool:
        meters = engine.state.meters
        return bool(meters[indices.ERROR_AFTER] > 1.05 * meters[indices.ERROR_BEFORE])

    assert (True, False) == (lags(in_time), lags(shuffled))
    assert scored.loss[2000:].mean() < 0.8 * late.loss[2000:].mean()


def test_without_kept_rows_nothing_is_asked() -> None:
    """Rows are answered and learned at once, and no errors are compared."""
    options = replace(ONE_KEPT, rehearsal_steps=0.0)
    engine = GrowingEngine(replace(STRUCTURE, options=options))

    engine.learn(ROWS, TARGETS, arrival=Arrival.STREAMED)

    assert [0.0, 0.0] == engine.state.meters[[indices.ERROR_BEFORE, indices.ERROR_AFTER]].tolist()


def test_the_choice_of_kept_rows() -> None:
    """Which row makes room, and whether a new one is kept at all, is as the slow twin says."""
    kept, settled = 12, 300
    # So few steps that no kept row is ever learned again: only the choice draws random numbers.
    options = EngineOptions(rehearsal_rows=kept, rehearsal_steps=1e-9)
    rows, labels = table(settled + 200)
    engine = GrowingEngine(flat(6, options=options))
    engine.learn(rows[:settled], labels[:settled], arrival=Arrival.STORED)
    state = engine.state
    state.active_count[:] = indices.START_ROWS
    settings = choose_settings(engine.structure, Arrival.STORED, ring_rows=kept)

    outcomes = set()
    for place in range(settled, len(rows)):
        before = state.list_label[:kept].tolist()
        errors = state.list_target[:kept, 0].tolist()
        random_state = int(state.random_state[0])
        part = slice(place, place + 1)
        engine.learn(rows[part], labels[part], arrival=Arrival.STORED)
        error, label = float(state.list_target[kept, 0]), int(labels[place])
        easy = error < settings[indices.SKIP]
        leaving = choose_leaving(before, errors, label, easy=easy, random_state=random_state)
        if leaving is not None:
            before[leaving], errors[leaving] = label, error
        assert before == state.list_label[:kept].tolist()
        assert errors == state.list_target[:kept, 0].tolist()
        outcomes.add((easy, leaving is None))
    assert {(True, True), (False, False)} <= outcomes
