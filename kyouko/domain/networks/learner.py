"""A network at work: engine and label book together, called from one thread at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import (
    Arrival,
    Engine,
    EngineInputError,
    NetworkStructure,
    TaskKind,
    create_engine,
    restore_engine,
)
from kyouko.domain.networks.labels import LabelBook
from kyouko.domain.networks.network import NetworkStatistics, SnapshotContent, statistics_of
from kyouko.domain.networks.scoring import TargetScale, class_loss, most_probable
from mesh.errors import InvalidArgument

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Labels:
    """Labels of rows, as texts or as whole numbers (which stand for their digits)."""

    values: list[str] | list[int]


@dataclass(frozen=True)
class Numbers:
    """Numbers of rows, shape (rows, outputs)."""

    values: Array


Target = Labels | Numbers | None


@dataclass(frozen=True)
class Rows:
    """Rows to work on.

    Attributes:
        inputs: shape (rows, channels), of any number type.
        target: what is right; None when it is not known.
        place: put before the names of fields in errors, such as `frame.`.
    """

    inputs: Array
    target: Target = None
    place: str = ""


@dataclass(frozen=True)
class RowResults:
    """What a network said of rows, before it learned any of them.

    Attributes:
        outputs: float32, shape (rows, outputs).
        predicted: int32, shape (rows,): output of the most probable label, -1 if none; None
            for numbers.
        loss: float32, shape (rows,); None without targets.
        correct_rows: rows whose label was predicted.
        absolute_error: sum over the rows of the mean absolute error (numbers).
        labels_before: labels known before these rows.
        labels_after: labels known after them.
        learned_rows: rows learned in the network's life, these included.
    """

    outputs: Float32
    predicted: Int32 | None
    loss: Float32 | None
    correct_rows: int
    absolute_error: float
    labels_before: int
    labels_after: int
    learned_rows: int

    def of(self, places: npt.NDArray[np.intp]) -> "RowResults":
        """Return the results of some of the rows, not scored."""
        predicted = None if self.predicted is None else self.predicted[places]
        return replace(
            self,
            outputs=self.outputs[places],
            predicted=predicted,
            loss=None,
            correct_rows=0,
            absolute_error=0.0,
        )


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
        self.engine: Engine = (
            create_engine(structure)
            if snapshot is None
            else restore_engine(structure, snapshot.engine)
        )
        self.labels = LabelBook(snapshot.labels if snapshot else (), limit=structure.most_outputs)
        self._scale = TargetScale.restore(
            structure.output.size, snapshot.target_scale if snapshot else {}
        )
        self.learned_rows = self.engine.statistics().learned_rows
        self.passed_rows = 0

    def statistics(self) -> NetworkStatistics:
        """Return how far the network has grown; may be called while it learns."""
        return statistics_of(self.engine.statistics())

    def export(self) -> SnapshotContent:
        """Copy all that the network needs to go on."""
        return SnapshotContent(
            engine=self.engine.export_state(),
            labels=self.labels.labels,
            target_scale=self._scale.export() if not self.is_classes else {},
        )

    def learn(self, rows: Rows, arrival: Arrival) -> RowResults:
        """Predict, score and learn rows; those without targets are predicted and let pass.

        In a network with delays or potentials time goes on with every row, learned or not.

        Raises:
            DomainError: The rows cannot be learned; the network is as it was.
        """
        inputs = self._inputs(rows)
        if rows.target is None:
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
        return self.score(self._unscored(_call(self.engine.predict, self._inputs(rows))), rows)

    def follow(self, rows: Rows) -> RowResults:
        """Predict rows one after the other, and score those with targets; for a learner `aside`.

        Raises:
            DomainError: The rows or targets do not fit.
        """
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
            right = self.labels.known(self._label_values(rows))
            return replace(
                results,
                loss=class_loss(results.outputs, right),
                correct_rows=_count_equal(results.predicted, right),
            )
        targets = self._numbers(rows)
        return replace(
            results,
            loss=self._scale.loss(results.outputs, targets),
            absolute_error=_absolute_error(results.outputs, targets),
        )

    def _learn_labels(self, inputs: Array, rows: Rows, arrival: Arrival) -> RowResults:
        before = len(self.labels)
        found = self.labels.look_up(self._label_values(rows), field=f"{rows.place}labels")
        scored = _call(self.engine.learn, inputs, found.indices, arrival=arrival)
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

    def _learn_numbers(self, inputs: Array, rows: Rows, arrival: Arrival) -> RowResults:
        targets = self._numbers(rows)
        scored = _call(self.engine.learn, inputs, targets, arrival=arrival)
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

    def _passed(self, inputs: Array) -> RowResults:
        outputs = _call(self.engine.observe, inputs)
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

    def _inputs(self, rows: Rows) -> Array:
        inputs = rows.inputs
        check_shape(inputs.shape, self.structure.channels, field=f"{rows.place}inputs")
        if inputs.dtype in (np.uint8, np.float32):
            return inputs
        # A number beyond float32's range becomes infinite here, as in the engine's policy.
        with np.errstate(over="ignore"):
            return inputs.astype(np.float32)

    def _label_values(self, rows: Rows) -> list[str] | list[int]:
        if not isinstance(rows.target, Labels):
            raise _wrong_kind(
                f"{rows.place}targets", "numbers came, but the network tells labels apart"
            )
        if len(rows.target.values) != len(rows.inputs):
            raise wrong_count(f"{rows.place}labels", len(rows.target.values), len(rows.inputs))
        return rows.target.values

    def _numbers(self, rows: Rows) -> Float32:
        if not isinstance(rows.target, Numbers):
            raise _wrong_kind(f"{rows.place}labels", "labels came, but the network learns numbers")
        field, size = f"{rows.place}targets", self.structure.output.size
        values = rows.target.values
        if values.ndim == 1 and size == 1:
            values = values[:, np.newaxis]
        if values.ndim != 2 or values.shape[1] != size:
            raise width_mismatch(field, size, int(values.shape[1]) if values.ndim == 2 else 1)
        if len(values) != len(rows.inputs):
            raise wrong_count(field, len(values), len(rows.inputs))
        with np.errstate(over="ignore"):
            numbers: Float32 = values.astype(np.float32, copy=False)
        finite = np.isfinite(numbers).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise InvalidArgument.for_field(
                field,
                f"row {row} holds {numbers[row].tolist()}; targets have to be finite",
                reason="TARGET_INVALID",
                metadata={"row": str(row)},
            )
        return numbers


def check_shape(shape: Sequence[int], channels: int, *, field: str) -> None:
    """Refuse inputs that a network of so many channels cannot take.

    Raises:
        InvalidArgument: TENSOR_INVALID or WIDTH_MISMATCH.
    """
    if len(shape) != 2:
        raise InvalidArgument.for_field(
            field,
            f"shape {list(shape[:8])} is not [rows, channels]",
            reason="TENSOR_INVALID",
            metadata={"expected": "2", "actual": str(len(shape))},
        )
    if shape[1] != channels:
        raise width_mismatch(field, channels, int(shape[1]))


def width_mismatch(field: str, expected: int, actual: int) -> InvalidArgument:
    """Return the error of rows that are wider or narrower than the network."""
    return InvalidArgument.for_field(
        field,
        f"the network takes {expected} values a row, but {actual} came",
        reason="WIDTH_MISMATCH",
        metadata={"expected": str(expected), "actual": str(actual)},
    )


def _wrong_kind(field: str, problem: str) -> InvalidArgument:
    return InvalidArgument.for_field(field, problem, reason="TARGET_INVALID")


def wrong_count(field: str, actual: int, rows: int) -> InvalidArgument:
    """Return the error of more or fewer targets than rows."""
    return InvalidArgument.for_field(
        field,
        f"there are {actual} of them for {rows} rows",
        reason="TARGET_INVALID",
        metadata={"expected": str(rows), "actual": str(actual)},
    )


def _call(work: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return work(*arguments, **options)
    except EngineInputError as error:
        raise InvalidArgument.for_field(
            error.field, f"{error.problem}; allowed: {error.allowed}", reason="TENSOR_INVALID"
        ) from error


def _count_equal(predicted: Int32 | None, right: Int32) -> int:
    if predicted is None:
        return 0
    return int(np.count_nonzero((predicted == right) & (right >= 0)))


def _absolute_error(outputs: Float32, targets: Float32) -> float:
    return float(np.abs(outputs.astype(np.float64) - targets).mean(axis=1).sum())
