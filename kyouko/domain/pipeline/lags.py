"""The rows that went before, and the wide rows made of them: earlier values and differences."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.structure import (
    Connection,
    InputPopulation,
    NetworkStructure,
    Population,
)
from kyouko.domain.pipeline.options import PipelineOptions

__all__ = ["CALENDAR", "LagWindow", "WideRow", "engine_structure", "widest_row"]

Float32 = npt.NDArray[np.float32]

_GREATEST: Final = np.finfo(np.float32).max
# The name of the population of calendar columns.
CALENDAR = "calendar"


@dataclass(frozen=True)
class _Part:
    """Raw channels that lie together, and where they begin in the engine's row."""

    raw: slice
    start: int


class LagWindow:
    """The latest cleaned rows, as many as the longest lag, shape (rows, channels)."""

    def __init__(self, rows: int, channels: int) -> None:
        self._ring: Float32 = np.full((rows, channels), np.nan, np.float32)
        self._next = 0

    @property
    def nbytes(self) -> int:
        """Memory in use."""
        return self._ring.nbytes

    def before(self, values: Float32, lag: int) -> Float32:
        """Return what each of some rows that come next has `lag` rows before it."""
        rows = len(values)
        early = min(lag, rows)
        places = (self._next - lag + np.arange(early)) % len(self._ring)
        return np.concatenate([self._ring[places], values[: rows - early]])

    def before_next(self, lag: int) -> Float32:
        """Return what the row that comes next has `lag` rows before it."""
        row: Float32 = self._ring[(self._next - lag) % len(self._ring)]
        return row

    def append(self, values: Float32) -> None:
        """Let rows become the past."""
        size = len(self._ring)
        if size == 0:
            return
        kept = values[-size:]
        places = (self._next + len(values) - len(kept) + np.arange(len(kept))) % size
        self._ring[places] = kept
        self._next = (self._next + len(values)) % size

    def widen(self, channels: int) -> None:
        """Make room for more channels, of which nothing is known so far."""
        rows, before = self._ring.shape
        missing = np.full((rows, channels - before), np.nan, np.float32)
        self._ring = np.concatenate([self._ring, missing], axis=1)

    def export(self) -> Float32:
        """Copy the rows, oldest first."""
        return np.roll(self._ring, -self._next, axis=0)

    def take_over(self, rows: Float32) -> None:
        """Become an exported past of the same shape."""
        self._ring = np.array(rows, np.float32)
        self._next = 0


class WideRow:
    """Where each channel, its earlier values and its differences lie in the engine's row.

    Channels that come later are appended with all that belongs to them, so that nothing moves.
    """

    def __init__(self, structure: NetworkStructure, options: PipelineOptions) -> None:
        self._lags = options.every_lag
        self._differences = options.differences
        self._copies = options.copies
        self._calendar = options.calendar_columns
        self._parts: list[_Part] = []
        self.channels = 0
        self.width = 0
        for item in structure.inputs:
            self.append(item.channels)
        self._calendar_at = self.width
        self.width += self._calendar

    def append(self, channels: int) -> None:
        """Append raw channels."""
        raw = slice(self.channels, self.channels + channels)
        self._parts.append(_Part(raw, self.width))
        self.channels += channels
        self.width += channels * (1 + self._copies)

    def make(self, values: Float32, calendar: Float32, past: LagWindow) -> Float32:
        """Return the engine's rows of cleaned rows that follow one another and the past."""
        lagged = [past.before(values, lag) for lag in self._lags]
        lagged += [_change(values, past.before(values, lag)) for lag in self._differences]
        return self._compose(values, calendar, lagged)

    def make_apart(self, values: Float32, calendar: Float32, past: LagWindow) -> Float32:
        """Return the engine's rows of cleaned rows, each as if it came next."""
        shape = values.shape
        lagged = [np.broadcast_to(past.before_next(lag), shape) for lag in self._lags]
        lagged += [_change(values, past.before_next(lag)) for lag in self._differences]
        return self._compose(values, calendar, lagged)

    def find_sources(self) -> npt.NDArray[np.int64]:
        """Return the raw channel of each column of the engine's row, -1 for the calendar."""
        sources = np.full(self.width, -1, np.int64)
        for part in self._parts:
            channels = np.arange(part.raw.start, part.raw.stop)
            end = part.start + len(channels) * (1 + self._copies)
            sources[part.start : end] = np.tile(channels, 1 + self._copies)
        return sources

    def _compose(self, values: Float32, calendar: Float32, lagged: list[Float32]) -> Float32:
        wide = np.empty((len(values), self.width), np.float32)
        for part in self._parts:
            start, channels = part.start, part.raw.stop - part.raw.start
            for copy in (values, *lagged):
                wide[:, start : start + channels] = copy[:, part.raw]
                start += channels
        wide[:, self._calendar_at : self._calendar_at + self._calendar] = calendar
        return wide


def _change(values: Float32, before: Float32) -> Float32:
    with np.errstate(over="ignore"):
        change: Float32 = np.clip(values - before, -_GREATEST, _GREATEST)
    return change


def widest_row(structure: NetworkStructure) -> int:
    """Return how many numbers may ever enter an engine for one row."""
    options = structure.pipeline
    if options is None:
        return structure.channels
    return structure.most_channels * (1 + options.copies) + options.calendar_columns


def engine_structure(structure: NetworkStructure) -> NetworkStructure:
    """Return the structure of the engine behind a pipeline.

    Beside each input population lie copies of it for its lags and differences, at the same
    place: whatever reaches a channel reaches all that is made of it. The calendar is a flat
    population where the first input lies.
    """
    options = structure.pipeline
    if options is None:
        return structure
    copies = {item.name: _copies(item, options) for item in structure.inputs}
    inputs = [copy for item in structure.inputs for copy in copies[item.name]]
    if options.calendar_columns:
        position = structure.inputs[0].position
        shape = (options.calendar_columns, 1, 1)
        inputs.append(InputPopulation(CALENDAR, options.calendar_columns, shape, position))
    names = {name: tuple(item.name for item in found) for name, found in copies.items()}
    return replace(
        structure,
        inputs=tuple(inputs),
        populations=tuple(_reaching(item, names) for item in structure.populations),
        connections=tuple(
            Connection(name, item.target, item.chance)
            for item in structure.connections
            for name in names.get(item.source, (item.source,))
        ),
        pipeline=None,
    )


def _copies(item: InputPopulation, options: PipelineOptions) -> tuple[InputPopulation, ...]:
    lags = (f"{item.name}, {lag} rows ago" for lag in options.every_lag)
    changes = (f"{item.name}, change in {lag} rows" for lag in options.differences)
    return (item, *(replace(item, name=name, delays=()) for name in (*lags, *changes)))


def _reaching(item: Population, names: dict[str, tuple[str, ...]]) -> Population:
    return replace(
        item, inputs=tuple(name for known in item.inputs for name in names.get(known, (known,)))
    )
