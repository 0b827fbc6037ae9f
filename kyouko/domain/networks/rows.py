"""Rows on their way into a network, and what it said of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mesh.errors import InvalidArgument

__all__ = [
    "Labels",
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
Int64 = npt.NDArray[np.int64]


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
        event_times: int64, shape (rows,): nanoseconds since 1970-01-01 UTC; None when not known.
    """

    inputs: Array
    target: Target = None
    place: str = ""
    event_times: Int64 | None = None

    def of(self, places: npt.NDArray[np.int64]) -> "Rows":
        """Return some of the rows."""
        target = self.target
        if isinstance(target, Numbers):
            target = Numbers(target.values[places])
        elif isinstance(target, Labels):
            chosen: list[Any] = [target.values[place] for place in places.tolist()]
            target = Labels(chosen)
        times = None if self.event_times is None else self.event_times[places]
        return replace(self, inputs=self.inputs[places], target=target, event_times=times)


@dataclass(frozen=True)
class Saying:
    """What a network that teaches itself said of rows before they came, and what they were.

    Attributes:
        predicted: float32, shape (rows, outputs), in the raw units; NaN where nothing was said.
        actual: the same shape; NaN where that is not known.
    """

    predicted: Float32
    actual: Float32

    def spread(self, places: npt.NDArray[np.int64], row_count: int) -> "Saying":
        """Return the same of rows of which only these places were taken."""
        predicted = np.full((row_count, self.predicted.shape[1]), np.nan, np.float32)
        actual = predicted.copy()
        predicted[places], actual[places] = self.predicted, self.actual
        return Saying(predicted, actual)


@dataclass(frozen=True)
class RowResults:
    """What a network said of rows, before it learned any of them.

    Attributes:
        outputs: float32, shape (rows, outputs); NaN for a row that was left out.
        predicted: int32, shape (rows,): output of the most probable label, -1 if none; None
            for numbers.
        loss: float32, shape (rows,); None without targets, NaN for a row without a score.
        correct_rows: rows whose label was predicted.
        absolute_error: sum over the rows of the mean absolute error (numbers).
        labels_before: labels known before these rows.
        labels_after: labels known after them.
        learned_rows: rows learned in the network's life, these included.
        foretold: what was said of these rows before they came, and what they were; None unless
            the network teaches itself.
    """

    outputs: Float32
    predicted: Int32 | None
    loss: Float32 | None
    correct_rows: int
    absolute_error: float
    labels_before: int
    labels_after: int
    learned_rows: int
    foretold: Saying | None = None

    @property
    def scored_rows(self) -> int:
        """Rows with a score."""
        return 0 if self.loss is None else int(np.count_nonzero(~np.isnan(self.loss)))

    @property
    def loss_sum(self) -> float:
        """The losses of the rows with a score, added up."""
        return 0.0 if self.loss is None else float(np.nansum(self.loss, dtype="float64"))

    def spread(self, places: npt.NDArray[np.int64], row_count: int) -> "RowResults":
        """Return the results of rows of which only these places were taken."""
        if len(places) == row_count:
            return self
        outputs = np.full((row_count, self.outputs.shape[1]), np.nan, np.float32)
        outputs[places] = self.outputs
        predicted, loss = self.predicted, self.loss
        if predicted is not None:
            known, predicted = predicted, np.full(row_count, -1, np.int32)
            predicted[places] = known
        if loss is not None:
            loss = np.full(row_count, np.nan, np.float32)
            loss[places] = self.loss
        foretold = None if self.foretold is None else self.foretold.spread(places, row_count)
        return replace(self, outputs=outputs, predicted=predicted, loss=loss, foretold=foretold)

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
            foretold=None,
        )


def check_shape(shape: Sequence[int], channels: int | range, *, field: str) -> None:
    """Refuse inputs that a network of so many channels, or so few to so many, cannot take.

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
    allowed = channels if isinstance(channels, range) else range(channels, channels + 1)
    if shape[1] not in allowed:
        nearest = allowed[0] if shape[1] < allowed[0] else allowed[-1]
        raise width_mismatch(field, nearest, int(shape[1]))


def width_mismatch(field: str, expected: int, actual: int) -> InvalidArgument:
    """Return the error of rows that are wider or narrower than the network."""
    return InvalidArgument.for_field(
        field,
        f"the network takes {expected} values a row, but {actual} came",
        reason="WIDTH_MISMATCH",
        metadata={"expected": str(expected), "actual": str(actual)},
    )


def wrong_count(field: str, actual: int, rows: int) -> InvalidArgument:
    """Return the error of more or fewer targets than rows."""
    return InvalidArgument.for_field(
        field,
        f"there are {actual} of them for {rows} rows",
        reason="TARGET_INVALID",
        metadata={"expected": str(rows), "actual": str(actual)},
    )
