"""Messages of learning streams as JSON that people and tiny devices can write and read.

Proto JSON with these liberties. Coming in, `inputs` and `targets` may be numbers in
nested arrays, `labels` an array or a single value, and `sequence` may be left out.
Going out, tensors are nested arrays, 64-bit numbers are numbers, and a result also
has `predicted_labels`.
"""

import json
import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.type.v1 import tensor_pb2

from mesh.errors import DomainError, InvalidArgument
from mesh.tensors import array_of, tensor_of

Array = npt.NDArray[Any]
_REAL: Final = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)


class PlainJson:
    """Reads and writes the messages of one stream.

    It counts frames whose sequence is left out, and knows the labels by their numbers.
    Where a session goes on, only its `opened` tells where the count has stopped.
    """

    def __init__(self) -> None:
        self._last_sequence = 0
        self._has_to_open = False
        self._labels: list[str] = []

    def read(self, text: str) -> pb.LearnRequest:
        """Return the message in a text.

        Raises:
            InvalidArgument: STREAM_PROTOCOL: it holds none; TENSOR_INVALID: its numbers
                are no rows.
        """
        content = _parsed(text)
        frame = content.get("frame")
        if isinstance(frame, list):
            raise _no_message("a frame is an object")
        if isinstance(frame, dict):
            if self._has_to_open and "sequence" not in frame:
                problem = "has to be stated before `opened` has come, when a session goes on"
                raise _invalid("frame.sequence", problem, "STREAM_PROTOCOL")
            content = {**content, "frame": _frame_of(frame, self._last_sequence + 1)}
        try:
            request = json_format.ParseDict(content, pb.LearnRequest())
        except (json_format.ParseError, RecursionError, ValueError) as error:
            raise _no_message(str(error)) from error
        if request.WhichOneof("message") is None:
            raise _no_message("it is empty")
        if request.HasField("open"):
            self._has_to_open = bool(request.open.resume_token)
        if request.HasField("frame"):
            self._last_sequence = request.frame.sequence
        return request

    def write(self, response: pb.LearnResponse) -> str:
        """Return an answer as text."""
        content = _plain(response)
        if response.HasField("opened"):
            self._labels = list(response.opened.network.labels)
            self._last_sequence = max(self._last_sequence, response.opened.last_sequence)
            self._has_to_open = False
        if response.HasField("result"):
            self._labels += response.result.new_labels
            if response.result.HasField("predicted"):
                content["result"]["predicted_labels"] = self._named(response.result.predicted)
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def _named(self, predicted: tensor_pb2.Tensor) -> list[str | None]:
        indices = array_of(predicted, field="predicted").tolist()
        return [self._labels[i] if 0 <= i < len(self._labels) else None for i in indices]


def _parsed(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _no_message(str(error)) from error
    if not isinstance(content, dict):
        raise _no_message("it is no object")
    return content


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON; a missing value is null")


def _frame_of(frame: dict[str, Any], next_sequence: int) -> dict[str, Any]:
    """Return a frame as proto JSON has it."""
    inputs, targets, labels = (frame.get(name) for name in ("inputs", "targets", "labels"))
    is_one_row = isinstance(inputs, list) and not any(isinstance(row, list) for row in inputs)
    changed: dict[str, Any] = {"sequence": frame.get("sequence", next_sequence)}
    if isinstance(inputs, list):
        changed["inputs"] = _tensor([inputs] if is_one_row else inputs, "frame.inputs")
    if isinstance(targets, int | float):
        changed["targets"] = _tensor([[targets]], "frame.targets")
    elif isinstance(targets, list):
        one = is_one_row and not any(isinstance(row, list) for row in targets)
        changed["targets"] = _tensor([targets] if one else targets, "frame.targets")
    if isinstance(labels, str | int) and not isinstance(labels, bool):
        changed["labels"] = {"values": [str(labels)]}
    elif isinstance(labels, list):
        changed["labels"] = {"values": [_label(value) for value in labels]}
    return {**frame, **changed}


def _label(value: Any) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise _invalid("frame.labels", "a label is a text or a whole number", "TARGET_INVALID")


def _tensor(rows: list[Any], field: str) -> dict[str, Any]:
    """Return nested arrays of numbers as a tensor; null is NaN."""
    try:
        with np.errstate(over="ignore"):  # What float32 cannot hold becomes infinite.
            array = np.array(rows, np.float64).astype(np.float32)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        problem = "has to be rows of the same number of numbers (null for a missing one)"
        raise _invalid(field, problem, "TENSOR_INVALID") from error
    if not _holds_numbers(rows):
        raise _invalid(field, "holds something else than numbers", "TENSOR_INVALID")
    return json_format.MessageToDict(tensor_of(array), preserving_proto_field_name=True)


def _holds_numbers(rows: list[Any]) -> bool:
    # numpy would also take texts that look like numbers, and truth for 1.
    values = (value for row in rows for value in (row if isinstance(row, list) else [row]))
    return all(
        value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        for value in values
    )


def _plain(message: Message) -> dict[str, Any]:
    """Return a message as JSON values; fields without presence are always there."""
    content: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if field.is_repeated:
            content[field.name] = [_value(field, item) for item in value]
        else:
            content[field.name] = _value(field, value)
    return content


def _value(field: Any, value: Any) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return _message_value(value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.cpp_type in _REAL:
        return value if math.isfinite(value) else None
    return value


def _message_value(value: Message) -> Any:
    if isinstance(value, tensor_pb2.Tensor):
        return _numbers(array_of(value, field="tensor"))
    if value.DESCRIPTOR.full_name.startswith("google."):
        # Times, and errors with their details: proto JSON has its own words for them.
        return json_format.MessageToDict(value, preserving_proto_field_name=True)
    return _plain(value)


def _numbers(array: Array) -> Any:
    """Return an array as nested lists, with as few digits as tell its numbers apart."""
    if array.dtype != np.float32:
        return array.tolist()
    texts = array.ravel().astype("U")
    values = [
        float(text) if finite else None
        for text, finite in zip(texts.tolist(), np.isfinite(array).ravel().tolist(), strict=True)
    ]
    if array.ndim < 2:
        return values
    width = array.shape[-1]
    return [values[start * width : (start + 1) * width] for start in range(len(array))]


def _no_message(problem: str) -> InvalidArgument:
    return InvalidArgument(
        f"the text is no hanami.kyouko.v1.LearnRequest as JSON: {problem[:500]}",
        reason="STREAM_PROTOCOL",
        metadata={"expected": "a hanami.kyouko.v1.LearnRequest", "actual": "another text"},
    )


def _invalid(field: str, problem: str, reason: str) -> DomainError:
    return InvalidArgument.for_field(field, problem, reason=reason)
