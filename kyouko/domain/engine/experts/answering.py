"""Rows through the experts and the mixture: arrays of one frame, and the kernels that fill them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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
from kyouko.domain.engine.experts.state import ExpertState
from kyouko.domain.engine.interface import Scored
from kyouko.domain.engine.structure import TaskKind
from kyouko.kernels.experts_linear import answer_linearly, follow_linearly
from kyouko.kernels.experts_memory import recall_rows
from kyouko.kernels.experts_mixing import mix_classes, mix_numbers
from kyouko.kernels.experts_scaling import standardise_rows, standardise_targets

__all__ = ["Frame", "answer_frame"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """Rows with what the network said about them, in the one layout that the kernels take.

    Attributes:
        inputs: float32, shape (rows, channels).
        labels: int32, shape (rows,); zeros where they mean nothing.
        targets: float32, shape (rows, outputs) for numbers, else (rows, 1); likewise.
        answers: float32, shape (rows, outputs), of the network.
        known: outputs known before the first row.
        learn: whether the targets are there to be learned.
    """

    inputs: Float32
    labels: npt.NDArray[np.int32]
    targets: Float32
    answers: Float32
    known: int
    learn: bool

    @classmethod
    def of(
        cls, kind: TaskKind, inputs: Array, answers: Array, known: int, targets: Array | None
    ) -> "Frame":
        """Copy the arrays of a call: those may be views, read-only, or bytes."""
        rows = len(inputs)
        classes = kind is TaskKind.CLASSES
        labels = np.zeros(rows, np.int32)
        numbers = np.zeros((rows, 1 if classes else answers.shape[1]), np.float32)
        if targets is not None:
            (labels if classes else numbers)[:] = targets
        return cls(
            inputs=np.array(inputs, np.float32, order="C"),
            labels=labels,
            targets=numbers,
            answers=answers,
            known=known,
            learn=targets is not None,
        )


def answer_frame(state: ExpertState, kind: TaskKind, frame: Frame) -> Scored:
    """Let the experts that are awake answer, mix, and learn if the frame is to be learned.

    Args:
        state: of the experts; at most REVIEW_EVERY rows fit into its scratch.
        kind: of the outputs.
        frame: the rows.
    """
    rows, outputs = frame.answers.shape
    seen = int(state.counters[0])
    opinions = np.zeros((len(MEMBERS), rows, outputs), np.float32)
    opinions[NETWORK] = frame.answers
    standardise_rows(
        rows, frame.learn, frame.inputs, state.channel_mean, state.channel_variance,
        state.channel_count, state.block_mean, state.block_variance, state.standard, state.fresh,
        state.inverse,
    )  # fmt: skip
    if kind is TaskKind.NUMBERS:
        standardise_targets(
            rows, frame.learn, seen, frame.targets, state.target_mean, state.target_variance,
            state.middle, state.unit,
        )  # fmt: skip
    _answer_linearly(state, kind, frame, opinions)
    _recall(state, kind, frame, opinions)
    scored = _mix(state, kind, frame, opinions)
    if frame.learn:
        state.counters[0] = seen + rows
    return scored


def _answer_linearly(state: ExpertState, kind: TaskKind, frame: Frame, opinions: Float32) -> None:
    rows, seen = len(frame.inputs), int(state.counters[0])
    arrays = {
        STEADY: (state.steady_weights, state.steady_covariance, state.steady_noise),
        QUICK: (state.quick_weights, state.quick_covariance, state.quick_noise),
    }
    for member, settings in choose_linear(kind).items():
        if state.awake[member] != 0:
            answer_linearly(
                rows, frame.learn, kind is TaskKind.CLASSES, frame.known, seen,
                settings.forgetting, settings.most_noise, state.standard, frame.labels,
                frame.targets, state.middle, state.unit, *arrays[member], state.gain, state.stretch,
                state.scores, opinions[member],
            )  # fmt: skip
    if state.awake[REFLEX] != 0:
        follow_linearly(
            rows, frame.learn, seen, state.standard, frame.targets, state.middle, state.unit,
            state.reflex_weights, opinions[REFLEX],
        )  # fmt: skip


def _recall(state: ExpertState, kind: TaskKind, frame: Frame, opinions: Float32) -> None:
    recall_rows(
        len(frame.inputs), frame.learn, kind is TaskKind.CLASSES, frame.known,
        bool(state.awake[MEMORY]), bool(state.awake[RECENT]), state.fresh, state.inverse,
        frame.labels, frame.targets, state.ring_values, state.ring_label, state.ring_target,
        state.ring_counters, state.distance, state.least, state.listed, state.near_distance,
        state.near_slot, state.scores, opinions[MEMORY], opinions[RECENT],
    )  # fmt: skip


def _mix(state: ExpertState, kind: TaskKind, frame: Frame, opinions: Float32) -> Scored:
    rows, outputs = frame.answers.shape
    seen = int(state.counters[0])
    scored = Scored(
        outputs=np.zeros((rows, outputs), np.float32),
        loss=np.zeros(rows, np.float32),
        correct=np.zeros(rows, np.uint8),
        predicted=np.full(rows, -1, np.int32),
    )
    if kind is TaskKind.CLASSES:
        mix_classes(
            rows, frame.learn, frame.known, seen, frame.labels, opinions, state.awake, state.trust,
            state.trust_covariance, state.contrast, state.trust_gain, state.trust_stretch,
            state.slope, state.share, state.meters, state.logarithms, state.scores,
            scored.outputs, scored.loss, scored.correct, scored.predicted,
        )  # fmt: skip
    else:
        mix_numbers(
            rows, frame.learn, seen, frame.targets, state.unit, opinions, state.awake, state.trust,
            state.trust_covariance, state.contrast, state.trust_gain, state.trust_stretch,
            state.share, state.meters, state.miss, scored.outputs, scored.loss,
        )  # fmt: skip
    return scored
