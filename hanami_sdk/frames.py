"""Frames: rows on their way into a network.

Builds the messages that a learning stream sends. Inputs, targets and whole
numbers as labels go as packed bytes; only labels that are text go one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb
from numpy.typing import ArrayLike, NDArray

from hanami_sdk.errors import InvalidArgument
from hanami_sdk.tensors import as_rows, as_targets, encode

Labels = Sequence[str] | Sequence[int] | NDArray[np.generic]

DEFAULT_FRAME_ROWS = 64


@dataclass(frozen=True)
class Frame:
    """Rows in order, with or without what there is to learn from them.

    Attributes:
        inputs: shape [rows, channels], or one row of shape [channels]. uint8
            goes as it is, all else as float32; NaN is a missing value.
        labels: one label for each row, text or whole numbers (classes).
        targets: numbers to learn, shape [rows, outputs], or [rows] for one output.
        message_id: what the rows' source calls them, so that a message that it
            delivers again is not learned again.
        event_times: when each row was measured, shape [rows]: whole nanoseconds since
            1970-01-01 UTC, or numpy's datetime64; for networks whose pipeline needs times.
    """

    inputs: ArrayLike
    labels: Labels | None = None
    targets: ArrayLike | None = None
    message_id: str = ""
    event_times: ArrayLike | None = None


@dataclass(frozen=True)
class LateTargets:
    """Labels or targets of a frame that was sent before without any.

    Attributes:
        sequence: of that frame, as its result said.
        labels: one label for each of its rows (classes).
        targets: numbers to learn, shape [rows, outputs], or [rows] for one output.
    """

    sequence: int
    labels: Labels | None = None
    targets: ArrayLike | None = None


def row_count(message: pb.LearnFrame) -> int:
    """Return how many rows a frame's message is about."""
    if not message.target_sequence:
        return message.inputs.shape[0]
    if message.HasField("labels"):
        return len(message.labels.values)
    tensor = message.targets if message.HasField("targets") else message.label_numbers
    return tensor.shape[0]


def encode_frame(frame: Frame | LateTargets) -> pb.LearnFrame:
    """Build a frame's message, still without its sequence.

    Raises:
        InvalidArgument: inputs and labels or targets do not fit together.
    """
    if isinstance(frame, LateTargets):
        return _encode_late(frame)
    inputs = as_rows(frame.inputs)
    rows = inputs.shape[0]
    if rows == 0:
        raise InvalidArgument("A frame needs at least one row.", reason="TENSOR_INVALID")
    if frame.labels is not None and frame.targets is not None:
        raise InvalidArgument("A frame has labels or targets, not both.", reason="TARGET_INVALID")
    message = pb.LearnFrame(inputs=encode(inputs), message_id=frame.message_id)
    if frame.targets is not None:
        message.targets.CopyFrom(encode(as_targets(frame.targets, rows)))
    elif frame.labels is not None:
        _set_labels(message, frame.labels, rows)
    if frame.event_times is not None:
        message.event_times.extend(_as_nanoseconds(frame.event_times, rows))
    return message


def _encode_late(late: LateTargets) -> pb.LearnFrame:
    if (late.labels is None) == (late.targets is None):
        raise InvalidArgument("Late targets are labels or targets.", reason="TARGET_INVALID")
    message = pb.LearnFrame(target_sequence=late.sequence)
    if late.labels is not None:
        _set_labels(message, late.labels, len(late.labels))
    else:
        numbers = np.asarray(late.targets)
        rows = len(numbers) if numbers.ndim else 1
        message.targets.CopyFrom(encode(as_targets(numbers, rows)))
    return message


def split_rows(
    inputs: ArrayLike,
    labels: Labels | None = None,
    targets: ArrayLike | None = None,
    *,
    event_times: ArrayLike | None = None,
    frame_rows: int = DEFAULT_FRAME_ROWS,
) -> Iterator[Frame]:
    """Yield long arrays as frames of at most `frame_rows` rows, in order."""
    array = np.asarray(inputs)
    rows = array[np.newaxis, :] if array.ndim == 1 else array
    numbers = None if targets is None else np.asarray(targets)
    times = None if event_times is None else np.asarray(event_times)
    for name, values in (("labels", labels), ("targets", numbers), ("event times", times)):
        if values is not None and len(values) != len(rows):
            raise InvalidArgument(
                f"There are {len(rows)} rows, but {len(values)} {name}.", reason="TARGET_INVALID"
            )
    for start in range(0, len(rows), frame_rows):
        part = slice(start, start + frame_rows)
        yield Frame(
            rows[part],
            None if labels is None else labels[part],
            None if numbers is None else numbers[part],
            event_times=None if times is None else times[part],
        )


def as_frame(item: Frame | ArrayLike) -> Frame:
    """Return a frame as it is, and bare inputs as one that is only predicted."""
    return item if isinstance(item, Frame) else Frame(item)


def _as_nanoseconds(event_times: ArrayLike, rows: int) -> list[int]:
    times = np.asarray(event_times)
    if times.dtype.kind == "M":
        times = times.astype("datetime64[ns]").astype(np.int64)
    if times.shape != (rows,) or times.dtype.kind not in "iu":
        raise InvalidArgument(
            f"There are {rows} rows, but event times of type {times.dtype} and shape "
            f"{list(times.shape)}; one whole number of nanoseconds or datetime64 for each row.",
            reason="FIELD_INVALID",
        )
    nanoseconds: list[int] = times.tolist()
    return nanoseconds


def _set_labels(message: pb.LearnFrame, labels: Labels, rows: int) -> None:
    array = np.asarray(labels)
    if array.shape != (rows,):
        raise InvalidArgument(
            f"There are {rows} rows, but labels of shape {list(array.shape)}.",
            reason="TARGET_INVALID",
        )
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind in "iu":
        message.label_numbers.CopyFrom(encode(_as_known_integers(array)))
    elif array.dtype.kind in "UO" and all(isinstance(label, str) for label in array):
        message.labels.values.extend(array.tolist())
    else:
        raise InvalidArgument(
            f"Labels are text or whole numbers, not {array.dtype}; for numbers to "
            "approximate, use targets.",
            reason="TARGET_INVALID",
        )


def _as_known_integers(array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.dtype.str in ("|u1", "<i2", "<i4", "<i8"):
        return array
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise InvalidArgument("A label is too large a number.", reason="TARGET_INVALID")
    return array.astype(np.int64)
