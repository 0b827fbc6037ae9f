"""The experts' kernels agree with their slow twins."""

import numpy as np
import pytest

from kyouko.domain.engine import TaskKind
from kyouko.domain.engine.experts.members import (
    MEMBERS,
    MEMORY,
    NETWORK,
    QUICK,
    RECENT,
    REFLEX,
    STEADY,
    choose_linear,
)
from kyouko.domain.engine.experts.state import NEAREST, ExpertState, allocate_experts
from kyouko.kernels.experts_linear import answer_linearly, follow_linearly
from kyouko.kernels.experts_memory import recall_rows
from kyouko.kernels.experts_mixing import mix_classes, mix_numbers
from kyouko.kernels.experts_scaling import standardise_rows, standardise_targets
from tests.reference import experts as slow
from tests.reference.structures import curve, flat, table

ROWS = 250
CHANNELS = 6
ROOM = 10_000_000


def made(kind: TaskKind, *, channels: int = CHANNELS, room: int = ROOM) -> ExpertState:
    """Experts that have learned nothing."""
    state = allocate_experts(
        flat(channels, kind=kind, size=2 if kind is TaskKind.NUMBERS else 0), room
    )
    assert state is not None
    return state


def standardised(state: ExpertState, rows: np.ndarray) -> None:
    """Fill the scratch that the experts read."""
    standardise_rows(
        len(rows), True, rows, state.channel_mean, state.channel_variance, state.channel_count,
        state.block_mean, state.block_variance, state.standard, state.fresh, state.inverse,
    )  # fmt: skip


def test_rows_come_in_standard_deviations() -> None:
    """Channels of any scale, with gaps and outliers, become numbers from -5 to 5."""
    rows, _ = table(ROWS)
    rows[::7, 1] = np.nan
    rows[5::11, 2] = np.inf
    rows[100, 3] = 3e38
    rows[2, 4] = -1e30
    rows[150:, 5] *= 1e6
    state = made(TaskKind.CLASSES)

    standardised(state, rows)

    found = state.standard[:ROWS]
    assert np.abs(slow.standardise(rows) - found).max() < 1e-9
    assert np.abs(found).max() <= 5.0
    assert np.array_equal(np.isfinite(rows), np.isfinite(state.fresh[:ROWS]))
    assert (state.inverse[:ROWS][~np.isfinite(rows)] == 0.0).all()


@pytest.mark.parametrize("member", [STEADY, QUICK])
def test_linear_classes(member: int) -> None:
    """The linear experts for classes agree with explicit inversions, labels mistaken or not."""
    rows, labels = table(ROWS)
    labels[::9] = (labels[::9] + 1) % 3
    state = made(TaskKind.CLASSES)
    standardised(state, rows)
    settings = choose_linear(TaskKind.CLASSES)[member]
    weights, covariance, noise = (
        (state.steady_weights, state.steady_covariance, state.steady_noise)
        if member == STEADY
        else (state.quick_weights, state.quick_covariance, state.quick_noise)
    )
    answers = np.zeros((ROWS, 3), np.float32)

    answer_linearly(
        ROWS, True, True, 0, 0, settings.forgetting, settings.most_noise, state.standard, labels,
        np.zeros((ROWS, 1), np.float32), state.middle, state.unit, weights, covariance, noise,
        state.gain, state.stretch, state.scores, answers,
    )  # fmt: skip

    expected = slow.answer_classes(
        state.standard[:ROWS], labels, forgetting=settings.forgetting,
        most_noise=settings.most_noise,
    )  # fmt: skip
    assert np.abs(expected - answers).max() < 1e-4


@pytest.mark.parametrize("member", [STEADY, QUICK, REFLEX])
def test_linear_numbers(member: int) -> None:
    """The linear experts for numbers agree with explicit inversions."""
    rows, targets = curve(ROWS, outputs=2)
    targets = targets * np.float32(1000.0) + np.float32(5e5)
    state = made(TaskKind.NUMBERS, channels=10)
    standardised(state, rows)
    standardise_targets(
        ROWS, True, 0, targets, state.target_mean, state.target_variance, state.middle, state.unit
    )
    answers = np.zeros((ROWS, 2), np.float32)

    if member == REFLEX:
        forgetting = None
        follow_linearly(
            ROWS, True, 0, state.standard, targets, state.middle, state.unit,
            state.reflex_weights, answers,
        )  # fmt: skip
    else:
        forgetting = choose_linear(TaskKind.NUMBERS)[member].forgetting
        answer_linearly(
            ROWS, True, False, 2, 0, forgetting, 0.0, state.standard, np.zeros(ROWS, np.int32),
            targets, state.middle, state.unit, state.steady_weights, state.steady_covariance,
            state.steady_noise, state.gain, state.stretch, state.scores, answers,
        )  # fmt: skip

    expected = slow.answer_numbers(state.standard[:ROWS], targets, forgetting=forgetting)
    assert np.abs(expected / 1000.0 - answers / 1000.0).max() < 1e-2


