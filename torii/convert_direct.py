"""Between the prototype's direct-IO messages, learning streams, and torii's domain."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError
from hanami.kyouko.v1 import learning_service_pb2 as learning_pb
from hanami.kyouko.v1 import network_service_pb2, template_service_pb2
from hanami.torii.v1 import direct_io_pb2 as pb

from mesh.errors import InvalidArgument
from mesh.tensors import array_of, tensor_of
from torii.domain.direct_io import DataKind, Layout, Part, Row, label_of, placed

# Targets that say that the network stands in `uuid`, as later prototypes did.
_TARGETS_WITH_UUID: Final = ("kyouko", "cluster")


@dataclass(frozen=True)
class Introduction:
    """What a client says first; `network` is empty when it only brings a fresh token."""

    token: str
    network: str


def introduction_of(message: str | bytes) -> Introduction:
    """Return the handshake in a message.

    Raises:
        InvalidArgument: STREAM_PROTOCOL: it is none.
    """
    try:
        content = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise _no_introduction() from error
    if not isinstance(content, dict):
        raise _no_introduction()
    token, target, uuid = (content.get(name, "") for name in ("token", "target", "uuid"))
    if not (isinstance(token, str) and isinstance(target, str) and isinstance(uuid, str)):
        raise _no_introduction()
    name = uuid if target in _TARGETS_WITH_UUID else target
    if name.count("/") == 1:
        name = "projects/{}/networks/{}".format(*name.split("/"))
    return Introduction(token, name)


def introduction_answer(*, uuid: str = "", problem: str = "") -> str:
    """Return the answer to a handshake; without a uuid it has failed."""
    content: dict[str, Any] = {"success": 1 if uuid else 0, "uuid": uuid}
    return json.dumps(content if uuid else {**content, "errorMessage": problem})


def part_of(data: bytes) -> Part:
    """Return the part of a row that is in a message.

    Raises:
        InvalidArgument: STREAM_PROTOCOL: there is none.
    """
    try:
        message = pb.ClusterIO.FromString(data)
    except DecodeError as error:
        raise _wrong("a ClusterIO message", "other bytes") from error
    if message.number_of_values != len(message.values):
        raise _wrong(f"{message.number_of_values} values", str(len(message.values)))
    if message.data_type not in pb.ClusterDataType.values():
        raise _wrong("a known dataType", str(message.data_type))
    if message.process_type not in pb.ClusterProcessType.values():
        raise _wrong("a known processType", str(message.process_type))
    return Part(
        segment=message.segment_name,
        is_last=message.is_last,
        is_learning=message.process_type == pb.CLUSTER_PROCESS_TYPE_LEARN,
        kind=DataKind(message.data_type),
        values=list(message.values),
    )


def layout_of(network: network_service_pb2.Network) -> Layout:
    """Return inputs and output of a network."""
    structure = network.structure
    output = structure.outputs[0]
    is_numbers = output.kind == template_service_pb2.OUTPUT_KIND_NUMBERS
    return Layout(
        inputs=[(item.name, item.channels) for item in structure.inputs],
        output=output.name,
        size=output.size if is_numbers else None,
    )


def frame_message(row: Row, sequence: int, layout: Layout) -> bytes:
    """Return a row as a frame of a learning stream."""
    inputs = tensor_of(np.array([row.inputs], np.float32))
    frame = learning_pb.LearnFrame(sequence=sequence, inputs=inputs)
    if row.target is not None and layout.size is None:
        frame.labels.values.append(label_of(row.target))
    elif row.target is not None:
        frame.targets.CopyFrom(tensor_of(np.array([row.target], np.float32)))
    return learning_pb.LearnRequest(frame=frame).SerializeToString()


def acknowledgement(part: Part) -> bytes:
    """Return the answer to a part that is not the last one."""
    return _message("", DataKind.SHOULD, [0.0], is_last=False, is_learning=part.is_learning)


def row_answers(
    row: Row, result: learning_pb.LearnResult, layout: Layout, labels: Sequence[str]
) -> Sequence[bytes]:
    """Return the answers to a complete row: its outputs when it was asked for them, and an end."""
    is_learning = row.target is not None
    end = _message(layout.output, DataKind.OUTPUT, [0.0], is_last=True, is_learning=is_learning)
    if is_learning:
        return [end]
    outputs = array_of(result.outputs, field="outputs")[0].tolist()
    values = outputs if layout.size is not None else placed(outputs, labels)
    return [
        _message(layout.output, DataKind.OUTPUT, values, is_last=False, is_learning=False),
        end,
    ]


def _message(
    segment: str, kind: DataKind, values: Sequence[float], *, is_last: bool, is_learning: bool
) -> bytes:
    message = pb.ClusterIO(
        segment_name=segment, is_last=is_last, number_of_values=len(values), values=values
    )
    message.data_type = pb.ClusterDataType.values()[kind]
    if is_learning:
        message.process_type = pb.CLUSTER_PROCESS_TYPE_LEARN
    return message.SerializeToString()


def _no_introduction() -> InvalidArgument:
    return _wrong('JSON like {"token": "...", "target": "my-project/my-network"}', "something else")


def _wrong(expected: str, actual: str) -> InvalidArgument:
    return InvalidArgument(
        f"expected {expected}, but {actual} came",
        reason="STREAM_PROTOCOL",
        metadata={"expected": expected, "actual": actual},
    )
