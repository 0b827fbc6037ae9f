"""Experts beside a network: who gets them, what they are worth, when they sleep, what they cost."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kyouko.domain.engine import (
    Arrival,
    EngineOptions,
    EngineState,
    EngineStateError,
    EngineStructureError,
    GrowingEngine,
    InputPopulation,
    MixtureEngine,
    NetworkStructure,
    TaskKind,
    create_engine,
    restore_engine,
)
from kyouko.domain.engine.experts.members import FIRST_TRIAL, REVIEW_EVERY
from tests.reference.structures import curve, flat, table

ALONE = EngineOptions(experts=False)
FORCED = EngineOptions(experts=True)
NUMBERS = flat(10, kind=TaskKind.NUMBERS, size=2)


def names(structure: NetworkStructure) -> list[str]:
    """Who answers in a new network."""
    return [item.name for item in create_engine(structure).statistics().experts]


def plane(rows: int, *, wrong: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes on both sides of a plane; some labels are drawn blindly."""
    random = np.random.default_rng(8)
    points = random.uniform(0.0, 10.0, (rows, 5))
    labels = (points @ [1.0, 2.0, -1.0, 0.5, 0.0] > 12.0).astype(np.int32)
    blind = random.random(rows) < wrong
    labels[blind] = random.integers(0, 2, int(blind.sum()))
    return points.astype(np.float32), labels


