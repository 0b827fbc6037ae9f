"""A network at work: engine and label book together, called from one thread at a time."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import (
    CHANNEL_EVENTS,
    Arrival,
    Engine,
    EngineInputError,
    EngineStructureError,
    GrowthEvent,
    NetworkStructure,
    TaskKind,
    create_engine,
    restore_engine,
)
from kyouko.domain.networks.labels import LabelBook
from kyouko.domain.networks.network import NetworkStatistics, SnapshotContent, statistics_of
from kyouko.domain.networks.rows import (
    Labels,
    Numbers,
    RowResults,
    Rows,
    Saying,
    Target,
    check_shape,
    width_mismatch,
    wrong_count,
)
from kyouko.domain.networks.scoring import TargetScale, class_loss, most_probable
from kyouko.domain.networks.targets import label_values, numbers_in, wrong_kind
from kyouko.domain.networks.waiting import WaitingRows
from kyouko.domain.pipeline.around import PipedEngine
from kyouko.domain.pipeline.cleaning import Ready
from kyouko.domain.pipeline.forecast import Foretold
from kyouko.domain.pipeline.pipeline import Pipeline, open_pipeline
from mesh.errors import InvalidArgument, ResourceExhausted

__all__ = [
    "Labels",
    "Learner",
    "Numbers",
    "RowResults",
    "Rows",
    "Saying",
    "Target",
    "check_shape",
    "width_mismatch",
    "wrong_count",
]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]


class Learner:
    """Learns and predicts. Not for two threads at once; its owner sees to that.

    Attributes:
        learned_rows: rows learned in the network's life.
        passed_rows: rows since loading that left a mark without being learned: they came without
            targets to a network that remembers what went before.
    """

    def __init__(self, structure: NetworkStructure, snapshot: SnapshotContent | None) -> None:
        """Make an empty network, or one that goes on from a snapshot.

        Raises:
            EngineStructureError: No engine fits the structure's bounds.
            EngineStateError: The snapshot is of another structure or version.
        """
        self.structure = structure
        self.is_classes = structure.output.kind is TaskKind.CLASSES
        self._pipeline = open_pipeline(structure, snapshot.pipeline if snapshot else None)
        inner = structure if self._pipeline is None else self._pipeline.structure
        self.engine: Engine = (
            create_engine(inner) if snapshot is None else restore_engine(inner, snapshot.engine)
        )
        self._piped = PipedEngine(self.engine, self._pipeline) if self._pipeline else None
        self.labels = LabelBook(snapshot.labels if snapshot else (), limit=structure.most_outputs)
        self._scale = TargetScale.restore(
            structure.output.size, snapshot.target_scale if snapshot else {}
        )
        self.learned_rows = self.engine.statistics().learned_rows
        self.passed_rows = 0

    def statistics(self) -> NetworkStatistics:
        """Return how far the network has grown; may be called while it learns."""
        found = statistics_of(self.engine.statistics())
        if self._pipeline is None:
            return found
        return replace(
            found,
            memory_bytes=found.memory_bytes + self._pipeline.nbytes,
            non_finite_values=self._pipeline.count_non_finite(),
            pipeline=self._pipeline.statistics(),
        )

    def events(self, since: int = 0) -> tuple[GrowthEvent, ...]:
        """Return the latest growth events above `since`, with channels as they came."""
        found = self.engine.events(since)
        if self._pipeline is None:
            return found
        sources = self._pipeline.find_sources()
        return tuple(
            replace(event, subject=int(sources[event.subject]))
            if event.kind in CHANNEL_EVENTS and event.subject >= 0
            else event
            for event in found
        )

    def export(self) -> SnapshotContent:
        """Copy all that the network needs to go on."""
        return SnapshotContent(
            engine=self.engine.export_state(),
            labels=self.labels.labels,
            target_scale=self._scale.export() if not self.is_classes else {},
            pipeline=self._pipeline.export() if self._pipeline is not None else None,
        )

    def learn(self, rows: Rows, arrival: Arrival) -> RowResults:
        """Predict, score and learn rows; those without targets are predicted and let pass.

        In a network with delays or potentials time goes on with every row, learned or not.

        Raises:
            DomainError: The rows cannot be learned; the network is as it was.
        """
        if self._pipeline is not None:
            return self._pipe(self._pipeline, rows, arrival)
        return self._learn(self._inputs(rows), rows, arrival)

    def let_wait(self, rows: Rows) -> tuple[RowResults, WaitingRows]:
        """Predict rows and let them pass; returns also what it takes to learn them later.

        Raises:
            DomainError: The rows cannot be learned; the network is as it was.
        """
        if self._pipeline is None or self._piped is None:
            return self.learn(rows, Arrival.STREAMED), WaitingRows.all_of(rows.inputs)
        ready = self._prepare(self._pipeline, rows)
        _accept(self._pipeline, ready, self.engine)
        seen: list[Float32] = []
        results = self._unscored(_call(self._piped.observe, ready, seen=seen))
        self.passed_rows += ready.row_count
        wide = np.concatenate([np.empty((0, self.engine.channels), np.float32), *seen])
        waiting = WaitingRows(wide, ready.kept, ready.row_count)
        return results.spread(ready.kept, ready.row_count), waiting

    def learn_late(self, waiting: WaitingRows, rows: Rows) -> RowResults:
        """Learn rows that were let pass; predicts them by what has been learned since.

        Args:
            waiting: what the network saw of them.
            rows: their targets; the inputs are taken no notice of.

        Raises:
            DomainError: The targets do not fit; the network is as it was.
        """
        if self._pipeline is None:
            return self.learn(replace(rows, inputs=waiting.inputs), Arrival.STREAMED)
        rows = replace(rows, inputs=np.empty((waiting.row_count, 0), np.float32))
        self._check_targets(self._pipeline, rows)
        inputs = waiting.as_wide_as(self.engine.channels)
        results = self._learn(inputs, rows.of(waiting.kept), Arrival.STREAMED)
        return results.spread(waiting.kept, waiting.row_count)

    def _learn(self, inputs: Array | Ready, rows: Rows, arrival: Arrival | None) -> RowResults:
        if rows.target is None or arrival is None:
            return self._passed(inputs)
        if self.is_classes:
            return self._learn_labels(inputs, rows, arrival)
        return self._learn_numbers(inputs, rows, arrival)

    def predict(self, rows: Rows) -> RowResults:
        """Predict rows, each as if it came next, and score those with targets.

        The network stays as it is.

        Raises:
            DomainError: The rows or targets do not fit.
        """
        if self._pipeline is not None:
            return self._predict_piped(self._pipeline, rows)
        return self.score(self._unscored(_call(self.engine.predict, self._inputs(rows))), rows)

    def follow(self, rows: Rows) -> RowResults:
        """Predict rows one after the other, and score those with targets; for a learner `aside`.

        Raises:
            DomainError: The rows or targets do not fit.
        """
        if self._pipeline is not None:
            return self._pipe(self._pipeline, rows, None)
        return self.score(self._passed(self._inputs(rows)), rows)

    def aside(self) -> "Learner":
        """Return a learner to predict a series with: `follow` moves its time, but not this one's.

        Without a memory of past rows that is this one; else a copy, of which nobody but the
        caller knows: it takes as much memory as the network.
        """
        return Learner(self.structure, self.export()) if self.structure.has_past else self

    def score(self, results: RowResults, rows: Rows) -> RowResults:
        """Return the results of predicted rows with the scores that their targets give them.

        Raises:
            DomainError: The targets do not fit.
        """
        if rows.target is None:
            return results
        if self.is_classes:
            right = self.labels.known(label_values(rows))
            return replace(
                results,
                loss=class_loss(results.outputs, right),
                correct_rows=_count_equal(results.predicted, right),
            )
        targets = numbers_in(rows, self.structure.output.size)
        return replace(
            results,
            loss=self._scale.loss(results.outputs, targets),
            absolute_error=_absolute_error(results.outputs, targets),
        )

    def _learn_labels(self, inputs: Array | Ready, rows: Rows, arrival: Arrival) -> RowResults:
        before = len(self.labels)
        found = self.labels.look_up(label_values(rows), field=f"{rows.place}labels")
        scored = _call(self._taker(inputs).learn, inputs, found.indices, arrival=arrival)
        self.labels.add(found.new)
        self.learned_rows += len(inputs)
        return RowResults(
            outputs=scored.outputs,
            predicted=scored.predicted,
            loss=scored.loss,
            correct_rows=int(np.count_nonzero(scored.correct)),
            absolute_error=0.0,
            labels_before=before,
            labels_after=len(self.labels),
            learned_rows=self.learned_rows,
        )

    def _learn_numbers(self, inputs: Array | Ready, rows: Rows, arrival: Arrival) -> RowResults:
        targets = numbers_in(rows, self.structure.output.size)
        scored = _call(self._taker(inputs).learn, inputs, targets, arrival=arrival)
        self._scale.add(targets)
        self.learned_rows += len(inputs)
        return RowResults(
            outputs=scored.outputs,
            predicted=None,
            loss=scored.loss,
            correct_rows=0,
            absolute_error=_absolute_error(scored.outputs, targets),
            labels_before=0,
            labels_after=0,
            learned_rows=self.learned_rows,
        )

    def _taker(self, inputs: Array | Ready) -> Engine | PipedEngine:
        """Return what takes rows: the engine itself unless a pipeline has prepared them."""
        return self._piped if self._piped is not None and isinstance(inputs, Ready) else self.engine

    def _passed(self, inputs: Array | Ready) -> RowResults:
        outputs = _call(self._taker(inputs).observe, inputs)
        if self.structure.has_past:
            self.passed_rows += len(inputs)
        return self._unscored(outputs)

    def _unscored(self, outputs: Float32) -> RowResults:
        return RowResults(
            outputs=outputs,
            predicted=most_probable(outputs) if self.is_classes else None,
            loss=None,
            correct_rows=0,
            absolute_error=0.0,
            labels_before=len(self.labels),
            labels_after=len(self.labels),
            learned_rows=self.learned_rows,
        )

    def _pipe(self, pipeline: Pipeline, rows: Rows, arrival: Arrival | None) -> RowResults:
        """Let rows come by way of the pipeline; without an arrival nothing is learned from them."""
        ready = self._prepare(pipeline, rows)
        marked = self.learned_rows + self.passed_rows
        _accept(pipeline, ready, self.engine)
        if pipeline.teaches_itself:
            results = self._taught(pipeline.teach(self.engine, ready, arrival))
        else:
            kept = rows.of(ready.kept)
            results = self._learn(ready, kept, arrival)
            results = self.score(results, kept) if arrival is None else results
        # Every row leaves a mark, if only in a count.
        self.passed_rows += marked + ready.row_count - (self.learned_rows + self.passed_rows)
        return results.spread(ready.kept, ready.row_count)

    def _predict_piped(self, pipeline: Pipeline, rows: Rows) -> RowResults:
        ready = self._prepare(pipeline, rows, apart=True)
        outputs = _call(self._taker(ready).predict, ready)
        if pipeline.teaches_itself:
            results = self._taught(pipeline.say(outputs, ready))
        else:
            results = self.score(self._unscored(outputs), rows.of(ready.kept))
        return results.spread(ready.kept, ready.row_count)

    def _prepare(self, pipeline: Pipeline, rows: Rows, *, apart: bool = False) -> Ready:
        """Refuse what cannot be learned, before anything changes."""
        check_shape(rows.inputs.shape, pipeline.widths, field=f"{rows.place}inputs")
        self._check_targets(pipeline, rows, apart=apart)
        return pipeline.prepare(rows.inputs, rows.event_times, place=rows.place, apart=apart)

    def _check_targets(self, pipeline: Pipeline, rows: Rows, *, apart: bool = False) -> None:
        """Refuse targets that do not fit, those of rows that are left out among them."""
        if rows.target is None:
            return
        if pipeline.teaches_itself:
            problem = "the network teaches itself; send its rows without targets or labels"
            raise wrong_kind(f"{rows.place}targets", problem)
        if not self.is_classes:
            numbers_in(rows, self.structure.output.size)
        elif apart:
            label_values(rows)
        else:
            self.labels.look_up(label_values(rows), field=f"{rows.place}labels")

    def _taught(self, found: Foretold) -> RowResults:
        self.learned_rows += found.learned_rows
        return replace(
            self._unscored(found.outputs),
            loss=found.loss,
            absolute_error=found.absolute_error,
            foretold=Saying(found.predicted, found.actual),
        )

    def _inputs(self, rows: Rows) -> Array:
        inputs = rows.inputs
        check_shape(inputs.shape, self.structure.channels, field=f"{rows.place}inputs")
        if inputs.dtype in (np.uint8, np.float32):
            return inputs
        # A number beyond float32's range becomes infinite here, as in the engine's policy.
        with np.errstate(over="ignore"):
            return inputs.astype(np.float32)


def _call(work: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return work(*arguments, **options)
    except EngineInputError as error:
        raise InvalidArgument.for_field(
            error.field, f"{error.problem}; allowed: {error.allowed}", reason="TENSOR_INVALID"
        ) from error


def _accept(pipeline: Pipeline, ready: Ready, engine: Engine) -> None:
    try:
        pipeline.accept(ready, engine)
    except EngineStructureError as error:
        raise ResourceExhausted(
            f"no room for wider rows: {error.problem}; allowed: {error.allowed}",
            reason="LIMIT_REACHED",
            metadata={"actual": str(ready.values.shape[1])},
        ) from error


def _count_equal(predicted: Int32 | None, right: Int32) -> int:
    if predicted is None:
        return 0
    return int(np.count_nonzero((predicted == right) & (right >= 0)))


def _absolute_error(outputs: Float32, targets: Float32) -> float:
    return float(np.abs(outputs.astype(np.float64) - targets).mean(axis=1).sum())
