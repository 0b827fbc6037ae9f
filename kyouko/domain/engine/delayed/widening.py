"""From channels with delays to wider rows without: the structure that the inner engine gets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.structure import (
    Connection,
    InputPopulation,
    NetworkStructure,
    Population,
    ReachKind,
)

__all__ = ["WidePart", "find_sources", "lay_out_row", "widen_population", "widen_structure"]


@dataclass(frozen=True)
class WidePart:
    """Where one input population lies in the user's row, in the wide row and in the past.

    The present values come first in the wide row, then those of each delay.

    Attributes:
        row: its columns in the user's row.
        present: columns of its present values in the wide row.
        delayed: columns of its delayed values in the wide row, delay by delay.
        kept: its columns in the kept rows; empty without delays.
        delays: rows ago, ascending.
    """

    row: slice
    present: slice
    delayed: slice
    kept: slice
    delays: tuple[int, ...]


def lay_out_row(inputs: tuple[InputPopulation, ...]) -> tuple[WidePart, ...]:
    """Place the populations in order, so that an appended one never moves those before it."""
    parts: list[WidePart] = []
    row = wide = kept = 0
    for item in inputs:
        delayed = wide + item.channels
        end = delayed + item.channels * len(item.delays)
        kept_end = kept + (item.channels if item.delays else 0)
        parts.append(
            WidePart(
                row=slice(row, row + item.channels),
                present=slice(wide, delayed),
                delayed=slice(delayed, end),
                kept=slice(kept, kept_end),
                delays=item.delays,
            )
        )
        row, wide, kept = row + item.channels, end, kept_end
    return tuple(parts)


def find_sources(inputs: tuple[InputPopulation, ...]) -> npt.NDArray[np.int64]:
    """Return the user's channel of each column of the wide row."""
    return np.concatenate(
        [
            np.tile(np.arange(part.row.start, part.row.stop), 1 + len(part.delays))
            for part in lay_out_row(inputs)
        ]
    )


def widen_population(population: InputPopulation) -> Iterator[InputPopulation]:
    """Yield the population without delays, then a copy at the same place for each delay."""
    yield replace(population, delays=())
    for delay in population.delays:
        yield replace(population, name=_copy_name(population, delay), delays=())


def widen_structure(structure: NetworkStructure, memory_limit_bytes: int) -> NetworkStructure:
    """Return the structure whose rows hold the delayed values too.

    Whatever reaches a channel, by its place, its name or its number, reaches its delayed values.
    """
    copies = {
        item.name: tuple(copy.name for copy in widen_population(item)) for item in structure.inputs
    }
    sources = find_sources(structure.inputs)
    return replace(
        structure,
        inputs=tuple(copy for item in structure.inputs for copy in widen_population(item)),
        populations=tuple(_widen_inputs(item, copies, sources) for item in structure.populations),
        connections=tuple(
            Connection(name, item.target, item.chance)
            for item in structure.connections
            for name in copies.get(item.source, (item.source,))
        ),
        options=replace(structure.options, memory_limit_bytes=memory_limit_bytes),
    )


def _copy_name(population: InputPopulation, delay: int) -> str:
    return f"{population.name}, {delay} rows ago"


def _widen_inputs(
    population: Population, copies: dict[str, tuple[str, ...]], sources: npt.NDArray[np.int64]
) -> Population:
    names = tuple(copy for name in population.inputs for copy in copies.get(name, (name,)))
    reach = population.reach
    if reach.kind is ReachKind.CHANNELS:
        columns = np.flatnonzero(np.isin(sources, reach.channels))
        reach = replace(reach, channels=tuple(columns.tolist()))
    return replace(population, inputs=names, reach=reach)
