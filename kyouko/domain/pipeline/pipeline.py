"""A pipeline at work: raw rows in, the engine's rows out, and all that is kept in between.

`prepare` looks at a frame and changes nothing; `accept` makes the network as wide as the frame
and takes its counts; then `teach`, or what `around` gives, works on its rows. So a frame that is
refused leaves no mark.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStateError, EngineStructureError
from kyouko.domain.engine.interface import Engine
from kyouko.domain.engine.structure import Arrival, InputPopulation, NetworkStructure
from kyouko.domain.pipeline.calendar import CalendarColumns
from kyouko.domain.pipeline.channels import find_channels
from kyouko.domain.pipeline.cleaning import Cleaner, CleanerState, Ready
from kyouko.domain.pipeline.forecast import Forecaster, Foretold, Shown, join
from kyouko.domain.pipeline.lags import LagWindow, WideRow, engine_structure, widest_row
from kyouko.domain.pipeline.options import PipelineOptions
from kyouko.domain.pipeline.state import FORMAT, PipelineState, array_in, count_in
from kyouko.domain.pipeline.statistics import PipelineStatistics, quarantined

__all__ = ["Pipeline", "open_pipeline"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

_MOST_ROWS_AT_ONCE: Final = 256
_STAGE_BYTES: Final = 1 << 20
# Held and last values, flags, run lengths and counts of a channel.
_CHANNEL_BYTES: Final = 4 + 4 + 1 + 8 + 4 * 8
# The engine keeps at least this share of a network's memory.
_ENGINE_SHARE: Final = 2


class Pipeline:
    """Stands between raw rows and an engine; a part of the network's state.

    Attributes:
        structure: of the engine behind it.
    """

    def __init__(self, structure: NetworkStructure, options: PipelineOptions) -> None:
        """Begin without rows.

        Raises:
            EngineStructureError: It would leave the engine too little memory.
        """
        self._options = options
        self._declared = structure
        inputs = [(item.name, item.channels) for item in structure.inputs]
        self._cleaner = Cleaner(options, inputs)
        self._calendar = CalendarColumns(options.calendar) if options.calendar else None
        self._row = WideRow(structure, options)
        self._window = LagWindow(options.longest, structure.channels)
        self._state = CleanerState.of(structure.channels)
        self._targets = _targets_of(options, inputs)
        self._forecaster: Forecaster | None = None
        if options.goal is not None:
            self._forecaster = Forecaster(
                options.horizon,
                len(self._targets),
                self._row.width,
                has_past=structure.has_engine_past,
            )
        self._added: list[int] = []
        limit = structure.options.memory_limit_bytes
        reserved = _most_bytes(structure, options, len(self._targets))
        if reserved * _ENGINE_SHARE > limit:
            raise _too_large(limit, reserved * _ENGINE_SHARE)
        self.structure = replace(
            engine_structure(structure),
            options=replace(structure.options, memory_limit_bytes=limit - reserved),
        )

    @property
    def channels(self) -> int:
        """Raw channels now."""
        return self._row.channels

    @property
    def widths(self) -> range:
        """Widths that a frame may have now."""
        least = 1 if self._options.narrow_rows else self.channels
        return range(least, max(self._declared.most_channels, self.channels) + 1)

    @property
    def teaches_itself(self) -> bool:
        """Whether rows bring their own targets."""
        return self._forecaster is not None

    @property
    def nbytes(self) -> int:
        """Memory in use."""
        waiting = self._forecaster.nbytes if self._forecaster is not None else 0
        stage = 2 * 4 * self._row.width * self._rows_at_once
        return self._window.nbytes + waiting + stage + _CHANNEL_BYTES * self.channels

    @property
    def _rows_at_once(self) -> int:
        return _rows_at_once(self._row.width)

    def statistics(self) -> PipelineStatistics:
        """Return what users see; may be called while the pipeline works."""
        state = self._state
        return PipelineStatistics(
            channels=self.channels,
            pending_rows=self._forecaster.pending if self._forecaster is not None else 0,
            late_rows=state.counts.late_rows,
            skipped_rows=state.counts.skipped_rows,
            stuck_channels=state.stuck_channels(),
            quarantined=quarantined(state.counts),
        )

    def count_non_finite(self) -> int:
        """Return the missing and infinite values that came in the network's life."""
        return self._state.counts.non_finite

    def find_sources(self) -> Int64:
        """Return the raw channel of each column of the engine's row, -1 for the calendar."""
        return self._row.find_sources()

    def prepare(
        self, inputs: Array, times: Int64 | None, *, place: str = "", apart: bool = False
    ) -> Ready:
        """Look at a frame.

        Args:
            inputs: shape (rows, a width in `widths`).
            times: nanoseconds since 1970-01-01 UTC, one a row, or None.
            place: put before the names of fields in errors.
            apart: take each row as if it came next; channels not met so far are left out.

        Raises:
            InvalidArgument: TENSOR_INVALID or FIELD_INVALID: the frame is not to be learned.
        """
        present = inputs.shape[1]
        width = self.channels if apart else max(present, self.channels)
        rows = np.full((len(inputs), width), np.nan, np.float32)
        # A number beyond float32's range becomes infinite, and so does not count.
        with np.errstate(over="ignore"):
            rows[:, :present] = inputs[:, :width]
        state = self._state.widen(width)
        return self._cleaner.clean(rows, present, times, state, place=place, apart=apart)

    def accept(self, ready: Ready, engine: Engine) -> None:
        """Take over what a frame changes before it is learned: width, guards and counts.

        Raises:
            EngineStructureError: No room for wider rows; nothing has changed.
        """
        more = ready.values.shape[1] - self.channels
        if more > 0:
            engine.add_channels(self._population_of(more))
            self._append(more)
        self._state = ready.state

    def teach(self, engine: Engine, ready: Ready, arrival: Arrival | None) -> Foretold:
        """Let a network foretell the rows of an accepted frame, and learn from them.

        Args:
            engine: as wide as `structure` says.
            ready: accepted.
            arrival: None to learn nothing.
        """
        if self._forecaster is None:
            raise ValueError("the pipeline has no goal")
        parts = []
        for part in self._parts(len(ready.values)):
            wide = self._wide(ready, part)
            shown = self._shown(ready, part)
            parts.append(self._forecaster.teach(engine, wide, shown, arrival))
        return join(parts, len(self._targets))

    def say(self, outputs: Float32, ready: Ready) -> Foretold:
        """Return what was said of rows, each as if it came next; changes nothing.

        Args:
            outputs: the engine's, for these rows.
            ready: prepared apart.
        """
        if self._forecaster is None:
            raise ValueError("the pipeline has no goal")
        return self._forecaster.compare(outputs, self._shown(ready, slice(None)))

    def rows_in_order(self, ready: Ready) -> Iterator[tuple[slice, Float32]]:
        """Yield the engine's rows of an accepted frame, part by part; they become the past."""
        for part in self._parts(len(ready.values)):
            yield part, self._wide(ready, part)

    def rows_apart(self, ready: Ready) -> Iterator[tuple[slice, Float32]]:
        """Yield the engine's rows of a frame, each as if it came next, part by part."""
        for part in self._parts(len(ready.values)):
            calendar = self._columns_of(ready, part)
            yield part, self._row.make_apart(ready.values[part], calendar, self._window)

    def export(self) -> PipelineState:
        """Copy all that the pipeline needs to go on."""
        cleaner = self._state.export()
        arrays: dict[str, Array] = {**cleaner.arrays, "past": self._window.export()}
        header: dict[str, Any] = {**cleaner.header, "format": FORMAT, "added": list(self._added)}
        if self._forecaster is not None:
            waiting, pending = self._forecaster.export()
            arrays |= waiting
            header["pending"] = pending
        return PipelineState(arrays, header)

    def take_over(self, state: PipelineState) -> None:
        """Become an exported pipeline; only for one that has seen no row.

        Raises:
            EngineStateError: It is of another structure or version.
        """
        if state.header.get("format") != FORMAT:
            raise EngineStateError(f"pipeline.format is {state.header.get('format')!r}")
        for more in _added_in(state.header, self._declared.most_channels - self.channels):
            population = self._population_of(more)
            self._append(more)
            self.structure = replace(self.structure, inputs=(*self.structure.inputs, population))
        past = (self._options.longest, self.channels)
        self._state = CleanerState.restore(state, self.channels)
        self._window.take_over(array_in(state, "past", past, np.float32))
        if self._forecaster is not None:
            shapes = self._forecaster.shapes().items()
            arrays = {name: array_in(state, name, shape, kind) for name, (shape, kind) in shapes}
            pending = count_in(state, "pending", most=self._options.horizon)
            self._forecaster.take_over(arrays, pending)

    def _parts(self, rows: int) -> Iterator[slice]:
        step = self._rows_at_once
        return (slice(start, min(start + step, rows)) for start in range(0, rows, step))

    def _wide(self, ready: Ready, part: slice) -> Float32:
        wide = self._row.make(ready.values[part], self._columns_of(ready, part), self._window)
        self._window.append(ready.values[part])
        return wide

    def _shown(self, ready: Ready, part: slice) -> Shown:
        return Shown(ready.observed[part][:, self._targets], ready.latest[part][:, self._targets])

    def _columns_of(self, ready: Ready, part: slice) -> Float32:
        if self._calendar is None or ready.times is None:
            return np.empty((len(ready.values[part]), 0), np.float32)
        return self._calendar.columns_of(ready.times[part])

    def _population_of(self, channels: int) -> InputPopulation:
        width = channels * (1 + self._options.copies)
        first = self.channels
        return InputPopulation(
            name=f"channels {first} to {first + channels - 1}",
            channels=width,
            shape=(width, 1, 1),
            position=self._declared.inputs[0].position,
        )

    def _append(self, channels: int) -> None:
        self._row.append(channels)
        self._window.widen(self._row.channels)
        if self._forecaster is not None:
            self._forecaster.widen(self._row.width)
        self._state = self._state.widen(self._row.channels)
        self._added.append(channels)


