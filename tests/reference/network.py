"""Slow twins of the forward pass, the step and the averages, in float64 and without buckets.

They read a network's state as the layout table describes it, and never write to it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.growing.state import NetworkState
from kyouko.kernels import indices
from tests.reference.coding import drive_sections

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """The weights of one copy, fast or averaged."""

    sections: Float64
    bias: Float64
    outputs: Float64
    output_bias: Float64


def copy_weights(state: NetworkState, *, averaged: bool) -> Weights:
    """Read one copy of the weights."""
    prefix = "slow_" if averaged else ""
    known = int(state.counters[indices.KNOWN_OUTPUTS])
    return Weights(
        sections=getattr(state, prefix + "weights").astype(np.float64),
        bias=getattr(state, prefix + "bias").astype(np.float64),
        outputs=getattr(state, prefix + "output_weights")[:known].astype(np.float64),
        output_bias=getattr(state, prefix + "output_bias")[:known].astype(np.float64),
    )


def list_drives(state: NetworkState, row: npt.NDArray[Any]) -> list[tuple[int, int, float]]:
    """List (block, weight row, drive) of everything that a raw row drives."""
    driven = []
    for channel, value in enumerate(row.astype(np.float64)):
        if np.isnan(value):
            continue
        count = int(state.section_count[channel])
        if count == 0:
            continue
        drives = drive_sections(
            float(value),
            float(state.resting_low[channel]),
            float(state.resting_high[channel]),
            [float(knot) for knot in state.knots[channel, : count + 1]],
        )
        for edge in range(state.reach_first[channel], state.reach_first[channel + 1]):
            for section, drive in enumerate(drives):
                if drive != 0.0:
                    driven.append(
                        (int(state.reach_block[edge]), int(state.row_table[section, edge]), drive)
                    )
    return driven


def activate(
    weights: Weights, driven: list[tuple[int, int, float]], leak: float
) -> tuple[Float64, Float64]:
    """Return the hidden activities, shape (blocks, width), and the outputs' scores."""
    sums = weights.bias.copy()
    for block, row, drive in driven:
        sums[block] += drive * weights.sections[row]
    hidden = np.where(sums > 0, sums, leak * sums)
    return hidden, weights.outputs @ hidden.reshape(-1) + weights.output_bias


def softmax(scores: Float64) -> Float64:
    """Probabilities that belong to the scores."""
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def largest_rate(state: NetworkState, settings: npt.NDArray[np.float32]) -> float:
    """Return what no step may exceed, given the usual error of the present concept."""
    limit = float(settings[indices.STEP_LIMIT])
    if settings[indices.ERROR_SCALED]:
        return limit
    return limit * float(np.clip(3.0 * state.meters[indices.ALARM_LONG], 0.5, 1.0))


def step(
    weights: Weights,
    driven: list[tuple[int, int, float]],
    delta: Float64,
    settings: npt.NDArray[np.float32],
    factor: float,
    limit: float,
) -> Weights:
    """Take the normalised gradient step for the scores' derivative `delta`."""
    leak = float(settings[indices.LEAK])
    hidden, _ = activate(weights, driven, leak)
    heard = np.where(np.abs(delta) >= 1e-3, delta, 0.0)
    back = (heard @ weights.outputs).reshape(hidden.shape) * np.where(hidden > 0, 1.0, leak)
    length = 1.0 + float((hidden**2).sum())
    for block in range(len(hidden)):
        drives = 1.0 + sum(drive**2 for place, _, drive in driven if place == block)
        length += drives * float((back[block] ** 2).sum()) / float((delta**2).sum())
    rate = min(limit, float(settings[indices.STEP]) / length) * factor
    sections = weights.sections.copy()
    for block, row, drive in driven:
        sections[row] -= rate * drive * back[block]
    return Weights(
        sections=sections,
        bias=weights.bias - rate * back,
        outputs=weights.outputs - rate * np.outer(heard, hidden.reshape(-1)),
        output_bias=weights.output_bias - rate * delta,
    )


def average(slow: Weights, fast: Weights, beta: float) -> Weights:
    """Move the averaged copy towards the fast one."""
    return Weights(
        sections=slow.sections + beta * (fast.sections - slow.sections),
        bias=slow.bias + beta * (fast.bias - slow.bias),
        outputs=slow.outputs + beta * (fast.outputs - slow.outputs),
        output_bias=slow.output_bias + beta * (fast.output_bias - slow.output_bias),
    )


def scan(
    row: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any]
) -> list[tuple[int, float]]:
    """List the channels outside their band with their values."""
    return [
        (channel, float(value))
        for channel, value in enumerate(row)
        if value < low[channel] or value > high[channel]
    ]
