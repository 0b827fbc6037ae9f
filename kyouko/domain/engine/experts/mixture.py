"""The mixture: an engine that answers together with small experts beside another engine."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.arrays import check_inputs, check_targets
from kyouko.domain.engine.errors import EngineMemoryError, EngineStateError
from kyouko.domain.engine.experts.answering import Frame, answer_frame
from kyouko.domain.engine.experts.members import MEMBERS, NETWORK, REVIEW_EVERY, wants_experts
from kyouko.domain.engine.experts.sleeping import list_experts, review
from kyouko.domain.engine.experts.snapshot import export_mixture, import_experts, split_mixture
from kyouko.domain.engine.experts.state import ExpertState, allocate_experts, count_least_bytes
from kyouko.domain.engine.experts.widening import widen_experts
from kyouko.domain.engine.interface import (
    Engine,
    EngineState,
    EngineStatistics,
    ExpertShare,
    GrowthEvent,
    Scored,
)
from kyouko.domain.engine.memory import find_least_limit, find_needed_bytes
from kyouko.domain.engine.structure import Arrival, InputPopulation, NetworkStructure, TaskKind

__all__ = ["MixtureEngine"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

# Of the memory limit, set aside for the experts of any number of channels they may come to have.
_EXPERTS_SHARE: Final = 8


class MixtureEngine:
    """Mixes the answers of an inner engine with those of experts; see docs/engine.md.

    Without experts, because none were asked for or because the rows became too wide for them, it
    passes everything on.
    """

    def __init__(
        self, structure: NetworkStructure, make_inner: Callable[[NetworkStructure], Engine]
    ) -> None:
        """Make an empty network.

        Args:
            structure: decides whether there are experts.
            make_inner: makes an empty engine that knows nothing of experts.

        Raises:
            EngineStructureError: if the structure cannot be built within its memory limit.
        """
        structure.check()
        self._make_inner = make_inner
        try:
            experts = _allocate(structure) if wants_experts(structure) else None
            self._build(structure, experts, reserved=experts is not None)
        except EngineMemoryError as error:
            needed = _find_needed_bytes(structure, make_inner)
            or_else = ", or options.experts false" if structure.options.experts else ""
            raise EngineMemoryError(
                structure.options.memory_limit_bytes, needed, or_else
            ) from error

    def _build(
        self, structure: NetworkStructure, experts: ExpertState | None, *, reserved: bool
    ) -> None:
        limit = structure.options.memory_limit_bytes
        inner_limit = limit - limit // _EXPERTS_SHARE if reserved else limit
        options = replace(structure.options, memory_limit_bytes=inner_limit)
        self.structure = structure
        self._inner = self._make_inner(replace(structure, options=options))
        self._experts = experts
        self._reserved = reserved

    @property
    def channels(self) -> int:
        """Width of a row."""
        return self.structure.channels

    @property
    def outputs(self) -> int:
        """Outputs known now."""
        return self._inner.outputs

    @property
    def _kind(self) -> TaskKind:
        return self.structure.output.kind

    def learn(self, inputs: Array, targets: Array, *, arrival: Arrival) -> Scored:
        """Predict, score and learn each row in order, by the network and by the experts.

        Raises:
            EngineInputError: if an array does not fit; then nothing was learned.
        """
        experts = self._experts
        if experts is None:
            return self._inner.learn(inputs, targets, arrival=arrival)
        rows = check_inputs(inputs, self.channels)
        known = check_targets(
            targets, rows, classes=self._kind is TaskKind.CLASSES, known=self.outputs,
            most=self.structure.most_outputs,
        )  # fmt: skip
        scored = Scored(
            outputs=np.zeros((rows, known), np.float32),
            loss=np.zeros(rows, np.float32),
            correct=np.zeros(rows, np.uint8),
            predicted=np.full(rows, -1, np.int32),
        )
        for part in _parts(rows, int(experts.counters[0])):
            before = self.outputs
            own = self._inner.learn(inputs[part], targets[part], arrival=arrival)
            frame = Frame.of(self._kind, inputs[part], own.outputs, before, targets[part])
            found = answer_frame(experts, self._kind, frame)
            scored.outputs[part, : found.outputs.shape[1]] = found.outputs
            scored.loss[part] = found.loss
            scored.correct[part] = found.correct
            scored.predicted[part] = found.predicted
            if experts.counters[0] % REVIEW_EVERY == 0:
                review(experts, self._kind)
        return scored

    def predict(self, inputs: Array) -> Float32:
        """Predict each row as if it came next; changes nothing.

        Raises:
            EngineInputError: if the array does not fit.
        """
        return self._mix(inputs, self._inner.predict(inputs))

    def observe(self, inputs: Array) -> Float32:
        """Predict each row in order, and let it pass without learning from it.

        Raises:
            EngineInputError: if the array does not fit.
        """
        return self._mix(inputs, self._inner.observe(inputs))

    def _mix(self, inputs: Array, answers: Float32) -> Float32:
        """Mix the network's answers to rows without targets with those of the experts."""
        experts = self._experts
        if experts is None:
            return answers
        outputs = np.zeros_like(answers)
        for part in _parts(len(inputs), 0):
            frame = Frame.of(self._kind, inputs[part], answers[part], self.outputs, None)
            outputs[part] = answer_frame(experts, self._kind, frame).outputs
        return outputs

    def statistics(self) -> EngineStatistics:
        """Describe the network, and how far each expert takes part in its answers."""
        inner = self._inner.statistics()
        limit = self.structure.options.memory_limit_bytes
        experts = self._experts
        if experts is None:
            return replace(inner, memory_limit_bytes=limit)
        members = (NETWORK, *list_experts(self._kind))
        total = max(sum(float(experts.share[item]) for item in members), 1e-9)
        return replace(
            inner,
            memory_bytes=inner.memory_bytes + experts.count_bytes(),
            memory_limit_bytes=limit,
            running_loss=float(experts.meters[0]),
            running_error=float(experts.meters[1]),
            experts=tuple(
                ExpertShare(
                    name=MEMBERS[item],
                    weight=float(experts.share[item]) / total,
                    awake=bool(experts.awake[item]),
                )
                for item in members
            ),
        )

    def events(self, since: int = 0) -> tuple[GrowthEvent, ...]:
        """Return the latest growth events whose number is above `since`, oldest first."""
        return self._inner.events(since)

    def export_state(self) -> EngineState:
        """Copy everything that a network needs to continue exactly as this one."""
        inner = self._inner.export_state()
        if not self._reserved:
            return inner
        return export_mixture(self.structure, self._experts, inner)

    def import_state(self, saved: EngineState) -> None:
        """Become the exported network, with experts only if that one had some.

        Raises:
            EngineStateError: if the state does not belong to this structure or version.
        """
        parts = split_mixture(saved)
        if parts is None:
            self._build(self.structure, None, reserved=False)
            self._inner.import_state(saved)
            return
        experts = None
        if parts.experts is not None:
            experts = _allocate(self.structure)
            if experts is None:
                raise EngineStateError("the memory limit leaves no room for the experts")
            import_experts(self.structure, experts, parts)
        self._build(self.structure, experts, reserved=True)
        self._inner.import_state(parts.inner)

    def add_channels(self, population: InputPopulation) -> None:
        """Widen the rows by a new input population; what was learned stays as it is.

        Rows that become too wide end the experts, unless they were asked for.

        Raises:
            EngineStructureError: if the wider network cannot be built within its memory limit.
        """
        structure = replace(self.structure, inputs=(*self.structure.inputs, population))
        structure.check()
        experts = None
        if self._experts is not None and wants_experts(structure):
            wider = _allocate(structure)
            experts = None if wider is None else widen_experts(self._experts, wider)
        self._inner.add_channels(population)
        self.structure = structure
        self._experts = experts


