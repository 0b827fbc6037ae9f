"""Frames and answers of learning streams to and from messages: the hot path of the edge."""

import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.type.v1 import tensor_pb2

from kyouko.convert.networks import network_ids, network_message
from kyouko.convert.scores import scores_message, scoring_options
from kyouko.domain.networks.labels import LONGEST_LABEL, check_label
from kyouko.domain.networks.learner import Labels, Numbers, Rows, Target, wrong_count
from kyouko.domain.networks.ledger import Duplicate
from kyouko.domain.streams.pieces import Frame, Refused, StreamMode
from kyouko.domain.streams.stream import (
    Answered,
    Closed,
    Event,
    LearnStream,
    Progress,
    StreamTerms,
)
from kyouko.domain.streams.streams import Opening
from mesh.errors import DomainError, InvalidArgument
from mesh.status import status_of
from mesh.tensors import array_of

_MODES = {pb.LEARN_MODE_LEARN: StreamMode.LEARN, pb.LEARN_MODE_PREDICT: StreamMode.PREDICT}
_PLACE = "frame."
# What a label costs beside its characters.
_WORD_BYTES = 64
_MOST_DIMENSIONS = 8
_LONGEST_MESSAGE_ID = 128


def opening_of(message: pb.LearnOpen) -> Opening:
    """Return what a validated open message asks for."""
    project_id, network_id = network_ids(message.network, field="open.network")
    return Opening(
        project_id=project_id,
        network_id=network_id,
        mode=_MODES[message.mode],
        max_outstanding_rows=message.max_outstanding_rows,
        return_outputs=message.return_outputs,
        resume_token=message.resume_token,
        label_horizon_rows=message.label_horizon_rows,
        scoring=scoring_options(message),
    )


def frame_of(message: pb.LearnFrame, terms: StreamTerms) -> Frame:
    """Return the frame in a message; of one that cannot be used it holds the error, no rows."""
    if message.target_sequence:
        return _late_targets_of(message, terms)
    try:
        _check_message_id(message.message_id)
        # The shape first: all else is bounded by the rows that the stream may send at once.
        terms.check_shape(message.inputs.shape, field="frame.inputs")
        inputs = array_of(message.inputs, field="frame.inputs")
        target, target_bytes = _target_of(message, len(inputs))
        times = event_times_of(message)
        _check_times(times, len(inputs))
        byte_count = inputs.nbytes + target_bytes + (times.nbytes if times is not None else 0)
        terms.check_bytes(byte_count)
    except DomainError as error:
        return Frame(message.sequence, 0, error)
    rows = Rows(inputs, target, place=_PLACE, event_times=times)
    return Frame(message.sequence, len(inputs), rows, byte_count, message_id=message.message_id)


def _late_targets_of(message: pb.LearnFrame, terms: StreamTerms) -> Frame:
    """Return a frame that has the targets of an earlier one."""
    try:
        _check_message_id(message.message_id)
        if message.HasField("inputs"):
            problem = "a frame with target_sequence has the targets of an earlier one, and no rows"
            raise InvalidArgument.for_field("frame.inputs", problem)
        row_count = _target_rows(message)
        terms.check_shape((row_count, terms.channels), field="frame.targets")
        target, target_bytes = _target_of(message, row_count)
        if target is None:
            problem = "has to come with labels, label_numbers or targets"
            raise InvalidArgument.for_field("frame.target_sequence", problem)
        terms.check_bytes(target_bytes)
    except DomainError as error:
        return Frame(message.sequence, 0, error)
    rows = Rows(np.empty((0, 0), np.float32), target, place=_PLACE)
    return Frame(
        message.sequence,
        row_count,
        rows,
        target_bytes,
        target_sequence=message.target_sequence,
        message_id=message.message_id,
    )


def _check_times(
    times: "np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None", rows: int
) -> None:
    if times is not None and len(times) != rows:
        problem = f"there are {len(times)} of them for {rows} rows"
        raise InvalidArgument.for_field("frame.event_times", problem)


def _check_message_id(message_id: str) -> None:
    if len(message_id) > _LONGEST_MESSAGE_ID:
        problem = f"has {len(message_id)} characters; at most {_LONGEST_MESSAGE_ID} are allowed"
        raise InvalidArgument.for_field("frame.message_id", problem)


def _target_rows(message: pb.LearnFrame) -> int:
    kind = message.WhichOneof("target")
    if kind == "labels":
        return len(message.labels.values)
    tensor = message.label_numbers if kind == "label_numbers" else message.targets
    return tensor.shape[0] if tensor.shape else 0


def event_times_of(
    message: pb.LearnFrame,
) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None":
    """Return the time of each row, if they came."""
    return np.array(message.event_times, np.int64) if message.event_times else None


