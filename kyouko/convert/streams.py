"""Frames and answers of learning streams to and from messages: the hot path of the edge."""

import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.type.v1 import tensor_pb2

from kyouko.convert.networks import network_ids, network_message
from kyouko.domain.networks.learner import Labels, Numbers, Rows, Target
from kyouko.domain.streams.pieces import Frame, Refused, StreamMode
from kyouko.domain.streams.stream import (
    Answered,
    Closed,
    Event,
    Idle,
    LearnStream,
    StreamTerms,
)
from kyouko.domain.streams.streams import Opening
from mesh.errors import DomainError, InvalidArgument
from mesh.status import status_of
from mesh.tensors import array_of

_MODES = {pb.LEARN_MODE_LEARN: StreamMode.LEARN, pb.LEARN_MODE_PREDICT: StreamMode.PREDICT}
_PLACE = "frame."


def opening_of(message: pb.LearnOpen) -> Opening:
    """Return what a validated open message asks for."""
    project_id, network_id = network_ids(message.network, field="open.network")
    return Opening(
        project_id=project_id,
        network_id=network_id,
        mode=_MODES[message.mode],
        max_outstanding_rows=message.max_outstanding_rows,
        return_outputs=message.return_outputs,
    )


def frame_of(message: pb.LearnFrame) -> Frame:
    """Return the frame in a message; one that cannot be read holds its error."""
    shape = message.inputs.shape
    # Until the tensor is checked its shape is only what the client says.
    row_count = shape[0] if shape and 0 <= shape[0] <= len(message.inputs.packed) else 0
    try:
        inputs = array_of(message.inputs, field="frame.inputs")
        rows: Rows | DomainError = Rows(inputs, _target_of(message), place=_PLACE)
        row_count = len(inputs) if inputs.ndim else 0
    except InvalidArgument as error:
        rows = error
    return Frame(message.sequence, row_count, rows)


def _target_of(message: pb.LearnFrame) -> Target:
    kind = message.WhichOneof("target")
    if kind == "labels":
        return Labels(list(message.labels.values))
    if kind == "label_numbers":
        numbers = array_of(message.label_numbers, field="frame.label_numbers")
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise InvalidArgument.for_field(
                "frame.label_numbers",
                f"{numbers.dtype} of shape {list(numbers.shape)} are no whole numbers, one a row",
                reason="TARGET_INVALID",
            )
        return Labels(numbers.tolist())
    if kind == "targets":
        return Numbers(array_of(message.targets, field="frame.targets"))
    return None


def opened_message(stream: LearnStream) -> pb.LearnResponse:
    """Return the first message of a stream."""
    terms: StreamTerms = stream.terms
    return pb.LearnResponse(
        opened=pb.LearnOpened(
            network=network_message(stream.network),
            max_outstanding_rows=terms.window_rows,
            max_frame_rows=terms.max_frame_rows,
        )
    )


def event_message(event: Event, *, return_outputs: bool) -> pb.LearnResponse:
    """Return an event of a stream as a message."""
    if isinstance(event, Answered):
        return pb.LearnResponse(result=_result_message(event, return_outputs))
    if isinstance(event, Refused):
        return pb.LearnResponse(fault=_fault_message(event))
    if isinstance(event, Idle):
        progress = pb.LearnProgress(learned_rows=event.learned_rows, kept_rows=event.kept_rows)
        return pb.LearnResponse(progress=progress)
    return pb.LearnResponse(closed=_closed_message(event))


def _closed_message(event: Closed) -> pb.LearnClosed:
    return pb.LearnClosed(network=network_message(event.network))


def _result_message(event: Answered, return_outputs: bool) -> pb.LearnResult:
    results = event.results
    message = pb.LearnResult(
        sequence=event.sequence,
        correct_rows=results.correct_rows,
        learned_rows=results.learned_rows,
        kept_rows=event.kept_rows,
        new_labels=event.new_labels,
    )
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
    message = pb.LearnFault(status=status_of(event.error))
    if event.sequence is not None:
        message.sequence = event.sequence
    row = event.error.metadata.get("row")
    if row is not None:
        message.row = int(row)
    return message