def _parts(rows: int, learned: int) -> Iterator[slice]:
    """Divide a frame at the rows after which the experts are reviewed."""
    start = 0
    while start < rows:
        stop = min(start + REVIEW_EVERY - (learned + start) % REVIEW_EVERY, rows)
        yield slice(start, stop)
        start = stop


def _allocate(structure: NetworkStructure) -> ExpertState | None:
    """Allocate experts, or return None where nobody asked for them and they do not fit."""
    limit = structure.options.memory_limit_bytes
    experts = allocate_experts(structure, limit // _EXPERTS_SHARE)
    if experts is None and structure.options.experts:
        least = count_least_bytes(structure) * _EXPERTS_SHARE
        raise EngineMemoryError(limit, least)
    return experts


def _find_needed_bytes(
    structure: NetworkStructure, make_inner: Callable[[NetworkStructure], Engine]
) -> int:
    """Return the least limit that holds the inner engine, and the experts if they were asked for.

    Experts that nobody asked for are left out while they do not fit into their share.
    """
    inner = find_needed_bytes(make_inner, structure)
    if not wants_experts(structure):
        return inner
    asked = bool(structure.options.experts)
    least = count_least_bytes(structure)

    def reserve(limit: int) -> int:
        share = limit // _EXPERTS_SHARE
        return share if asked or least <= share else 0

    return max(find_least_limit(inner, reserve), least * _EXPERTS_SHARE if asked else 0)
