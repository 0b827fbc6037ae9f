"""The growing network: the engine's border, where arrays are checked and kernels called."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.arrays import check_inputs, check_targets
from kyouko.domain.engine.checks import check_present
from kyouko.domain.engine.growing.allocation import allocate_state
from kyouko.domain.engine.growing.presets import choose_settings
from kyouko.domain.engine.growing.reviews import Reviews
from kyouko.domain.engine.growing.snapshot import export_arrays, import_arrays
from kyouko.domain.engine.growing.state import NetworkState, count_frame_slots
from kyouko.domain.engine.growing.topology import Topology, lay_out
from kyouko.domain.engine.growing.widening import widen_state
from kyouko.domain.engine.interface import (
    EngineState,
    EngineStatistics,
    GrowthEvent,
    GrowthKind,
    Scored,
)
from kyouko.domain.engine.memory import allocate
from kyouko.domain.engine.structure import Arrival, InputPopulation, NetworkStructure, TaskKind
from kyouko.kernels import indices
from kyouko.kernels.bands import choose_bands
from kyouko.kernels.compile import argument_names
from kyouko.kernels.events import note_event
from kyouko.kernels.graph import start_inner_rows
from kyouko.kernels.learning import learn_rows
from kyouko.kernels.outputs import start_outputs
from kyouko.kernels.predicting import predict_rows
from kyouko.kernels.scanning import count_non_finite, scan_byte_rows, scan_float_rows
from kyouko.kernels.trial_rows import learn_on_trial

__all__ = ["GrowingEngine"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

_BAND_ROWS: Final = (1, 4, 16, 64)
_SETTLED_AVERAGINGS: Final = 3
_STOP_REASONS: Final = {
    0: "",
    1: "the memory limit leaves no room for more weight rows",
    2: "a channel has the most sections it can have",
}

# Arguments that differ from call to call come first; the rest are the state's arrays by name.
_LEARN_SCALARS: Final = 11
_PREDICT_SCALARS: Final = 8
_BANDS_SCALARS: Final = 3
_LISTS: Final = ("list_channel", "list_value", "list_length", "scan_flags", "scan_words")
_AVERAGED: Final = ("weights", "bias", "output_weights", "output_bias")


class GrowingEngine:
    """The growing network on numba kernels; see docs/engine.md."""

    def __init__(self, structure: NetworkStructure) -> None:
        """Allocate an empty network.

        Raises:
            EngineStructureError: if the structure cannot be built within its memory limit.
        """
        structure.check()
        topology = lay_out(structure)
        self._take(structure, topology, allocate_state(structure, topology))

    def _take(self, structure: NetworkStructure, topology: Topology, state: NetworkState) -> None:
        """Bind the arrays to the kernels' arguments once; a call then copies nothing."""
        self.structure = structure
        self.channels = structure.channels
        self._topology = topology
        self.state = state
        self._classes = structure.output.kind is TaskKind.CLASSES
        self._settings = {
            arrival: choose_settings(structure, arrival, ring_rows=self.state.ring_rows)
            for arrival in Arrival
        }
        self._frame_slots = count_frame_slots(self.channels)
        rows = (self._frame_slots, self.channels)
        staged = allocate({"bytes": (rows, np.uint8), "numbers": (rows, np.float32)})
        self._buffers = {array.dtype: array for array in staged.values()}
        self._learn_arrays = state.pick(argument_names(learn_rows)[_LEARN_SCALARS:])
        self._bands_arrays = state.pick(argument_names(choose_bands)[_BANDS_SCALARS:])
        self._reviews = Reviews(structure, state)
        fast = argument_names(predict_rows)[_PREDICT_SCALARS:]
        slow = tuple(f"slow_{name}" if name in _AVERAGED else name for name in fast)
        self._fast_arrays = state.pick(fast)
        self._slow_arrays = state.pick(slow)
        self._lists = state.pick(_LISTS)
        self._scan_bands = {
            np.dtype(np.uint8): state.pick(("scan_low_bytes", "scan_high_bytes")),
            np.dtype(np.float32): state.pick(("resting_low", "resting_high")),
        }

    @property
    def outputs(self) -> int:
        """Outputs known now."""
        return int(self.state.counters[indices.KNOWN_OUTPUTS])

    def learn(self, inputs: Array, targets: Array, *, arrival: Arrival) -> Scored:
        """Predict, score and learn each row in order.

        Args:
            inputs: uint8 or float32, shape (rows, channels), any scale; NaN means missing.
            targets: int32, shape (rows,), class labels from 0, new ones open an output; or
                float32, shape (rows, outputs), finite.
            arrival: from a stored data set, or from a stream.

        Raises:
            EngineInputError: if an array does not fit; then nothing was learned.
        """
        rows = check_inputs(inputs, self.channels)
        outputs = check_targets(
            targets,
            rows,
            classes=self._classes,
            known=self.outputs,
            most=self.structure.most_outputs,
        )
        scored = Scored(
            outputs=np.zeros((rows, outputs), np.float32),
            loss=np.zeros(rows, np.float32),
            correct=np.zeros(rows, np.uint8),
            predicted=np.full(rows, -1, np.int32),
        )
        state = self.state
        settings = self._settings[arrival]
        ring = state.ring_rows
        known_targets = state.list_label if self._classes else state.list_target
        results = (scored.outputs, scored.loss, scored.correct, scored.predicted)
        if rows:
            state.meters[indices.LAST_LEAK] = settings[indices.LEAK]
            state.meters[indices.LAST_TOLERANCE] = settings[indices.SLOW_TOLERANCE]
        # rows since the newest channels came
        learned = int(state.counters[indices.LEARNED_ROWS] - state.counters[indices.START_FROM])
        start = 0
        while start < rows:
            on_trial = self._reviews.is_trial_on
            most = min(self._frame_slots, self._reviews.rows_until_next())
            stop = min(start + most, rows)
            observe = True
            if learned < indices.START_ROWS:
                # The bands may change before rows 1, 4, 16 and 64: scan no further than that.
                if state.counters[indices.LEARNED_ROWS] == 0:
                    self._start(targets[0])
                observe = learned + 1 not in _BAND_ROWS
                if observe:
                    border = next(row for row in _BAND_ROWS if row > learned + 1)
                    stop = min(stop, start + border - 1 - learned)
                else:
                    stop = start + 1
                state.start_values[learned : learned + stop - start] = inputs[start:stop]
                if not observe:
                    self._choose_bands(learned + 1)
            chunk = self._stage(inputs, start, stop)
            self._scan(chunk, ring)
            if chunk.dtype == np.float32:
                state.counters[indices.NON_FINITE] += count_non_finite(chunk)
            known_targets[ring : ring + stop - start] = targets[start:stop]
            self._reviews.prepare(chunk, learned)
            if on_trial:
                learn_on_trial(
                    start, stop - start, ring, observe, self._classes, settings,
                    self._reviews.judge_arrays, results + self._learn_arrays,
                )  # fmt: skip
            else:
                learn_rows(
                    start, 0, stop - start, ring, observe, self._classes, settings, *results,
                    *self._learn_arrays,
                )  # fmt: skip
            learned += stop - start
            start = stop
            self._reviews.review(learned, on_trial=on_trial)
        return scored

    def predict(self, inputs: Array) -> Float32:
        """Predict each row as if it came next; changes nothing that anything depends on.

        Args:
            inputs: uint8 or float32, shape (rows, channels).

        Returns:
            float32, shape (rows, outputs): probabilities over the known classes, or numbers.

        Raises:
            EngineInputError: if the array does not fit.
        """
        return self._predict(inputs, keep=False)

    def observe(self, inputs: Array) -> Float32:
        """Predict each row in order, and let it pass: spiking neurons remember it."""
        return self._predict(inputs, keep=True)

    def _predict(self, inputs: Array, *, keep: bool) -> Float32:
        rows = check_inputs(inputs, self.channels)
        state = self.state
        known = self.outputs
        outputs = np.zeros((rows, known), np.float32)
        leak = float(state.meters[indices.LAST_LEAK])
        arrays = self._slow_arrays if self._prefers_slow() else self._fast_arrays
        ring = state.ring_rows
        for start in range(0, rows, self._frame_slots):
            stop = min(start + self._frame_slots, rows)
            chunk = self._stage(inputs, start, stop)
            self._scan(chunk, ring)
            predict_rows(
                start, stop - start, ring, self._classes, leak, known, keep, outputs, *arrays
            )
        return outputs

    def statistics(self) -> EngineStatistics:
        """Describe the network; cheap enough for every frame."""
        state = self.state
        counters = state.counters
        born = int(counters[indices.LEARNED_ROWS]) > 0
        neurons = self.structure.neurons if born else 0
        input_connections = int(counters[indices.USED_ROWS]) * self._topology.block_width
        output_connections = neurons * self.outputs
        stopped = int(counters[indices.GROWTH_STOPPED])
        return EngineStatistics(
            learned_rows=int(counters[indices.LEARNED_ROWS]),
            updated_rows=int(counters[indices.UPDATED_ROWS]),
            neurons=neurons,
            sections=int(counters[indices.SECTIONS]),
            input_connections=input_connections,
            pruned_connections=int(counters[indices.PRUNED_ROWS]) * self._topology.block_width,
            output_connections=output_connections,
            connections=input_connections + output_connections,
            outputs=self.outputs,
            memory_bytes=state.count_touched_bytes(),
            memory_limit_bytes=self.structure.options.memory_limit_bytes,
            growth_stopped=stopped != 0,
            growth_stop_reason=_STOP_REASONS[stopped],
            running_loss=float(state.meters[indices.SHOWN_LOSS]),
            running_error=float(state.meters[indices.SHOWN_ERROR]),
            drift_alarms=int(counters[indices.ALARMS]),
            non_finite_values=int(counters[indices.NON_FINITE]),
            uses_averaged_weights=self._prefers_slow(),
        )

    def events(self, since: int = 0) -> tuple[GrowthEvent, ...]:
        """Return the latest growth events whose number is above `since`, oldest first."""
        total = int(self.state.counters[indices.EVENTS])
        oldest = max(since, total - indices.EVENT_ROWS, 0)
        return tuple(self._event(number) for number in range(oldest + 1, total + 1))

    def export_state(self) -> EngineState:
        """Copy everything that a network needs to continue exactly as this one."""
        return export_arrays(self.structure, self.state)

    def import_state(self, saved: EngineState) -> None:
        """Become the exported network.

        Raises:
            EngineStateError: if the state does not belong to this structure or version.
        """
        import_arrays(self.structure, self.state, saved)

    def add_channels(self, population: InputPopulation) -> None:
        """Widen the rows by a new input population; what was learned stays as it is.

        The new channels start without connections and choose their resting bands from the next
        64 rows. Hidden populations reach them as declared: by position, and by name or all.

        Raises:
            EngineStructureError: if the wider network cannot be built within its memory limit.
        """
        check_present(population, len(self.structure.inputs))
        self.widen(replace(self.structure, inputs=(*self.structure.inputs, population)))
        first = self.channels - population.channels
        self.note(GrowthKind.CHANNELS_ADDED, subject=first)

    def widen(self, structure: NetworkStructure) -> None:
        """Go on in a structure with more channels, populations or memory than the present one.

        What was learned stays as it is, and predictions do not change.

        Raises:
            EngineStructureError: if the wider network cannot be built within its memory limit.
        """
        structure.check()
        topology = lay_out(structure)
        self._take(structure, topology, widen_state(self.state, structure, topology))

    def note(self, kind: GrowthKind, *, subject: int = -1, connections: int = 0) -> None:
        """Write a growth event at the present row."""
        row = int(self.state.counters[indices.LEARNED_ROWS])
        self._note(kind, row=row, subject=subject, connections=connections)

    def _event(self, number: int) -> GrowthEvent:
        row, kind, subject, connections = self.state.events[
            (number - 1) % indices.EVENT_ROWS
        ].tolist()
        return GrowthEvent(number, row, GrowthKind(kind), subject, connections)

    def _note(self, kind: GrowthKind, *, row: int, subject: int = -1, connections: int = 0) -> None:
        note_event(row, int(kind), subject, connections, self.state.events, self.state.counters)

    def _prefers_slow(self) -> bool:
        """Tell whether to answer with the averaged weights.

        An average of hardly anything is an old copy: it gets no benefit of the doubt.
        """
        meters = self.state.meters
        averagings = self.state.counters[indices.AVERAGINGS]
        tolerance = meters[indices.LAST_TOLERANCE] if averagings >= _SETTLED_AVERAGINGS else 1.0
        return bool(
            averagings > 0 and meters[indices.LOSS_SLOW] < tolerance * meters[indices.LOSS_FAST]
        )

    def _stage(self, inputs: Array, start: int, stop: int) -> Array:
        """Give the kernels one layout: read-only, strided or unaligned rows are copied."""
        chunk = inputs[start:stop]
        flags = chunk.flags
        if flags.c_contiguous and flags.writeable and flags.aligned:
            return chunk
        buffer = self._buffers[inputs.dtype][: stop - start]
        np.copyto(buffer, chunk)
        return buffer

    def _scan(self, chunk: Array, first_slot: int) -> None:
        """Write the active channels of staged rows into the list slots from one on."""
        scan_rows = scan_byte_rows if chunk.dtype == np.uint8 else scan_float_rows
        low, high = self._scan_bands[chunk.dtype]
        scan_rows(chunk, low, high, 0, len(chunk), first_slot, *self._lists)

    def _start(self, target: Any) -> None:
        """Draw the first weights to the outputs that exist at the first row."""
        known = max(self.outputs, int(target) + 1) if self._classes else self.outputs
        start_outputs(
            self.state.output_weights, self.state.slow_output_weights, known,
            self._topology.block_neurons, self._topology.block_width, self.state.random_state,
        )  # fmt: skip
        start_inner_rows(
            self.state.inner_first, self._topology.block_neurons, self.state.weights,
            self.state.slow_weights, self.state.counters, self.state.random_state,
        )  # fmt: skip
        inner = len(self.state.inner_source) * self._topology.block_width
        connections = self.structure.neurons * self.outputs + inner
        self._note(GrowthKind.STARTED, row=1, connections=connections)

    def _choose_bands(self, rows: int) -> None:
        """Let the newest channels choose bands anew, and read the rehearsed rows anew with them."""
        state = self.state
        old_bands = state.resting_low.copy(), state.resting_high.copy()
        choose_bands(rows, *old_bands, *self._bands_arrays)
        state.trace_length[:] = 0  # what the sections meant is no more
        filled = int(state.counters[indices.RING_FILLED])
        if filled == rows - 1 and state.counters[indices.START_FROM] == 0:
            self._scan(state.start_values[:filled], 0)
        else:
            state.counters[indices.RING_FILLED] = 0
            state.counters[indices.RING_NEXT] = 0
