"""The arrays that are the experts of a network: their layout, allocation and bound in bytes."""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.experts.members import FIRST_TRIAL, MEMBERS, REFLEX, REVIEW_EVERY
from kyouko.domain.engine.memory import allocate, count_bytes, count_gaps
from kyouko.domain.engine.structure import NetworkStructure, TaskKind
from kyouko.kernels.experts_search import LEAST_PLACES

__all__ = ["NEAREST", "SCRATCH", "ExpertState", "allocate_experts", "count_least_bytes"]

Array = npt.NDArray[Any]

NEAREST: Final = 5  # neighbours that are asked
_MOST_KEPT: Final = 1000
_LEAST_KEPT: Final = 50

# Holds nothing between calls.
SCRATCH: Final = frozenset(
    {
        "standard", "fresh", "inverse", "middle", "unit", "gain", "stretch", "scores", "distance",
        "least", "listed", "near_distance", "near_slot", "contrast", "trust_gain", "trust_stretch",
        "slope", "logarithms",
    }
)  # fmt: skip


@dataclass(frozen=True)
class ExpertState:
    """All arrays of the experts. They are allocated once and never move.

    C channels, D = C + 1, O outputs with room, O' numeric outputs (1 for classes), R kept rows,
    M members, S = REVIEW_EVERY rows of a frame, N = NEAREST. All but scratch is saved.

    ================  =======  ===========  ===================================================
    name              dtype    shape        meaning (unit); invariant
    ================  =======  ===========  ===================================================
    channel_mean      float64  (C,)         running mean of each channel (input unit)
    channel_variance  float64  (C,)         running variance; >= 0
    channel_count     int64    (C,)         values met that were not missing
    block_mean        float64  (C,)         mean of the present block of 64 values
    block_variance    float64  (C,)         likewise its variance; >= 0
    target_mean       float64  (O',)        running mean of numeric targets
    target_variance   float64  (O',)        running variance; >= 0
    steady_weights    float64  (O, D)       standardised channel to score or number; bias last
    steady_covariance float64  (D, D)       of the weights of one output; lower half
    steady_noise      float64  (1,)         chance of a blind label, 0 to 0.2
    quick_weights     float64  (O, D)       likewise, of fewer rows
    quick_covariance  float64  (D, D)       likewise
    quick_noise       float64  (1,)         0
    reflex_weights    float64  (O', D)      likewise, of the last rows; numbers only
    ring_values       float32  (C, R)       kept raw rows, channel by channel; NaN for gaps
    ring_label        int32    (R,)         their classes; below O
    ring_target       float32  (R, O')      their numeric targets
    ring_counters     int64    (2,)         place of the next row (below R), rows kept (0 to R)
    trust             float64  (M,)         weight of each member in the mixture
    trust_covariance  float64  (M, M)       of these weights; lower half
    share             float64  (M,)         running part in the answers, 0 to 1
    awake             uint8    (M,)         1 for members that answer and learn
    turn_at           int64    (M,)         learned rows from which a member may fall asleep, or
                                            at which it wakes
    naps              int64    (M,)         times it fell asleep, 0 to 5
    miss              float64  (O',)        running absolute error of the mixture's numbers
    meters            float64  (2,)         running loss and error of the mixture
    counters          int64    (1,)         learned rows
    standard          float64  (S, D)       scratch: rows in standard deviations
    fresh             float32  (S, C)       scratch: raw rows; NaN for gaps
    inverse           float32  (S, C)       scratch: 1 / standard deviation; 0 for gaps
    middle            float64  (S, O')      scratch: mean of the targets before each row
    unit              float64  (S, O')      scratch: their standard deviation; > 0
    gain              float64  (D,)         scratch
    stretch           float64  (D,)         scratch
    scores            float64  (O,)         scratch
    distance          float32  (R,)         scratch: squared distances of the kept rows
    least             float32  (33,)        scratch: least distance of groups of kept rows
    listed            int32    (R + 1,)     scratch: kept rows that may be the nearest
    near_distance     float32  (N,)         scratch: of the nearest, ascending
    near_slot         int32    (N,)         scratch: their places
    contrast          float64  (M,)         scratch: what the members differ by
    trust_gain        float64  (M,)         scratch
    trust_stretch     float64  (M,)         scratch
    slope             float64  (M,)         scratch: derivative of the loss by trust
    logarithms        float64  (M, O)       scratch: log probabilities
    ================  =======  ===========  ===================================================
    """

    channel_mean: Array
    channel_variance: Array
    channel_count: Array
    block_mean: Array
    block_variance: Array
    target_mean: Array
    target_variance: Array
    steady_weights: Array
    steady_covariance: Array
    steady_noise: Array
    quick_weights: Array
    quick_covariance: Array
    quick_noise: Array
    reflex_weights: Array
    ring_values: Array
    ring_label: Array
    ring_target: Array
    ring_counters: Array
    trust: Array
    trust_covariance: Array
    share: Array
    awake: Array
    turn_at: Array
    naps: Array
    miss: Array
    meters: Array
    counters: Array
    standard: Array
    fresh: Array
    inverse: Array
    middle: Array
    unit: Array
    gain: Array
    stretch: Array
    scores: Array
    distance: Array
    least: Array
    listed: Array
    near_distance: Array
    near_slot: Array
    contrast: Array
    trust_gain: Array
    trust_stretch: Array
    slope: Array
    logarithms: Array

    @property
    def kept_rows(self) -> int:
        """Room for remembered rows."""
        return len(self.ring_label)

    def count_bytes(self) -> int:
        """Sum of all arrays and the gaps between them."""
        return sum(int(getattr(self, item.name).nbytes) for item in fields(self)) + _GAPS