def open_pipeline(structure: NetworkStructure, state: PipelineState | None) -> Pipeline | None:
    """Return the pipeline that a structure declares, if any, as it was exported.

    Raises:
        EngineStructureError: It does not fit into the network's memory.
        EngineStateError: The state is of another structure or version.
    """
    if structure.pipeline is None:
        return None
    pipeline = Pipeline(structure, structure.pipeline)
    if state is not None:
        pipeline.take_over(state)
    return pipeline


def _targets_of(options: PipelineOptions, inputs: list[tuple[str, int]]) -> npt.NDArray[np.intp]:
    if options.goal is None:
        return np.empty(0, np.intp)
    chosen = find_channels(options.goal.channels, inputs)
    every = range(sum(count for _, count in inputs))
    return np.array(chosen or every, np.intp)


def _rows_at_once(width: int) -> int:
    return min(max(_STAGE_BYTES // (4 * width), 1), _MOST_ROWS_AT_ONCE)


def _most_bytes(structure: NetworkStructure, options: PipelineOptions, outputs: int) -> int:
    channels = structure.most_channels
    width = widest_row(structure)
    window = 4 * channels * options.longest
    waiting = 4 * options.horizon * (width + 2 * outputs) + 24 * outputs
    stage = 2 * 4 * width * _rows_at_once(width)
    return window + waiting + stage + _CHANNEL_BYTES * channels


def _too_large(limit: int, needed: int) -> EngineStructureError:
    return EngineStructureError(
        "options.memory_limit_bytes",
        f"{limit} bytes leave no room beside the pipeline",
        f"at least {needed} bytes, or shorter lags, a nearer horizon, fewer channels",
    )


def _added_in(header: Mapping[str, Any], most: int) -> list[int]:
    added = header.get("added")
    if not isinstance(added, list) or not all(isinstance(item, int) and item > 0 for item in added):
        raise EngineStateError(f"pipeline.added is {added!r}")
    if sum(added) > most:
        raise EngineStateError(f"pipeline.added is {added!r}, in all at most {most}")
    return added
