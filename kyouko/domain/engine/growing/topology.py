"""From declared populations to blocks of neurons and the channels that reach them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.structure import NetworkStructure, Population, ReachKind

__all__ = ["Topology", "choose_block_width", "lay_out", "locate_channels"]

Int32 = npt.NDArray[np.int32]

# A block has a cost of its own, about that of 32 more neurons (bucket filling, short rows).
_BLOCK_COST = 32
_WIDEST_BLOCK = 256


@dataclass(frozen=True)
class Topology:
    """Which block each channel may reach; an *edge* is one such pair.

    Attributes:
        block_width: neurons a block has room for, a multiple of 8.
        block_neurons: int32, shape (blocks,), neurons in use.
        reach_first: int32, shape (channels + 1,), the edges of channel c are
            reach_first[c] to reach_first[c + 1].
        reach_block: int32, shape (edges,), block of each edge.
        block_edges: int32, shape (blocks,), channels that reach each block.
    """

    block_width: int
    block_neurons: Int32
    reach_first: Int32
    reach_block: Int32
    block_edges: Int32


def choose_block_width(populations: tuple[Population, ...]) -> int:
    """Choose the one width of all blocks: little padding, few blocks."""

    def cost(width: int) -> int:
        return sum(-(-item.neurons // width) * (width + _BLOCK_COST) for item in populations)

    return min(range(8, _WIDEST_BLOCK + 1, 8), key=lambda width: (cost(width), width))


def locate_channels(structure: NetworkStructure) -> npt.NDArray[np.float64]:
    """Return the positions of all channels of a row, shape (channels, 3)."""
    parts = []
    for item in structure.inputs:
        channel = np.arange(item.channels)
        wide, high, _ = item.shape
        grid = np.stack([channel % wide, channel // wide % high, channel // (wide * high)], axis=1)
        parts.append(np.asarray(item.position) + item.spacing * grid)
    return np.concatenate(parts)


def _reached(
    population: Population,
    positions: npt.NDArray[np.float64],
    structure: NetworkStructure,
) -> npt.NDArray[np.bool_]:
    allowed = np.concatenate(
        [
            np.full(item.channels, not population.inputs or item.name in population.inputs)
            for item in structure.inputs
        ]
    )
    offset = positions - np.asarray(population.position)
    reach = population.reach
    # The slack keeps channels that lie on the border by intention from depending on rounding.
    if reach.kind is ReachKind.WINDOW and reach.window is not None:
        inside = np.abs(offset) <= np.asarray(reach.window) / 2 + 1e-9
        return np.asarray(allowed & inside.all(axis=1))
    if reach.kind is ReachKind.RADIUS and reach.radius is not None:
        return np.asarray(allowed & (np.linalg.norm(offset, axis=1) <= reach.radius + 1e-9))
    return allowed


def lay_out(structure: NetworkStructure) -> Topology:
    """Divide the populations into blocks and list the edges, ordered by channel, then block."""
    width = choose_block_width(structure.populations)
    positions = locate_channels(structure)
    neurons: list[int] = []
    channel_parts: list[npt.NDArray[np.int64]] = []
    for population in structure.populations:
        reached = np.flatnonzero(_reached(population, positions, structure))
        for start in range(0, population.neurons, width):
            neurons.append(min(width, population.neurons - start))
            channel_parts.append(reached)
    sizes = np.array([len(part) for part in channel_parts], np.int32)
    channel = np.concatenate(channel_parts)
    block = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    order = np.argsort(channel, kind="stable")
    reach_first = np.zeros(structure.channels + 1, np.int32)
    reach_first[1:] = np.cumsum(np.bincount(channel, minlength=structure.channels))
    return Topology(
        block_width=width,
        block_neurons=np.array(neurons, np.int32),
        reach_first=reach_first,
        reach_block=block[order],
        block_edges=sizes,
    )