def _target_of(message: pb.LearnFrame, rows: int) -> tuple[Target, int]:
    """Return the target of so many rows, and the memory it takes, bytes."""
    kind = message.WhichOneof("target")
    if kind == "labels":
        return _labels_of(message, rows)
    if kind == "label_numbers":
        _check_tensor(message.label_numbers, rows, field="frame.label_numbers")
        numbers = array_of(message.label_numbers, field="frame.label_numbers")
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise InvalidArgument.for_field(
                "frame.label_numbers",
                f"{numbers.dtype} of shape {list(numbers.shape)} are no whole numbers, one a row",
                reason="TARGET_INVALID",
            )
        return Labels(numbers.tolist()), _WORD_BYTES * rows
    if kind == "targets":
        _check_tensor(message.targets, rows, field="frame.targets")
        values = array_of(message.targets, field="frame.targets")
        return Numbers(values), values.nbytes
    return None, 0


def _labels_of(message: pb.LearnFrame, rows: int) -> tuple[Labels, int]:
    values = message.labels.values
    if len(values) != rows:
        raise wrong_count("frame.labels", len(values), rows)
    labels = list(values)
    characters = sum(map(len, labels))
    if characters > LONGEST_LABEL * rows:
        for row, label in enumerate(labels):
            check_label(label, row, "frame.labels")
    return Labels(labels), _WORD_BYTES * rows + characters


def _check_tensor(tensor: tensor_pb2.Tensor, rows: int, *, field: str) -> None:
    """Refuse targets that are not one a row, before anything is made of them."""
    if len(tensor.shape) > _MOST_DIMENSIONS:
        problem = f"{len(tensor.shape)} lengths are no shape"
        raise InvalidArgument.for_field(field, problem, reason="TENSOR_INVALID")
    if tensor.shape and tensor.shape[0] != rows:
        raise wrong_count(field, tensor.shape[0], rows)


def opened_message(stream: LearnStream) -> pb.LearnResponse:
    """Return the first message of a stream."""
    terms: StreamTerms = stream.terms
    return pb.LearnResponse(
        opened=pb.LearnOpened(
            network=network_message(stream.network),
            max_outstanding_rows=terms.window_rows,
            max_frame_rows=terms.max_frame_rows,
            resume_token=stream.session.token if stream.session else "",
            last_sequence=stream.session.last_sequence if stream.session else 0,
            durable_sequence=stream.session.last_sequence if stream.session else 0,
        )
    )


def event_message(event: Event, *, return_outputs: bool) -> pb.LearnResponse:
    """Return an event of a stream as a message."""
    if isinstance(event, Answered):
        return pb.LearnResponse(result=_result_message(event, return_outputs))
    if isinstance(event, Refused):
        return pb.LearnResponse(fault=_fault_message(event))
    if isinstance(event, Progress):
        progress = pb.LearnProgress(
            learned_rows=event.learned_rows,
            kept_rows=event.kept.rows,
            durable_sequence=event.kept.sequence,
        )
        return pb.LearnResponse(progress=progress)
    return pb.LearnResponse(closed=_closed_message(event))


def rows_in(event: Event) -> int:
    """Return how many rows an event answers; none where it answers them again."""
    if isinstance(event, Answered) and not isinstance(event.results, Duplicate):
        return len(event.results.outputs)
    return 0


def _closed_message(event: Closed) -> pb.LearnClosed:
    return pb.LearnClosed(network=network_message(event.network))


def _result_message(event: Answered, return_outputs: bool) -> pb.LearnResult:
    results = event.results
    message = pb.LearnResult(
        sequence=event.sequence,
        learned_rows=results.learned_rows,
        kept_rows=event.kept.rows,
        durable_sequence=event.kept.sequence,
        new_labels=event.new_labels,
    )
    if isinstance(results, Duplicate):
        message.duplicate = True
        return message
    message.correct_rows = results.correct_rows
    if event.scores is not None:
        message.scores.CopyFrom(scores_message(event.scores))
    if results.predicted is not None:
        _put(message.predicted, results.predicted, tensor_pb2.DATA_TYPE_INT32)
    if return_outputs or results.predicted is None:
        _put(message.outputs, results.outputs, tensor_pb2.DATA_TYPE_FLOAT32)
    if results.loss is not None:
        _put(message.loss, results.loss, tensor_pb2.DATA_TYPE_FLOAT32)
    return message


def _put(
    tensor: tensor_pb2.Tensor,
    array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]",
    data_type: "tensor_pb2.DataType.ValueType",
) -> None:
    # Half the time of `mesh.tensors.tensor_of`: type and layout are known here.
    tensor.data_type = data_type
    tensor.shape.extend(array.shape)
    tensor.packed = array.tobytes()


def _fault_message(event: Refused) -> pb.LearnFault:
    message = pb.LearnFault(status=status_of(event.error), durable_sequence=event.durable_sequence)
    if event.sequence is not None:
        message.sequence = event.sequence
    row = event.error.metadata.get("row")
    if row is not None:
        message.row = int(row)
    return message