def _shapes(structure: NetworkStructure, kept: int) -> dict[str, tuple[Any, ...]]:
    channels, outputs = structure.channels, structure.most_outputs
    wide, members, slots = channels + 1, len(MEMBERS), REVIEW_EVERY
    targets = outputs if structure.output.kind is TaskKind.NUMBERS else 1
    double, single = np.float64, np.float32
    return {
        "channel_mean": ((channels,), double),
        "channel_variance": ((channels,), double),
        "channel_count": ((channels,), np.int64),
        "block_mean": ((channels,), double),
        "block_variance": ((channels,), double),
        "target_mean": ((targets,), double),
        "target_variance": ((targets,), double),
        "steady_weights": ((outputs, wide), double),
        "steady_covariance": ((wide, wide), double),
        "steady_noise": ((1,), double),
        "quick_weights": ((outputs, wide), double),
        "quick_covariance": ((wide, wide), double),
        "quick_noise": ((1,), double),
        "reflex_weights": ((targets, wide), double),
        "ring_values": ((channels, kept), single),
        "ring_label": ((kept,), np.int32),
        "ring_target": ((kept, targets), single),
        "ring_counters": ((2,), np.int64),
        "trust": ((members,), double),
        "trust_covariance": ((members, members), double),
        "share": ((members,), double),
        "awake": ((members,), np.uint8),
        "turn_at": ((members,), np.int64),
        "naps": ((members,), np.int64),
        "miss": ((targets,), double),
        "meters": ((2,), double),
        "counters": ((1,), np.int64),
        "standard": ((slots, wide), double),
        "fresh": ((slots, channels), single),
        "inverse": ((slots, channels), single),
        "middle": ((slots, targets), double),
        "unit": ((slots, targets), double),
        "gain": ((wide,), double),
        "stretch": ((wide,), double),
        "scores": ((outputs,), double),
        "distance": ((kept,), single),
        "least": ((LEAST_PLACES,), single),
        "listed": ((kept + 1,), np.int32),
        "near_distance": ((NEAREST,), single),
        "near_slot": ((NEAREST,), np.int32),
        "contrast": ((members,), double),
        "trust_gain": ((members,), double),
        "trust_stretch": ((members,), double),
        "slope": ((members,), double),
        "logarithms": ((members, outputs), double),
    }


_GAPS: Final = count_gaps({item.name: ((), np.uint8) for item in fields(ExpertState)})


def _count(structure: NetworkStructure, kept: int) -> int:
    return count_bytes(_shapes(structure, kept)) + _GAPS


def count_least_bytes(structure: NetworkStructure) -> int:
    """Return the bytes of experts that remember hardly any rows."""
    return _count(structure, _LEAST_KEPT)


def allocate_experts(structure: NetworkStructure, room: int) -> ExpertState | None:
    """Allocate experts that have learned nothing; they remember as many rows as fit.

    Args:
        structure: of the whole network.
        room: bytes that they may take.

    Returns:
        None if not even the least fits.
    """
    least = count_least_bytes(structure)
    if least > room:
        return None
    row = _count(structure, _LEAST_KEPT + 1) - least
    kept = min(_MOST_KEPT, _LEAST_KEPT + (room - least) // row)
    shapes = _shapes(structure, int(kept))
    state = ExpertState(**allocate(shapes))
    numbers = structure.output.kind is TaskKind.NUMBERS
    for covariance in (state.steady_covariance, state.quick_covariance):
        np.fill_diagonal(covariance, 10.0 if numbers else 1.0)
    np.fill_diagonal(state.trust_covariance, 0.3 if numbers else 0.1)
    members = np.ones(len(MEMBERS), np.bool_)
    members[REFLEX] = numbers
    state.awake[:] = members
    state.trust[:] = members / members.sum()
    state.share[:] = state.trust
    state.turn_at[:] = FIRST_TRIAL
    if not numbers:
        state.steady_noise[0] = 0.05
    return state
