"""Messages of the Open Inference Protocol to and from arrays and networks."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from hanami.inference import grpc_service_pb2 as pb

from kyouko.domain.engine import TaskKind
from kyouko.domain.networks.inference import Inferred
from kyouko.domain.networks.learner import Array, RowResults
from kyouko.domain.networks.network import Network
from mesh import names
from mesh.errors import InvalidArgument, NotFound

_INPUTS: Final = "inputs"
_PLATFORM: Final = "hanami"
# Type and, but for FP16, the field of contents; little-endian on the wire.
_TYPES: Final[dict[str, tuple[np.dtype[Any], str]]] = {
    "BOOL": (np.dtype("?"), "bool_contents"),
    "UINT8": (np.dtype("<u1"), "uint_contents"),
    "UINT16": (np.dtype("<u2"), "uint_contents"),
    "UINT32": (np.dtype("<u4"), "uint_contents"),
    "UINT64": (np.dtype("<u8"), "uint64_contents"),
    "INT8": (np.dtype("<i1"), "int_contents"),
    "INT16": (np.dtype("<i2"), "int_contents"),
    "INT32": (np.dtype("<i4"), "int_contents"),
    "INT64": (np.dtype("<i8"), "int64_contents"),
    "FP16": (np.dtype("<f2"), ""),
    "FP32": (np.dtype("<f4"), "fp32_contents"),
    "FP64": (np.dtype("<f8"), "fp64_contents"),
}
_MOST_DIMENSIONS: Final = 8
# What would change the meaning of a request, were it ignored.
_REFUSED_OF_TENSORS: Final = (
    "shared_memory_region",
    "shared_memory_byte_size",
    "shared_memory_offset",
    "classification",
)
_REFUSED_OF_REQUESTS: Final = ("sequence_id", "sequence_start", "sequence_end")


def model_ids(name: str, version: str, *, field: str) -> tuple[str, str]:
    """Return the ids of project and network in the name of a model.

    Raises:
        InvalidArgument: FIELD_INVALID: it is neither a resource name nor `project/network`.
        NotFound: A version is asked for, and there are none.
    """
    if version:
        raise NotFound(f"{name}, version {version}")
    pattern = "projects/*/networks/*" if name.count("/") == 3 else "*/*"
    project_id, network_id = names.parse(pattern, name, field=field)
    return project_id, network_id


def metadata_message(network: Network) -> pb.ModelMetadataResponse:
    """Return which tensors a network takes and gives."""
    structure = network.structure
    is_classes = structure.output.kind is TaskKind.CLASSES
    outputs = [_tensor_metadata("outputs", "FP32", -1, -1 if is_classes else structure.output.size)]
    if is_classes:
        outputs += [
            _tensor_metadata("predicted", "BYTES", -1),
            _tensor_metadata("labels", "BYTES", -1),
        ]
    return pb.ModelMetadataResponse(
        name=network.name,
        platform=_PLATFORM,
        inputs=[_tensor_metadata(_INPUTS, "FP32", -1, structure.channels)],
        outputs=outputs,
    )


def _tensor_metadata(
    name: str, datatype: str, *shape: int
) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(name=name, datatype=datatype, shape=shape)


def inputs_of(request: pb.ModelInferRequest) -> Array:
    """Return the rows of a request; those that came raw are not copied and read-only.

    Raises:
        InvalidArgument: TENSOR_INVALID: type, shape and elements do not fit together;
            FIELD_INVALID: other tensors than `inputs`, or parameters that cannot be heeded.
    """
    _refuse(request.parameters, _REFUSED_OF_REQUESTS, field="parameters")
    for requested in request.outputs:
        _refuse(requested.parameters, _REFUSED_OF_TENSORS, field=f"outputs[{requested.name}]")
    if [tensor.name for tensor in request.inputs] != [_INPUTS]:
        came = ", ".join(repr(tensor.name) for tensor in request.inputs[:8])
        raise InvalidArgument.for_field(
            _INPUTS, f"has to be one tensor called {_INPUTS!r}; came: {came or 'none'}"
        )
    tensor = request.inputs[0]
    _refuse(tensor.parameters, _REFUSED_OF_TENSORS, field=_INPUTS)
    dtype, contents = _type_of(tensor.datatype)
    count = _element_count(tensor.shape)
    if not request.raw_input_contents:
        return _from_contents(tensor, dtype, contents, count)
    if len(request.raw_input_contents) != 1 or tensor.HasField("contents"):
        raise _invalid(
            "raw_input_contents", "has to hold one tensor for each input, and nothing lies beside"
        )
    raw = request.raw_input_contents[0]
    if len(raw) != count * dtype.itemsize:
        raise _invalid(
            _INPUTS,
            f"shape {list(tensor.shape)} of {tensor.datatype} takes {count * dtype.itemsize} "
            f"bytes, but {len(raw)} came",
            expected=count * dtype.itemsize,
            actual=len(raw),
        )
    return _reshaped(np.frombuffer(raw, dtype), tensor.shape)


def _refuse(parameters: Iterable[str], refused: Sequence[str], *, field: str) -> None:
    for name in parameters:
        if name in refused:
            raise InvalidArgument.for_field(
                field, f"the parameter {name} is not offered", metadata={"parameter": name}
            )


def _type_of(datatype: str) -> tuple[np.dtype[Any], str]:
    found = _TYPES.get(datatype)
    if found is None:
        raise _invalid(_INPUTS, f"datatype {datatype!r} is none of {', '.join(_TYPES)}")
    return found


def _element_count(shape: Sequence[int]) -> int:
    if len(shape) > _MOST_DIMENSIONS or any(length < 0 for length in shape):
        raise _invalid(_INPUTS, f"{list(shape[:_MOST_DIMENSIONS])} is no shape")
    return math.prod(shape)


def _from_contents(
    tensor: pb.ModelInferRequest.InferInputTensor, dtype: np.dtype[Any], contents: str, count: int
) -> Array:
    if not contents:
        raise _invalid(_INPUTS, f"{tensor.datatype} has to come in raw_input_contents")
    elements = getattr(tensor.contents, contents)
    if len(elements) != count:
        raise _invalid(
            _INPUTS,
            f"shape {list(tensor.shape)} takes {count} elements, but {len(elements)} came in "
            f"{contents}",
            expected=count,
            actual=len(elements),
        )
    # The field is at least as wide as the type, and numpy would cut what is too large.
    wide = np.array(elements, _TYPES_OF_CONTENTS[contents])
    narrow = wide.astype(dtype)
    if dtype.kind in "iu" and not np.array_equal(wide, narrow):
        raise _invalid(_INPUTS, f"contents holds values that are no {tensor.datatype}")
    return _reshaped(narrow, tensor.shape)


_TYPES_OF_CONTENTS: Final = {
    "bool_contents": np.dtype("?"),
    "int_contents": np.dtype("<i4"),
    "int64_contents": np.dtype("<i8"),
    "uint_contents": np.dtype("<u4"),
    "uint64_contents": np.dtype("<u8"),
    "fp32_contents": np.dtype("<f4"),
    "fp64_contents": np.dtype("<f8"),
}


def _reshaped(array: Array, shape: Sequence[int]) -> Array:
    try:
        return array.reshape(tuple(shape))
    except (ValueError, OverflowError) as error:  # Empty, with lengths that numpy refuses.
        raise _invalid(_INPUTS, f"{list(shape)} is no shape") from error


def _invalid(field: str, problem: str, **numbers: int) -> InvalidArgument:
    return InvalidArgument.for_field(
        field,
        problem,
        reason="TENSOR_INVALID",
        metadata={name: str(number) for name, number in numbers.items()},
    )


def infer_message(request: pb.ModelInferRequest, inferred: Inferred) -> pb.ModelInferResponse:
    """Return the answer to a request: raw when its rows came raw.

    Raises:
        InvalidArgument: FIELD_INVALID: it asks for an output that the network does not have.
    """
    offered = _outputs(inferred)
    chosen = [requested.name for requested in request.outputs] or list(offered)
    message = pb.ModelInferResponse(model_name=inferred.network.name, id=request.id)
    message.parameters["learned_rows"].int64_param = inferred.results.learned_rows
    is_raw = bool(request.raw_input_contents)
    for name in chosen:
        if name not in offered:
            raise InvalidArgument.for_field(
                "outputs", f"{name!r} is none of {', '.join(offered)}", metadata={"output": name}
            )
        offered[name](message, is_raw)
    return message


def _outputs(inferred: Inferred) -> dict[str, Callable[[pb.ModelInferResponse, bool], None]]:
    results = inferred.results
    found: dict[str, Callable[[pb.ModelInferResponse, bool], None]] = {
        "outputs": lambda message, is_raw: _add_numbers(message, results.outputs, is_raw)
    }
    if results.predicted is not None:
        found["predicted"] = lambda message, is_raw: _add_texts(
            message, "predicted", _predicted(results, inferred.labels), is_raw
        )
        found["labels"] = lambda message, is_raw: _add_texts(
            message, "labels", inferred.labels, is_raw
        )
    return found


def _predicted(results: RowResults, labels: Sequence[str]) -> list[str]:
    indices = [] if results.predicted is None else results.predicted.tolist()
    return [labels[index] if index >= 0 else "" for index in indices]


def _add_numbers(message: pb.ModelInferResponse, array: Array, is_raw: bool) -> None:
    output = message.outputs.add(name="outputs", datatype="FP32", shape=array.shape)
    if is_raw:
        message.raw_output_contents.append(np.ascontiguousarray(array, "<f4").tobytes())
    else:
        output.contents.fp32_contents.extend(array.ravel().tolist())


def _add_texts(
    message: pb.ModelInferResponse, name: str, texts: Sequence[str], is_raw: bool
) -> None:
    output = message.outputs.add(name=name, datatype="BYTES", shape=[len(texts)])
    encoded = [text.encode() for text in texts]
    if is_raw:
        raw = b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
        message.raw_output_contents.append(raw)
    else:
        output.contents.bytes_contents.extend(encoded)
