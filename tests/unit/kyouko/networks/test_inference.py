"""Messages of the Open Inference Protocol: every type, and nothing that does not fit."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hanami.inference import grpc_service_pb2 as pb

from kyouko.convert.inference import infer_message, inputs_of, metadata_message, model_ids
from kyouko.domain.engine import Arrival
from kyouko.domain.networks.inference import Inferred
from kyouko.domain.networks.learner import Labels, Learner, Rows
from kyouko.domain.networks.network import Network
from kyouko.domain.template import resolve
from kyouko.templates import shipped_templates
from mesh.errors import DomainError, InvalidArgument, NotFound

VALUES = [[0, 1, 2], [3, 4, 5]]


def network(template: str = "flat") -> Network:
    """Return a network of three channels that has learned nothing."""
    structure = resolve(shipped_templates()[template].template, channels=3)
    return Network("uid", "plant", "press", structure, datetime.now(UTC), "users/alice")


def inferred(labels: list[str]) -> Inferred:
    """Return what a network says of two rows that has learned these labels."""
    made = network()
    learner = Learner(made.structure, None)
    rows = np.arange(3 * len(labels), dtype=np.float32).reshape(-1, 3)
    if labels:
        learner.learn(Rows(rows, Labels(labels)), Arrival.STREAMED)
    return Inferred(made, learner.predict(Rows(rows[:2])), learner.labels.labels)


def request(
    datatype: str = "FP32", shape: tuple[int, ...] = (2, 3), raw: bytes | None = None, **fields: Any
) -> pb.ModelInferRequest:
    """Return a request with one tensor `inputs`."""
    tensor = pb.ModelInferRequest.InferInputTensor(name="inputs", datatype=datatype, shape=shape)
    message = pb.ModelInferRequest(model_name="plant/press", inputs=[tensor], **fields)
    if raw is not None:
        message.raw_input_contents.append(raw)
    return message


def refusal(message: pb.ModelInferRequest) -> DomainError:
    """Return why a request is refused."""
    with pytest.raises(InvalidArgument) as refused:
        inputs_of(message)
    return refused.value


@pytest.mark.parametrize("name", ["projects/plant/networks/press", "plant/press"])
def test_a_model_is_a_network(name: str) -> None:
    """By its resource name, or by the two ids."""
    assert ("plant", "press") == model_ids(name, "", field="name")


@pytest.mark.parametrize("name", ["", "press", "a/b/c", "networks/a/projects/b", "plant/"])
def test_other_names_are_refused(name: str) -> None:
    """What names no network is a mistake of the caller."""
    with pytest.raises(InvalidArgument):
        model_ids(name, "", field="name")


def test_there_are_no_versions() -> None:
    """A version that is asked for is not found."""
    with pytest.raises(NotFound):
        model_ids("plant/press", "1", field="name")


@pytest.mark.parametrize(
    ("datatype", "dtype"),
    [
        ("UINT8", "<u1"),
        ("UINT16", "<u2"),
        ("UINT32", "<u4"),
        ("UINT64", "<u8"),
        ("INT8", "<i1"),
        ("INT16", "<i2"),
        ("INT32", "<i4"),
        ("INT64", "<i8"),
        ("FP16", "<f2"),
        ("FP32", "<f4"),
        ("FP64", "<f8"),
    ],
)
def test_raw_contents_of_every_type(datatype: str, dtype: str) -> None:
    """The bytes are read as what they are."""
    array = inputs_of(request(datatype, raw=np.array(VALUES, dtype).tobytes()))

    assert (np.dtype(dtype), VALUES) == (array.dtype, array.tolist())


@pytest.mark.parametrize(
    ("datatype", "contents"),
    [
        ("UINT8", "uint_contents"),
        ("INT16", "int_contents"),
        ("INT64", "int64_contents"),
        ("UINT64", "uint64_contents"),
        ("FP32", "fp32_contents"),
        ("FP64", "fp64_contents"),
    ],
)
def test_typed_contents(datatype: str, contents: str) -> None:
    """Elements written one by one are the same rows."""
    message = request(datatype)
    getattr(message.inputs[0].contents, contents).extend(range(6))

    assert VALUES == inputs_of(message).tolist()


def test_booleans_are_rows_too() -> None:
    """Yes and no come raw or one by one."""
    message = request("BOOL", (1, 2))
    message.inputs[0].contents.bool_contents.extend([True, False])

    assert [[True, False]] == inputs_of(message).tolist()
    assert [[True, False]] == inputs_of(request("BOOL", (1, 2), raw=b"\x01\x00")).tolist()


def test_numbers_that_their_type_cannot_hold_are_refused() -> None:
    """256 is no UINT8, and is not quietly made 0."""
    message = request("UINT8", (1, 1))
    message.inputs[0].contents.uint_contents.append(256)

    assert "TENSOR_INVALID" == refusal(message).reason


@pytest.mark.parametrize(
    "message",
    [
        request("BF16", raw=bytes(12)),
        request("BYTES", raw=bytes(24)),
        request("", raw=bytes(24)),
        request(raw=bytes(23)),
        request(shape=(-1, 3), raw=bytes(24)),
        request(shape=(2,) * 9, raw=bytes(2048)),
        request(shape=(0, 2**62, 2**62), raw=b""),
        request(),
        request("FP16"),
    ],
)
def test_what_does_not_fit_is_refused(message: pb.ModelInferRequest) -> None:
    """Type, shape and bytes have to agree."""
    assert "TENSOR_INVALID" == refusal(message).reason


def test_raw_and_typed_contents_exclude_each_other() -> None:
    """Two sources of the same rows are a mistake."""
    message = request(raw=bytes(24))
    message.inputs[0].contents.fp32_contents.append(1.0)

    assert "TENSOR_INVALID" == refusal(message).reason


def test_only_one_tensor_called_inputs_is_taken() -> None:
    """The error names what came."""
    message = request(raw=bytes(24))
    message.inputs[0].name = "pixels"

    assert "pixels" in refusal(message).message


def test_parameters_that_would_be_ignored_in_vain_are_refused() -> None:
    """Shared memory, classification and sequences are not quietly left out; the rest is."""
    shared, classified = request(raw=bytes(24)), request(raw=bytes(24))
    shared.inputs[0].parameters["shared_memory_region"].string_param = "mine"
    classified.outputs.add(name="outputs").parameters["classification"].int64_param = 3
    sequence, harmless = request(raw=bytes(24)), request(raw=bytes(24))
    sequence.parameters["sequence_id"].int64_param = 1
    harmless.parameters["priority"].uint64_param = 1

    for message in (shared, classified, sequence):
        assert "FIELD_INVALID" == refusal(message).reason
    assert (2, 3) == inputs_of(harmless).shape


def test_metadata_of_labels_and_of_numbers() -> None:
    """Labels have three outputs of growing width, numbers one whose width is known."""
    labels = metadata_message(network())
    numbers = metadata_message(network("flat-numbers"))

    assert ["outputs", "predicted", "labels"] == [tensor.name for tensor in labels.outputs]
    assert [[-1, -1], [-1], [-1]] == [list(tensor.shape) for tensor in labels.outputs]
    assert [[-1, 1]] == [list(tensor.shape) for tensor in numbers.outputs]
    assert [("inputs", "FP32", [-1, 3])] == [
        (tensor.name, tensor.datatype, list(tensor.shape)) for tensor in numbers.inputs
    ]


def test_answers_are_typed_when_the_question_was() -> None:
    """Who writes numbers one by one reads them one by one."""
    message = request(id="7")
    message.inputs[0].contents.fp32_contents.extend([0.0] * 6)

    answer = infer_message(message, inferred(["a", "b", "b"]))

    outputs, predicted, labels = answer.outputs
    assert ("7", 3) == (answer.id, answer.parameters["learned_rows"].int64_param)
    assert ([2, 2], 4) == (list(outputs.shape), len(outputs.contents.fp32_contents))
    assert set(predicted.contents.bytes_contents) <= {b"a", b"b"}
    assert [b"a", b"b"] == list(labels.contents.bytes_contents)
    assert not answer.raw_output_contents


def test_raw_texts_carry_their_lengths() -> None:
    """Four bytes of length, then the text."""
    message = request(raw=bytes(24))
    message.outputs.add(name="labels")

    answer = infer_message(message, inferred(["ä", "b"]))

    assert [b"\x02\x00\x00\x00\xc3\xa4\x01\x00\x00\x00b"] == list(answer.raw_output_contents)


def test_a_network_without_labels_predicts_none() -> None:
    """Before the first label the prediction is an empty text and there are no outputs."""
    empty = inferred([])
    rows = Learner(empty.network.structure, None).predict(Rows(np.zeros((2, 3), np.float32)))

    answer = infer_message(request(raw=bytes(24)), replace(empty, results=rows))

    assert [[2, 0], [2], [0]] == [list(output.shape) for output in answer.outputs]
    assert [b"", bytes(8), b""] == list(answer.raw_output_contents)


def test_an_unknown_output_is_refused() -> None:
    """The error names those there are."""
    message = request(raw=bytes(24))
    message.outputs.add(name="logits")

    with pytest.raises(InvalidArgument, match="outputs, predicted, labels"):
        infer_message(message, inferred(["a"]))
