"""From declared populations to blocks of neurons and the channels that reach them."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.structure import (
    NetworkStructure,
    Organisation,
    Population,
    Reach,
    ReachKind,
)
from kyouko.kernels import indices

__all__ = ["Topology", "choose_block_width", "expected_populations", "lay_out", "locate_channels"]

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

# A block has a cost of its own, about that of 32 more neurons (bucket filling, short rows).
_BLOCK_COST = 32
_WIDEST_BLOCK = 256

_SEED_BITS: Final = (1 << 64) - 1
# what random numbers are drawn for
_TO_CHANNELS: Final = 0
_TO_NEURONS: Final = 1
_LONG: Final = 2


@dataclass(frozen=True)
class Topology:
    """Which block each channel and each hidden neuron may reach; an *edge* is one such pair.

    The blocks of a population follow one another, in the order of declaration: whatever leads to
    a block comes before it. Edges that start at hidden neurons are the *inner* ones.

    Attributes:
        block_width: neurons a block has room for, a multiple of 8.
        block_neurons: int32, shape (blocks,), neurons in use.
        block_population: int32, shape (blocks,), place of the population in the structure.
        reach_first: int32, shape (channels + 1,), the edges of channel c are
            reach_first[c] to reach_first[c + 1].
        reach_block: int32, shape (edges,), block of each edge.
        block_edges: int32, shape (blocks,), channels that reach each block.
        inner_first: int32, shape (blocks + 1,), the inner edges that lead to block b are
            inner_first[b] to inner_first[b + 1].
        inner_source: int32, shape (inner edges,), hidden neuron at which each starts: block times
            block_width plus its place in the block.
    """

    block_width: int
    block_neurons: Int32
    block_population: Int32
    reach_first: Int32
    reach_block: Int32
    block_edges: Int32
    inner_first: Int32
    inner_source: Int32

    def has_inner(self, block: int) -> bool:
        """Tell whether some hidden neuron leads to a block."""
        return bool(self.inner_first[block] < self.inner_first[block + 1])

    @property
    def longest_bucket(self) -> int:
        """Most weight rows that one row of values can drive in one block."""
        lengths = self.block_edges.astype(np.int64) * indices.MOST_SECTIONS
        return max(1, int((lengths + np.diff(self.inner_first)).max(initial=0)))


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


def _chance(reach: Reach, offsets: Float64) -> Float64:
    """Return the chance of a connection over each of the offsets, shape (n, 3); 0 is never."""
    distance = np.linalg.norm(offsets, axis=1)
    # The slack keeps channels that lie on the border by intention from depending on rounding.
    inside = np.ones(len(offsets), np.bool_)
    if reach.kind is ReachKind.WINDOW and reach.window is not None:
        half = np.asarray(reach.window) / 2 + 1e-9
        inside = np.asarray((np.abs(offsets) <= half).all(axis=1))
    if reach.kind is ReachKind.RADIUS and reach.radius is not None:
        inside = np.asarray(distance <= reach.radius + 1e-9)
    if reach.falloff is None:
        return inside.astype(np.float64)
    return np.asarray(inside * np.exp(-((distance / reach.falloff) ** 2)))


def expected_populations(organisation: Organisation | None) -> tuple[Population, ...]:
    """Return stand-ins for the populations that are still to be found: the width stays for good."""
    if organisation is None:
        return ()
    stand_in = Population("to be found", (0.0, 0.0, 0.0), organisation.neurons)
    return (stand_in,) * organisation.populations


class _Layout:
    """The blocks of a structure, and who leads to them."""

    def __init__(self, structure: NetworkStructure) -> None:
        self.structure = structure
        expected = expected_populations(structure.organisation)
        self.width = choose_block_width(structure.populations + expected)
        self.positions = locate_channels(structure)
        ends = np.cumsum([item.channels for item in structure.inputs])
        self.channels = {
            item.name: np.arange(end - item.channels, end)
            for item, end in zip(structure.inputs, ends, strict=True)
        }
        self.blocks = [
            (place, min(self.width, item.neurons - start))
            for place, item in enumerate(structure.populations)
            for start in range(0, item.neurons, self.width)
        ]
        self.places = {item.name: place for place, item in enumerate(structure.populations)}
        self.sources: dict[str, list[tuple[int, str]]] = {name: [] for name in self.places}
        for place, connection in enumerate(structure.connections):
            self.sources[connection.target].append((place, connection.source))
        self.neurons: dict[str, npt.NDArray[np.int64]] = {}
        first = 0
        for item in structure.populations:
            # Only the last block of a population is padded.
            self.neurons[item.name] = first + np.arange(item.neurons)
            first += -(-item.neurons // self.width) * self.width

    def _draw(self, chance: Float64, *key: int) -> npt.NDArray[np.bool_]:
        """Decide which connections exist, the same for the same seed and key.

        Each block and source has random numbers of its own, so that those of old channels stay
        when new ones come. Channels are drawn in order: a population that grows keeps its first.
        """
        if ((chance == 0.0) | (chance == 1.0)).all():
            return np.asarray(chance == 1.0)
        random = np.random.Generator(
            np.random.PCG64([self.structure.options.seed & _SEED_BITS, *key])
        )
        return np.asarray(random.random(len(chance)) < chance)

    def chance_of_channels(self, population: Population) -> Float64:
        """Return the chance of a connection from each channel, long ones apart."""
        structure = self.structure
        reach = population.reach
        chance = _chance(reach, self.positions - np.asarray(population.position))
        allowed = np.zeros(structure.channels, np.bool_)
        for name, channels in self.channels.items():
            allowed[channels] = not population.inputs or name in population.inputs
        if reach.kind is ReachKind.CHANNELS:
            allowed &= np.isin(np.arange(structure.channels), reach.channels)
        return np.where(allowed, chance, 0.0)

    def reached_channels(self, block: int, chance: Float64) -> npt.NDArray[np.int64]:
        """List the channels that lead to a block, ascending."""
        structure = self.structure
        reached = chance == 1.0
        # Without a falloff nothing is left to chance, and there may be thousands of delayed inputs.
        if structure.populations[self.blocks[block][0]].reach.falloff is not None:
            for place, channels in enumerate(self.channels.values()):
                reached[channels] = self._draw(chance[channels], _TO_CHANNELS, block, place)
        for place, source in self._connections(block):
            if source in self.channels:
                channels = self.channels[source]
                chances = np.full(len(channels), structure.connections[place].chance)
                reached[channels] |= self._draw(chances, _LONG, block, place)
        return np.flatnonzero(reached)

    def reached_neurons(self, block: int) -> npt.NDArray[np.int64]:
        """List the hidden neurons that lead to a block, ascending."""
        structure = self.structure
        population = structure.populations[self.blocks[block][0]]
        reached = np.zeros(len(self.blocks) * self.width, np.bool_)
        for name in population.inputs:
            if name in self.neurons:
                neurons, place = self.neurons[name], self.places[name]
                position = np.asarray(structure.populations[place].position)
                offset = position - np.asarray(population.position)
                chance = np.broadcast_to(_chance(population.reach, offset[None]), len(neurons))
                reached[neurons] = self._draw(chance, _TO_NEURONS, block, place)
        for place, source in self._connections(block):
            if source in self.neurons:
                neurons = self.neurons[source]
                chances = np.full(len(neurons), structure.connections[place].chance)
                reached[neurons] |= self._draw(chances, _LONG, block, place)
        return np.flatnonzero(reached)

    def _connections(self, block: int) -> list[tuple[int, str]]:
        """List the long connections that lead to a block: place and source."""
        return self.sources[self.structure.populations[self.blocks[block][0]].name]


def _first(sizes: npt.NDArray[Any]) -> Int32:
    """Turn numbers of items into where the items of each begin, and the end."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def lay_out(structure: NetworkStructure) -> Topology:
    """Divide the populations into blocks and list the edges.

    Edges are ordered by channel, then block; inner ones by the block they lead to, then neuron.
    """
    layout = _Layout(structure)
    places, neurons = zip(*layout.blocks, strict=True)
    reached: list[npt.NDArray[np.int64]] = []
    for population in structure.populations:
        chance = layout.chance_of_channels(population)
        for _ in range(0, population.neurons, layout.width):
            reached.append(layout.reached_channels(len(reached), chance))
    inner = [layout.reached_neurons(block) for block in range(len(places))]
    sizes = np.array([len(part) for part in reached], np.int32)
    channel = np.concatenate(reached)
    block = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    order = np.argsort(channel, kind="stable")
    return Topology(
        block_width=layout.width,
        block_neurons=np.array(neurons, np.int32),
        block_population=np.array(places, np.int32),
        reach_first=_first(np.bincount(channel, minlength=structure.channels)),
        reach_block=block[order],
        block_edges=sizes,
        inner_first=_first(np.array([len(part) for part in inner])),
        inner_source=np.concatenate(inner).astype(np.int32),
    )
