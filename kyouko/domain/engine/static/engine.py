"""The static network: the engine's border, where arrays are checked and backends called."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.arrays import check_inputs, check_targets
from kyouko.domain.engine.checks import check_present
from kyouko.domain.engine.errors import EngineMemoryError, EngineStateError
from kyouko.domain.engine.interface import (
    EngineState,
    EngineStatistics,
    GrowthEvent,
    GrowthKind,
    Scored,
)
from kyouko.domain.engine.static.allocation import allocate_weights, count_bytes, make_backend
from kyouko.domain.engine.static.backend import FRAME_ROWS, Backend, Weights
from kyouko.domain.engine.static.events import EventLog
from kyouko.domain.engine.static.layers import (
    Plan,
    check_static,
    draw_parameters,
    plan_layers,
    widen_parameters,
)
from kyouko.domain.engine.static.outputs import TargetScale
from kyouko.domain.engine.static.scaling import Scaling
from kyouko.domain.engine.static.snapshot import (
    check_arrays,
    describe,
    export_arrays,
    take_arrays,
)
from kyouko.domain.engine.structure import Arrival, InputPopulation, NetworkStructure, TaskKind
from kyouko.kernels import dense_indices as indices

__all__ = ["StaticEngine"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


class StaticEngine:
    """Classical layers that learn row by row from raw values; see docs/static-networks.md."""

    def __init__(self, structure: NetworkStructure) -> None:
        """Draw the first weights.

        Raises:
            EngineStructureError: if the structure is not one of a static network, does not fit
                into its memory limit, or asks for a device that is not there.
        """
        plan = _plan(structure)
        weights = allocate_weights(structure, plan)
        draw_parameters(plan, structure.options.seed, weights.parameters)
        self._classes = structure.output.kind is TaskKind.CLASSES
        self._targets = None if self._classes else TargetScale.create(structure.output.size)
        self._scaling = Scaling.create(structure.channels)
        self._log = EventLog.create()
        self._take(structure, plan, weights)

    def _take(self, structure: NetworkStructure, plan: Plan, weights: Weights) -> None:
        self.structure = structure
        self._plan = plan
        self._backend: Backend = make_backend(structure, plan, weights)
        self._backend.set_scale(self._scaling.center, self._scaling.inverse)
        self._learned = int(weights.counters[indices.LEARNED_ROWS])
        self._non_finite = int(weights.counters[indices.NON_FINITE])

    @property
    def channels(self) -> int:
        """Width of a row."""
        return self.structure.channels

    @property
    def outputs(self) -> int:
        """Outputs known now."""
        return self._backend.known_outputs

    def learn(self, inputs: Array, targets: Array, *, arrival: Arrival) -> Scored:
        """Predict, score and learn each row in order.

        Args:
            inputs: uint8 or float32, shape (rows, channels), any scale; NaN means missing.
            targets: int32, shape (rows,), class labels from 0, new ones open an output; or
                float32, shape (rows, outputs), finite.
            arrival: makes no difference to a static network.

        Raises:
            EngineInputError: if an array does not fit; then nothing was learned.
        """
        del arrival
        rows = check_inputs(inputs, self.channels)
        known = check_targets(
            targets, rows, classes=self._classes, known=self.outputs,
            most=self.structure.most_outputs,
        )  # fmt: skip
        scored = Scored(
            outputs=np.zeros((rows, known), np.float32),
            loss=np.zeros(rows, np.float32),
            correct=np.zeros(rows, np.uint8),
            predicted=np.full(rows, -1, np.int32),
        )
        if rows:
            self._note(targets)
        start = 0
        while start < rows:
            stop = min(rows, start + self._rows_until_review())
            self._learn_part(inputs[start:stop], targets[start:stop], start, scored)
            start = stop
        return scored

    def _learn_part(self, rows: Array, targets: Array, first: int, scored: Scored) -> None:
        """Learn rows that share one scale."""
        wanted = targets if self._targets is None else self._targets.standardize(targets)
        self._non_finite += self._backend.learn(rows, wanted, first, scored)
        self._learned += len(rows)
        if self._scaling.record(rows):
            self._backend.set_scale(self._scaling.center, self._scaling.inverse)
        if self._targets is not None:
            self._targets.restore(scored.outputs[first : first + len(rows)])
            if self._targets.scaling.record(targets):
                ratio, shift = self._targets.follow(learned=self._learned > 1)
                self._backend.rescale_outputs(ratio, shift)

    def predict(self, inputs: Array) -> Float32:
        """Predict each row; changes nothing.

        Args:
            inputs: uint8 or float32, shape (rows, channels).

        Returns:
            float32, shape (rows, outputs): probabilities over the known classes, or numbers.

        Raises:
            EngineInputError: if the array does not fit.
        """
        rows = check_inputs(inputs, self.channels)
        outputs = np.zeros((rows, self.outputs), np.float32)
        for start in range(0, rows, FRAME_ROWS):
            self._backend.predict(inputs[start : start + FRAME_ROWS], start, outputs)
        if self._targets is not None:
            self._targets.restore(outputs)
        return outputs

    def observe(self, inputs: Array) -> Float32:
        """Predict each row; a static network has no past that they could become."""
        return self.predict(inputs)

    def statistics(self) -> EngineStatistics:
        """Describe the network."""
        counters, meters = self._backend.read_counters()
        hidden = self._plan.hidden_connections
        to_outputs = self._connections_of_output * self.outputs
        limit = self.structure.options.memory_limit_bytes
        return EngineStatistics(
            learned_rows=self._learned,
            updated_rows=int(counters[indices.UPDATED_ROWS]),
            neurons=self.structure.neurons,
            sections=0,
            input_connections=hidden,
            pruned_connections=0,
            output_connections=to_outputs,
            connections=hidden + to_outputs,
            outputs=self.outputs,
            memory_bytes=count_bytes(self.structure, self._plan),
            memory_limit_bytes=limit,
            growth_stopped=False,
            growth_stop_reason="",
            running_loss=float(meters[indices.SHOWN_LOSS]),
            running_error=float(meters[indices.SHOWN_ERROR]),
            drift_alarms=0,
            non_finite_values=self._non_finite,
            uses_averaged_weights=False,
        )

    def events(self, since: int = 0) -> tuple[GrowthEvent, ...]:
        """Return the latest growth events whose number is above `since`, oldest first."""
        return self._log.since(since)

    def export_state(self) -> EngineState:
        """Copy everything that a network needs to continue exactly as this one."""
        arrays = export_arrays(
            self._plan, self._read_weights(), self._scaling, self._targets, self._log
        )
        header = describe(self.structure, self._plan)
        header["learned_rows"] = self._learned
        return EngineState(arrays, header)

    def import_state(self, saved: EngineState) -> None:
        """Become the exported network; the state may come from another device.

        Raises:
            EngineStateError: if the state does not belong to this structure or version.
        """
        structure, plan = self.structure, self._plan
        for key, value in describe(structure, plan).items():
            if saved.header.get(key) != value:
                raise EngineStateError(f"{key} is {saved.header.get(key)!r}, expected {value!r}")
        weights = allocate_weights(structure, plan)
        scaling, log = Scaling.create(structure.channels), EventLog.create()
        targets = None if self._classes else TargetScale.create(structure.output.size)
        take_arrays(saved.arrays, weights, scaling, targets, log)
        scalings = {"channels": scaling}
        if targets is not None:
            scalings["targets"] = targets.scaling
        check_arrays(structure, saved.arrays, plan, weights, scalings, log)
        self._scaling, self._targets, self._log = scaling, targets, log
        self._take(structure, plan, weights)

    def add_channels(self, population: InputPopulation) -> None:
        """Widen the rows by a new input population; what was learned stays as it is.

        The new channels' weights are 0, and they find their scale from their first rows.

        Raises:
            EngineStructureError: if the wider network does not fit into its memory limit.
        """
        check_present(population, len(self.structure.inputs))
        inputs = (*self.structure.inputs, population)
        structure = replace(self.structure, inputs=inputs)
        plan = _plan(structure)
        old = self._read_weights()
        weights = replace(
            old,
            parameters=widen_parameters(old.parameters, self._plan, plan),
            first_moment=widen_parameters(old.first_moment, self._plan, plan),
            second_moment=widen_parameters(old.second_moment, self._plan, plan),
            counters=old.counters.copy(),
            meters=old.meters.copy(),
        )
        first = self.channels
        gained = plan.hidden_connections - self._plan.hidden_connections
        self._scaling = self._scaling.widen(structure.channels)
        self._take(structure, plan, weights)
        # Before the first row nothing has started: that event will count these connections.
        self._log.note(
            GrowthKind.CHANNELS_ADDED,
            row=self._learned,
            subject=first,
            connections=gained if self._learned else 0,
        )

    @property
    def _connections_of_output(self) -> int:
        return self._plan.output.inputs - 1

    def _read_weights(self) -> Weights:
        weights = self._backend.read()
        weights.counters[indices.NON_FINITE] = self._non_finite
        return weights

    def _rows_until_review(self) -> int:
        rows = min(FRAME_ROWS, self._scaling.rows_until_review())
        if self._targets is None:
            return rows
        return min(rows, self._targets.scaling.rows_until_review())

    def _note(self, targets: Array) -> None:
        """Note what the coming rows will change."""
        known, each = self.outputs, self._connections_of_output
        if self._learned == 0:
            gained = self._plan.hidden_connections + known * each
            self._log.note(GrowthKind.STARTED, row=1, connections=gained)
        if self._classes:
            self._log.note_labels(targets, known, row=self._learned + 1, connections=each)


def _plan(structure: NetworkStructure) -> Plan:
    """Lay out the layers, and refuse what does not fit into memory before allocating it."""
    check_static(structure)
    plan = plan_layers(structure)
    needed = count_bytes(structure, plan)
    limit = structure.options.memory_limit_bytes
    if needed > limit:
        raise EngineMemoryError(limit, needed)
    return plan