def mistakes(structure: NetworkStructure, rows: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows that were told wrong before they were learned."""
    scored = create_engine(structure).learn(rows, labels, arrival=Arrival.STREAMED)
    return float(1.0 - scored.correct.mean())


def test_who_gets_experts() -> None:
    """Networks of fewer than 100 channels get experts, others do if asked, none if forbidden."""
    experts = ["network", "steady", "quick", "memory", "recent"]

    assert experts == names(flat(99))
    assert [] == names(flat(100))
    assert experts == names(flat(100, options=FORCED))
    assert [] == names(flat(3, options=ALONE))
    assert [*experts[:3], "reflex", *experts[3:]] == names(NUMBERS)


def test_linear_concepts_with_wrong_labels() -> None:
    """The linear expert brings the mistakes near to the share of labels that are wrong."""
    rows, labels = plane(6000, wrong=0.2)

    alone = mistakes(flat(5, 32, options=ALONE), rows, labels)
    together = mistakes(flat(5, 32), rows, labels)

    assert together < alone - 0.005
    assert together < 0.1 + 0.035


def test_what_is_near_tells() -> None:
    """Many small islands of classes are known by their nearest rows."""
    random = np.random.default_rng(2)
    islands = random.uniform(-1.0, 1.0, (60, 3))
    owner = random.integers(0, 4, 60).astype(np.int32)
    place = random.integers(0, 60, 4000)
    rows = (islands[place] + random.normal(0.0, 0.05, (4000, 3))).astype(np.float32)

    alone = mistakes(flat(3, 32, options=ALONE), rows, owner[place])
    together = mistakes(flat(3, 32), rows, owner[place])

    assert together < 0.75 * alone


def test_numbers_that_wander() -> None:
    """A slowly changing level is followed at once, in whatever unit it comes."""
    random = np.random.default_rng(6)
    level = np.cumsum(random.normal(size=2000))
    rows = random.normal(size=(2000, 3)).astype(np.float32)
    errors = {}
    for options in (ALONE, EngineOptions()):
        for unit in (1.0, 1e9):
            targets = (unit * (level + rows[:, 0] + 100.0)).astype(np.float32)[:, None]
            engine = create_engine(flat(3, kind=TaskKind.NUMBERS, size=1, options=options))
            scored = engine.learn(rows, targets, arrival=Arrival.STREAMED)
            errors[options.experts, unit] = float(
                np.abs(scored.outputs - targets)[1:].mean() / unit
            )

    assert errors[None, 1.0] < 0.6 * errors[False, 1.0]
    assert errors[None, 1.0] == pytest.approx(errors[None, 1e9], rel=0.02)


def test_scale_free_channels() -> None:
    """Channels of any scale and offset give the same experts, up to rounding."""
    rows, labels = plane(3000)
    scales = np.array([1e-20, 1e20, -3.0, 1e-3, 1e6])

    plain = mistakes(flat(5), rows, labels)
    scaled = mistakes(flat(5), (rows * scales + 5.0 * scales).astype(np.float32), labels)

    assert abs(plain - scaled) < 0.01


@pytest.mark.parametrize("value", [0.0, -7.5, 3e38, np.nan, np.inf, 1e-45])
def test_constant_channels_cost_nothing(value: float) -> None:
    """A channel that always holds the same value, or none, changes hardly anything."""
    rows, labels = plane(3000)
    constant = np.full((3000, 1), value, np.float32)

    plain = mistakes(flat(5), rows, labels)
    wider = mistakes(flat(6), np.concatenate([rows, constant], axis=1), labels)

    assert wider < plain + 0.01


def test_gaps_and_outliers_cost_little() -> None:
    """Missing and absurd values in one row of a hundred cost about as many rows."""
    rows, labels = plane(4000)
    random = np.random.default_rng(1)
    spoilt = rows.copy()
    hit = random.random(rows.shape) < 0.002
    spoilt[hit] = random.choice(np.array([np.nan, np.inf, -3e38, 1e30], np.float32), int(hit.sum()))

    assert mistakes(flat(5), spoilt, labels) < mistakes(flat(5), rows, labels) + 0.015


def test_experts_that_do_not_pay_sleep_and_wake() -> None:
    """Linear experts sleep through a concept without any slope, are tried again, and sleep on."""
    random = np.random.default_rng(3)
    rows = random.normal(size=(16_000, 2)).astype(np.float32)
    labels = (rows[:, 0] * rows[:, 1] > 0.0).astype(np.int32)
    engine = create_engine(flat(2, 32))
    awake = []
    for start in range(0, len(rows), REVIEW_EVERY):
        part = slice(start, start + REVIEW_EVERY)
        engine.learn(rows[part], labels[part], arrival=Arrival.STREAMED)
        experts = {item.name: item for item in engine.statistics().experts}
        awake.append(experts["steady"].awake)
        assert 1.0 == pytest.approx(sum(item.weight for item in experts.values()))
        assert experts["steady"].awake or 0.0 == experts["steady"].weight
        assert experts["network"].awake

    assert all(awake[: FIRST_TRIAL // REVIEW_EVERY - 1])
    assert not awake[-1] or not all(awake[FIRST_TRIAL // REVIEW_EVERY :])
    turns = int(np.count_nonzero(np.diff(np.array(awake, np.int8))))
    assert turns >= 2


def test_little_memory_means_no_experts() -> None:
    """Where the memory limit leaves no room, there are none; where they are asked for, it says."""
    small = EngineOptions(memory_limit_bytes=200_000)

    alone = create_engine(flat(6, options=small))
    with pytest.raises(EngineStructureError, match=r"memory_limit_bytes.*experts"):
        create_engine(flat(6, options=replace(small, experts=True)))

    assert () == alone.statistics().experts
    assert 200_000 == alone.statistics().memory_limit_bytes


@pytest.mark.parametrize("limit", [700_000, 900_000, 2_000_000])
def test_memory_counts_the_experts(limit: int) -> None:
    """Network and experts together stay below the limit; the memory holds fewer rows instead."""
    rows, labels = table(3000)
    options = EngineOptions(memory_limit_bytes=limit, experts=True, max_outputs=16)
    engine = create_engine(flat(6, options=options))

    engine.learn(rows, labels, arrival=Arrival.STREAMED)

    held = engine.export_state().arrays
    assert engine.statistics().memory_bytes <= limit
    assert sum(array.nbytes for array in held.values()) <= limit
    assert 50 <= held["experts/ring_label"].size <= 1000


@pytest.mark.parametrize("cut", [0, 3, 300, 1500])
def test_added_channels_disturb_nothing(cut: int) -> None:
    """New channels change no prediction by coming; afterwards they are learned like others."""
    rows, labels = plane(3000)
    engine = create_engine(flat(4))
    engine.learn(rows[:cut, :4], labels[:cut], arrival=Arrival.STREAMED)
    before = engine.predict(rows[:50, :4])
    engine.add_channels(InputPopulation("more", 1, (1, 1, 1), (0.0, 0.0, 0.0)))

    after = engine.predict(rows[:50])
    scored = engine.learn(rows[cut:], labels[cut:], arrival=Arrival.STREAMED)
    copy = restore_engine(engine.structure, engine.export_state())

    assert np.array_equal(before, after)
    assert scored.correct[-1000:].mean() > 0.95
    assert np.array_equal(engine.predict(rows), copy.predict(rows))


@pytest.mark.parametrize("asked", [None, True])
def test_rows_can_become_too_wide(asked: bool | None) -> None:
    """Experts end when rows become wide, unless they were asked for; the state is restored so."""
    rows, labels = table(600)
    engine = create_engine(flat(6, options=EngineOptions(experts=asked)))
    engine.learn(rows, labels, arrival=Arrival.STREAMED)
    engine.add_channels(InputPopulation("more", 120, (120, 1, 1), (0.0, 0.0, 0.0)))
    wide = np.concatenate([rows, np.zeros((600, 120), np.float32)], axis=1)
    engine.learn(wide, labels, arrival=Arrival.STREAMED)

    copy = restore_engine(engine.structure, engine.export_state())
    engine.learn(wide, labels, arrival=Arrival.STREAMED)
    copy.learn(wide, labels, arrival=Arrival.STREAMED)

    assert (asked is True) == bool(engine.statistics().experts)
    assert engine.statistics().experts == copy.statistics().experts
    assert np.array_equal(engine.predict(wide), copy.predict(wide))


def test_a_network_from_before_there_were_experts() -> None:
    """The state of a network alone goes on alone, exactly, where experts are the default."""
    rows, labels = table(900)
    alone = GrowingEngine(flat(6))
    alone.learn(rows[:500], labels[:500], arrival=Arrival.STREAMED)

    copy = restore_engine(flat(6), alone.export_state())
    expected = alone.learn(rows[500:], labels[500:], arrival=Arrival.STREAMED)
    found = copy.learn(rows[500:], labels[500:], arrival=Arrival.STREAMED)

    assert isinstance(copy, MixtureEngine)
    assert () == copy.statistics().experts
    assert np.array_equal(expected.outputs, found.outputs)


DAMAGES: dict[str, Callable[[EngineState], Any]] = {
    "other format": lambda state: state.header.update(format=99),
    "other width": lambda state: state.header.update(channels=7),
    "no inner header": lambda state: state.header.pop("inner"),
    "no word on experts": lambda state: state.header.update(experts="some"),
    "more kept rows": lambda state: state.header.update(kept_rows=5000),
    "no weights": lambda state: state.arrays.pop("experts/steady_weights"),
    "other weights": lambda state: state.arrays.update(
        {"experts/steady_weights": np.zeros((2, 2))}
    ),
    "endless weights": lambda state: state.arrays["experts/quick_weights"].fill(np.inf),
    "label outside": lambda state: state.arrays["experts/ring_label"].fill(1 << 20),
    "negative label": lambda state: state.arrays["experts/ring_label"].fill(-1),
    "place outside": lambda state: state.arrays["experts/ring_counters"].fill(1000),
    "half awake": lambda state: state.arrays["experts/awake"].fill(3),
    "endless naps": lambda state: state.arrays["experts/naps"].fill(64),
    "broken network": lambda state: state.arrays.pop("inner/weights"),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_damaged_states_are_refused(damage: str) -> None:
    """Whatever is missing or points outside in a state is found before a kernel sees it."""
    rows, labels = table(100)
    engine = create_engine(flat(6))
    engine.learn(rows, labels, arrival=Arrival.STREAMED)
    state = engine.export_state()

    DAMAGES[damage](state)

    with pytest.raises(EngineStateError):
        restore_engine(flat(6), state)


def test_states_do_not_lose_their_experts() -> None:
    """A state with experts is refused where the memory limit has no room for them."""
    options = EngineOptions(memory_limit_bytes=200_000)
    state = create_engine(flat(6)).export_state()

    with pytest.raises(EngineStateError, match="no room for the experts"):
        restore_engine(flat(6, options=options), state)


def test_stored_rows_are_learned_together() -> None:
    """Tasks on stored rows use the experts too, and predict with them."""
    rows, labels = plane(2500)
    engines = [create_engine(flat(5, options=item)) for item in (ALONE, EngineOptions())]

    for engine in engines:
        engine.learn(rows[:1500], labels[:1500], arrival=Arrival.STORED)
    alone, together = (
        float(np.mean(engine.predict(rows[1500:]).argmax(axis=1) == labels[1500:]))
        for engine in engines
    )

    assert together > alone


def test_targets_of_several_outputs() -> None:
    """Numbers of different scales are mixed each in its own unit."""
    rows, targets = curve(3000, outputs=2)
    targets = targets * np.array([1.0, 1e6], np.float32)
    errors = []
    for options in (ALONE, EngineOptions()):
        engine = create_engine(replace(NUMBERS, options=options))
        scored = engine.learn(rows, targets, arrival=Arrival.STREAMED)
        errors.append(np.abs(scored.outputs - targets)[100:].mean(axis=0))

    assert (errors[1] < 1.02 * errors[0]).all()
