"""An engine behind a window of rows: it gives any inner engine its channels' delayed values."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.arrays import check_inputs, check_targets
from kyouko.domain.engine.delayed.past import Past, count_past_bytes
from kyouko.domain.engine.delayed.widening import find_sources, widen_population, widen_structure
from kyouko.domain.engine.errors import EngineMemoryError, EngineStateError, EngineStructureError
from kyouko.domain.engine.interface import (
    CHANNEL_EVENTS,
    Engine,
    EngineState,
    EngineStatistics,
    GrowthEvent,
    Scored,
)
from kyouko.domain.engine.memory import find_least_limit, find_needed_bytes
from kyouko.domain.engine.structure import Arrival, InputPopulation, NetworkStructure, TaskKind

__all__ = ["DelayedEngine"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

_ENGINE: Final = "delayed"
_FORMAT: Final = 1
_INNER: Final = "inner/"
_KEPT: Final = "delayed/past_values"
# At least this share of the memory limit is set aside for the past: room for channels that come
# later, because the inner engine cannot give back what it got.
_PAST_SHARE: Final = 32


class DelayedEngine:
    """Shows an inner engine each row beside what its channels held some rows ago.

    Learned and observed rows move the window; predicted ones are answered as if each came next.

    Source: the tapped delay line of Waibel et al. 1989, "Phoneme Recognition Using Time-Delay
    Neural Networks".
    """

    def __init__(
        self, structure: NetworkStructure, make_inner: Callable[[NetworkStructure], Engine]
    ) -> None:
        """Make an empty network.

        Args:
            structure: some of its channels have delays.
            make_inner: makes an empty engine that knows nothing of delays.

        Raises:
            EngineStructureError: if the structure cannot be built within its memory limit.
        """
        structure.check()
        self._make_inner = make_inner
        self._reserved = _reserve(structure.inputs, structure.options.memory_limit_bytes)
        limit = structure.options.memory_limit_bytes
        try:
            if self._reserved >= limit:
                raise EngineMemoryError(limit, self._reserved + 1)
            self._inner = self._make(structure)
        except EngineMemoryError as error:
            needed = self._find_needed_bytes(structure)
            raise EngineMemoryError(limit, needed, ", or shorter delays") from error
        self._take(structure)
        self._non_finite = 0

    def _make(self, structure: NetworkStructure) -> Engine:
        limit = structure.options.memory_limit_bytes - self._reserved
        return self._make_inner(widen_structure(structure, limit))

    def _find_needed_bytes(self, structure: NetworkStructure) -> int:
        inner = find_needed_bytes(self._make_inner, widen_structure(structure, 1))
        return find_least_limit(inner, lambda limit: _reserve(structure.inputs, limit))

    def _take(self, structure: NetworkStructure) -> None:
        self.structure = structure
        self._past = Past(structure.inputs, structure.options.memory_limit_bytes)
        self._sources = find_sources(structure.inputs)

    @property
    def channels(self) -> int:
        """Width of a row."""
        return self.structure.channels

    @property
    def outputs(self) -> int:
        """Outputs known now."""
        return self._inner.outputs

    def learn(self, inputs: Array, targets: Array, *, arrival: Arrival) -> Scored:
        """Predict, score and learn each row in order, beside the rows before it.

        Raises:
            EngineInputError: if an array does not fit; then nothing was learned.
        """
        rows = check_inputs(inputs, self.channels)
        known = check_targets(
            targets, rows, classes=self.structure.output.kind is TaskKind.CLASSES,
            known=self.outputs, most=self.structure.most_outputs,
        )  # fmt: skip
        scored = Scored(
            outputs=np.zeros((rows, known), np.float32),
            loss=np.zeros(rows, np.float32),
            correct=np.zeros(rows, np.uint8),
            predicted=np.full(rows, -1, np.int32),
        )
        for part in self._parts(rows):
            wide = self._past.widen(inputs[part])
            found = self._inner.learn(wide, targets[part], arrival=arrival)
            self._past.advance(len(wide))
            scored.outputs[part, : found.outputs.shape[1]] = found.outputs
            scored.loss[part] = found.loss
            scored.correct[part] = found.correct
            scored.predicted[part] = found.predicted
        self._non_finite += int(np.count_nonzero(~np.isfinite(inputs)))
        return scored

    def predict(self, inputs: Array) -> Float32:
        """Predict each row as if it came next; changes nothing.

        Raises:
            EngineInputError: if the array does not fit.
        """
        rows = check_inputs(inputs, self.channels)
        outputs = np.zeros((rows, self.outputs), np.float32)
        for part in self._parts(rows):
            outputs[part] = self._inner.predict(self._past.widen_apart(inputs[part]))
        return outputs

    def observe(self, inputs: Array) -> Float32:
        """Predict each row in order; they become the past of those that follow.

        Raises:
            EngineInputError: if the array does not fit.
        """
        rows = check_inputs(inputs, self.channels)
        outputs = np.zeros((rows, self.outputs), np.float32)
        for part in self._parts(rows):
            wide = self._past.widen(inputs[part])
            outputs[part] = self._inner.observe(wide)
            self._past.advance(len(wide))
        return outputs

    def statistics(self) -> EngineStatistics:
        """Describe the inner network; values that are missing before the first row do not count."""
        inner = self._inner.statistics()
        return replace(
            inner,
            memory_bytes=inner.memory_bytes + self._past.nbytes,
            memory_limit_bytes=self.structure.options.memory_limit_bytes,
            non_finite_values=self._non_finite,
        )

    def events(self, since: int = 0) -> tuple[GrowthEvent, ...]:
        """Return the latest growth events above `since`; a delayed value counts as its channel."""
        return tuple(
            replace(event, subject=int(self._sources[event.subject]))
            if event.kind in CHANNEL_EVENTS and event.subject >= 0
            else event
            for event in self._inner.events(since)
        )

    def export_state(self) -> EngineState:
        """Copy everything that a network needs to continue exactly as this one."""
        inner = self._inner.export_state()
        arrays = {_INNER + name: array for name, array in inner.arrays.items()}
        arrays[_KEPT] = self._past.export()
        header = {
            "engine": _ENGINE,
            "format": _FORMAT,
            "channels": self.channels,
            "reserved_bytes": self._reserved,
            "non_finite": self._non_finite,
            "inner": inner.header,
        }
        return EngineState(arrays, header)

    def import_state(self, saved: EngineState) -> None:
        """Become the exported network.

        Raises:
            EngineStateError: if the state does not belong to this structure or version.
        """
        header = saved.header
        expected = {"engine": _ENGINE, "format": _FORMAT, "channels": self.channels}
        for key, value in expected.items():
            if header.get(key) != value:
                raise EngineStateError(f"{key} is {header.get(key)!r}, expected {value!r}")
        inner, non_finite = header.get("inner"), _count_of(header, "non_finite")
        if not isinstance(inner, dict):
            raise EngineStateError("inner is missing")
        reserved = _count_of(header, "reserved_bytes")
        if not self._past.nbytes <= reserved < self.structure.options.memory_limit_bytes:
            raise EngineStateError(f"reserved_bytes is {reserved}")
        kept, empty = saved.arrays.get(_KEPT), self._past.export()
        if kept is None or kept.dtype != empty.dtype or kept.shape != empty.shape:
            raise EngineStateError(f"array {_KEPT} is not float32 of shape {empty.shape}")
        names = [name for name in saved.arrays if name.startswith(_INNER)]
        arrays = {name.removeprefix(_INNER): saved.arrays[name] for name in names}
        if reserved != self._reserved:
            # The exported network once had fewer channels: its inner engine kept its own room.
            self._reserved = reserved
            self._inner = self._make(self.structure)
        self._inner.import_state(EngineState(arrays, inner))
        self._past.take_over(kept)
        self._non_finite = non_finite

    def add_channels(self, population: InputPopulation) -> None:
        """Widen the rows by a new input population, and the past by its delayed values.

        Raises:
            EngineStructureError: if the wider network cannot be built within its memory limit;
                then nothing has changed.
        """
        structure = replace(self.structure, inputs=(*self.structure.inputs, population))
        structure.check()
        needed = count_past_bytes(structure.inputs, structure.options.memory_limit_bytes)
        if needed > self._reserved:
            raise _too_small(structure, needed)
        before, state = self._inner.structure, self._inner.export_state()
        try:
            for copy in widen_population(population):
                self._inner.add_channels(copy)
        except EngineStructureError:
            self._inner = self._make_inner(before)
            self._inner.import_state(state)
            raise
        kept = self._past.export()
        self._take(structure)
        self._past.take_over(kept)

    def _parts(self, rows: int) -> Iterator[slice]:
        step = self._past.rows_at_once
        return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def _reserve(inputs: tuple[InputPopulation, ...], limit: int) -> int:
    """Return what is set aside of a memory limit for the past."""
    return max(count_past_bytes(inputs, limit), limit // _PAST_SHARE)


def _count_of(header: dict[str, Any], key: str) -> int:
    value = header.get(key)
    if not isinstance(value, int) or value < 0:
        raise EngineStateError(f"{key} is {value!r}")
    return value


def _too_small(structure: NetworkStructure, needed: int) -> EngineStructureError:
    return EngineStructureError(
        "options.memory_limit_bytes",
        f"{structure.options.memory_limit_bytes} bytes leave no room for the past of the channels",
        f"a limit of which {needed} bytes are a small part, or shorter delays",
    )