@pytest.mark.parametrize("kind", list(TaskKind))
def test_neighbours(kind: TaskKind) -> None:
    """The memory answers as a search through all kept rows does, also round the ring's corner."""
    rows, targets = table(ROWS) if kind is TaskKind.CLASSES else curve(ROWS, outputs=2)
    rows[::13, 2] = np.nan
    state = made(kind, channels=rows.shape[1])
    kept = 120
    ring = [array[..., :kept].copy() for array in (state.ring_values, state.distance)]
    labels = targets if kind is TaskKind.CLASSES else np.zeros(ROWS, np.int32)
    numbers = targets if kind is TaskKind.NUMBERS else np.zeros((ROWS, 1), np.float32)
    outputs = 3 if kind is TaskKind.CLASSES else 2
    answers, recent = np.zeros((2, ROWS, outputs), np.float32)
    standardised(state, rows)

    recall_rows(
        ROWS, True, kind is TaskKind.CLASSES, 0 if kind is TaskKind.CLASSES else outputs, True,
        True, state.fresh, state.inverse, labels, numbers, ring[0], state.ring_label[:kept],
        state.ring_target[:kept], state.ring_counters, ring[1], state.least,
        state.listed[: kept + 1], state.near_distance, state.near_slot, state.scores, answers,
        recent,
    )  # fmt: skip

    for found, held in ((answers, kept), (recent, kept // 5)):
        expected = slow.recall(rows, targets, kept=held, asked=NEAREST)
        assert np.abs(expected - found).max() < 1e-3 * max(1.0, np.abs(expected).max())


def test_recent_neighbours_alone() -> None:
    """The newest rows answer alike whether or not all others are searched too."""
    rows, labels = table(ROWS)
    found = []
    for search_all in (True, False):
        state = made(TaskKind.CLASSES)
        standardised(state, rows)
        answers, recent = np.zeros((2, ROWS, 3), np.float32)
        recall_rows(
            ROWS, True, True, 0, search_all, True, state.fresh, state.inverse, labels,
            np.zeros((ROWS, 1), np.float32), state.ring_values[:, :120].copy(),
            state.ring_label[:120], state.ring_target[:120], state.ring_counters,
            state.distance[:120], state.least, state.listed[:121], state.near_distance,
            state.near_slot, state.scores, answers, recent,
        )  # fmt: skip
        found.append(recent)

    assert np.array_equal(found[0], found[1])


def test_mixed_classes() -> None:
    """The mixture of probabilities agrees with its twin while classes open."""
    random = np.random.default_rng(4)
    labels = np.minimum(random.integers(0, 4, ROWS), np.arange(ROWS) // 20).astype(np.int32)
    state = made(TaskKind.CLASSES)
    members = 5
    opinions = np.zeros((len(MEMBERS), ROWS, 4), np.float32)
    sure = random.uniform(0.0, 4.0, len(MEMBERS))
    for row in range(ROWS):
        known = int(labels[:row].max()) + 1 if row else 0
        for member in range(len(MEMBERS)):
            scores = random.normal(size=known) + sure[member] * (np.arange(known) == labels[row])
            opinions[member, row, :known] = slow.softmax(scores) if known else 0.0
    outputs = np.zeros((ROWS, 4), np.float32)
    losses, correct = np.zeros(ROWS, np.float32), np.zeros(ROWS, np.uint8)
    predicted = np.zeros(ROWS, np.int32)

    mix_classes(
        ROWS, True, 0, 0, labels, opinions, state.awake, state.trust, state.trust_covariance,
        state.contrast, state.trust_gain, state.trust_stretch, state.slope, state.share,
        state.meters, state.logarithms, state.scores, outputs, losses, correct, predicted,
    )  # fmt: skip

    awake = [NETWORK, STEADY, QUICK, MEMORY, RECENT]
    assert members == len(awake)
    expected = slow.mix_classes(opinions[awake].astype(np.float64), labels)
    assert np.abs(expected - outputs).max() < 1e-4
    known = expected[np.arange(ROWS), labels] > 0.0
    chances = np.maximum(expected[np.arange(ROWS), labels], 1e-6)
    assert np.allclose(-np.log(chances[known]), losses[known], atol=1e-3)
    assert (losses[~known] == np.float32(13.8)).all()
    assert np.array_equal(predicted == labels, correct == 1)
    assert abs(state.share.sum() - 1.0) < 1e-6


def test_mixed_numbers() -> None:
    """The mixture of numbers agrees with its twin, for outputs of different scales."""
    random = np.random.default_rng(4)
    targets = (random.normal(size=(ROWS, 2)) * [1.0, 1e6]).astype(np.float32)
    state = made(TaskKind.NUMBERS)
    noise = random.normal(size=(len(MEMBERS), ROWS, 2)) * [1.0, 1e6]
    sizes = random.uniform(0.1, 1.0, (len(MEMBERS), 1, 1))
    opinions = (targets + sizes * noise).astype(np.float32)
    outputs, losses = np.zeros((ROWS, 2), np.float32), np.zeros(ROWS, np.float32)
    standardise_targets(
        ROWS, True, 0, targets, state.target_mean, state.target_variance, state.middle, state.unit
    )

    mix_numbers(
        ROWS, True, 0, targets, state.unit, opinions, state.awake, state.trust,
        state.trust_covariance, state.contrast, state.trust_gain, state.trust_stretch, state.share,
        state.meters, state.miss, outputs, losses,
    )  # fmt: skip

    expected = slow.mix_numbers(opinions.astype(np.float64), targets, state.unit[:ROWS])
    assert np.abs((expected - outputs) / [1.0, 1e6]).max() < 1e-3
    errors = (((targets - expected) / state.unit[:ROWS]) ** 2).mean(axis=1)
    assert np.allclose(errors[1:], losses[1:], rtol=1e-3, atol=1e-5)
    assert 0.0 == losses[0]
