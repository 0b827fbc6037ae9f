"""Slow twins of networks whose hidden neurons lead to others or have a memory, in float64.

They read a network's state as the layout table describes it, and never write to it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.growing.state import NetworkState
from kyouko.kernels import indices
from tests.reference.network import Weights, softmax

Float64 = npt.NDArray[np.float64]
Driven = list[tuple[int, int, float]]


@dataclass(frozen=True)
class Memory:
    """What the rows so far have left behind.

    Attributes:
        traces: by weight row.
        raised: shape (blocks, width), what spikes have added to the thresholds.
        silent: shape (blocks, width), rows of silence left.
    """

    traces: dict[int, float]
    raised: Float64
    silent: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Computed:
    """One row on its way through the network.

    Attributes:
        driven: (block, weight row, drive) of channels, hidden sources and traces.
        hidden: shape (blocks, width).
        scores: of the known outputs.
    """

    driven: Driven
    hidden: Float64
    scores: Float64


def read_memory(state: NetworkState) -> Memory:
    """Read the memory of a network; empty for one without spiking populations."""
    traces = {}
    for block in range(len(state.spiking)):
        for item in range(int(state.trace_length[block])):
            row = int(state.trace_row[block, item])
            traces[row] = float(state.trace_drive[block, item])
    traces |= {row: float(drive) for row, drive in enumerate(state.inner_trace) if drive != 0.0}
    still = state.raised if len(state.spiking) else np.zeros(state.bias.shape)
    silent = state.silent if len(state.spiking) else np.zeros(state.bias.shape)
    return Memory(traces, still.astype(np.float64), silent.astype(np.int64))


def _left_over(state: NetworkState, block: int, memory: Memory, rows: set[int]) -> dict[int, float]:
    """Return what is left of the traces of some weight rows of a block."""
    if not len(state.spiking) or not state.spiking[block, indices.SPIKING_ON]:
        return {}
    share = float(state.spiking[block, indices.SPIKING_SHARE])
    left = {row: share * drive for row, drive in memory.traces.items() if row in rows}
    return {row: drive for row, drive in left.items() if abs(drive) >= 1e-3}


def _rows_of(state: NetworkState, block: int) -> set[int]:
    """Return the weight rows of a block."""
    rows = set(range(int(state.inner_first[block]), int(state.inner_first[block + 1])))
    for channel in range(len(state.section_count)):
        for edge in range(state.reach_first[channel], state.reach_first[channel + 1]):
            if state.reach_block[edge] == block:
                rows |= set(state.row_table[: state.section_count[channel], edge].tolist())
    return rows


def compute(
    state: NetworkState, weights: Weights, driven: Driven, memory: Memory, leak: float
) -> Computed:
    """Compute one row block by block.

    Args:
        state: for the graph and the spiking records.
        weights: one copy of the weights.
        driven: what the channels drive, from `list_drives`.
        memory: of the rows before.
        leak: slope of the activation below zero.
    """
    blocks, width = weights.bias.shape
    hidden = np.zeros((blocks, width))
    everything: Driven = []
    for block in range(blocks):
        drives = {row: drive for place, row, drive in driven if place == block}
        for edge in range(int(state.inner_first[block]), int(state.inner_first[block + 1])):
            drives[edge] = float(hidden.reshape(-1)[state.inner_source[edge]])
        for row, left in _left_over(state, block, memory, _rows_of(state, block)).items():
            drives[row] = drives.get(row, 0.0) + left
        sums = weights.bias[block] - memory.raised[block]
        for row, drive in drives.items():
            sums = sums + drive * weights.sections[row]
        fired = np.where(sums > 0, sums, leak * sums)
        hidden[block] = np.where(memory.silent[block] > 0, 0.0, fired)
        everything += [(block, row, drive) for row, drive in drives.items()]
    return Computed(everything, hidden, weights.outputs @ hidden.reshape(-1) + weights.output_bias)


def slopes(
    state: NetworkState,
    weights: Weights,
    row: Computed,
    memory: Memory,
    delta: Float64,
    leak: float,
) -> Float64:
    """Return the derivatives of the loss by the neurons' sums, shape (blocks, width)."""
    back = (delta @ weights.outputs).reshape(row.hidden.shape)
    bent = np.where(row.hidden > 0, 1.0, leak) * (memory.silent == 0)
    for block in reversed(range(len(back))):
        back[block] *= bent[block]
        for edge in range(int(state.inner_first[block]), int(state.inner_first[block + 1])):
            back.reshape(-1)[state.inner_source[edge]] += weights.sections[edge] @ back[block]
    return np.asarray(back)


def step(
    state: NetworkState,
    weights: Weights,
    row: Computed,
    memory: Memory,
    delta: Float64,
    settings: npt.NDArray[np.float32],
    factor: float,
    limit: float,
) -> Weights:
    """Take the normalised gradient step for the scores' derivative `delta`."""
    heard = np.where(np.abs(delta) >= 1e-3, delta, 0.0)
    back = slopes(state, weights, row, memory, heard, float(settings[indices.LEAK]))
    length = 1.0 + float((row.hidden**2).sum())
    for block in range(len(back)):
        drives = 1.0 + sum(drive**2 for place, _, drive in row.driven if place == block)
        length += drives * float((back[block] ** 2).sum()) / float((delta**2).sum())
    rate = min(limit, float(settings[indices.STEP]) / length) * factor
    sections = weights.sections.copy()
    for block, place, drive in row.driven:
        sections[place] -= rate * drive * back[block]
    return Weights(
        sections=sections,
        bias=weights.bias - rate * back,
        outputs=weights.outputs - rate * np.outer(heard, row.hidden.reshape(-1)),
        output_bias=weights.output_bias - rate * delta,
    )


def remember(state: NetworkState, row: Computed, memory: Memory) -> Memory:
    """Return the memory after a row."""
    if not len(state.spiking):
        return memory
    traces = {
        place: drive
        for block, place, drive in row.driven
        if state.spiking[block, indices.SPIKING_ON] and drive != 0.0
    }
    on = state.spiking[:, indices.SPIKING_ON, None] > 0
    spikes = np.where(on, np.maximum(row.hidden, 0.0), 0.0)
    cooldown = state.spiking[:, indices.SPIKING_COOLDOWN, None].astype(np.float64)
    rest = state.spiking[:, indices.SPIKING_REST, None].astype(np.int64)
    silent = np.where(memory.silent > 0, memory.silent - 1, np.where(spikes > 0, rest, 0))
    return Memory(traces, cooldown * (memory.raised + spikes), silent)


def loss(
    state: NetworkState, weights: Weights, driven: Driven, memory: Memory, label: int, leak: float
) -> float:
    """Return the cross-entropy of a class, in nats."""
    scores = compute(state, weights, driven, memory, leak).scores
    return float(-np.log(softmax(scores)[label]))
