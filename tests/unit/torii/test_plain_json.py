"""JSON for people: what may be written, and what is read back."""

import json
from typing import Any

import numpy as np
import pytest
from google.rpc import status_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.type.v1 import tensor_pb2

from mesh.errors import DomainError
from mesh.tensors import array_of, tensor_of
from torii.plain_json import PlainJson


def frame(**content: Any) -> pb.LearnFrame:
    """Return the frame that a text with this content stands for."""
    return PlainJson().read(json.dumps({"frame": content})).frame


def rows_of(tensor: tensor_pb2.Tensor) -> Any:
    """Return a tensor as nested lists, all numbers as text."""
    return array_of(tensor, field="inputs").astype(str).tolist()


def refusal(text: str) -> DomainError:
    """Return why a text is refused."""
    with pytest.raises(DomainError) as refused:
        PlainJson().read(text)
    return refused.value


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([[1, 2.5], [3, 4]], [["1.0", "2.5"], ["3.0", "4.0"]]),
        ([1, 2.5], [["1.0", "2.5"]]),
        ([[1, None]], [["1.0", "nan"]]),
        ([[1e300, -1e300]], [["inf", "-inf"]]),
    ],
)
def test_rows_are_numbers_in_brackets(inputs: Any, expected: Any) -> None:
    """Nested or a single row; null is a missing value."""
    assert expected == rows_of(frame(inputs=inputs).inputs)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(["a", "b"], ["a", "b"]), ([1, -2], ["1", "-2"]), ("a", ["a"]), (7, ["7"])],
)
def test_labels_are_texts_or_whole_numbers(labels: Any, expected: list[str]) -> None:
    """One for each row, or the one of the only row; numbers are their digits."""
    assert expected == list(frame(inputs=[1], labels=labels).labels.values)


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        ({"inputs": [[1], [2]], "targets": [0.5, 0.6]}, [2]),
        ({"inputs": [[1], [2]], "targets": [[0.5], [0.6]]}, [2, 1]),
        ({"inputs": [1], "targets": [0.5, 0.6]}, [1, 2]),
        ({"inputs": [1], "targets": 0.5}, [1, 1]),
    ],
)
def test_targets_belong_to_their_rows(content: dict[str, Any], shape: list[int]) -> None:
    """For one row a list is its outputs, for many the list has one number for each."""
    assert shape == list(frame(**content).targets.shape)


def test_proto_json_is_understood_too() -> None:
    """Tensors and label lists as the contract spells them."""
    tensor = {"data_type": "DATA_TYPE_INT16", "shape": [1, 2], "values": {"values": [1, 2]}}

    read = frame(sequence="9", inputs=tensor, labels={"values": ["a"]})

    assert (9, [["1", "2"]], ["a"]) == (
        read.sequence,
        rows_of(read.inputs),
        list(read.labels.values),
    )


def test_frames_are_counted_when_nobody_does() -> None:
    """From 1, or from the last sequence given; a frame that was misspelt does not count."""
    reader = PlainJson()
    texts = ['{"frame":{"inputs":[1]}}', '{"frame":{"sequence":5,"inputs":[1]}}']

    sequences = [reader.read(texts[0]).frame.sequence, reader.read(texts[1]).frame.sequence]
    with pytest.raises(DomainError):
        reader.read('{"frame":{"inputs":[[1],[1,2]]}}')
    sequences.append(reader.read(texts[0]).frame.sequence)

    assert [1, 5, 6] == sequences


def test_a_session_is_counted_on_from_where_it_stopped() -> None:
    """A frame without a sequence waits for `opened`: counted from 1 it would be a duplicate."""
    form = PlainJson()
    form.read('{"open":{"network":"n","mode":1,"resume_token":"secret"}}')
    text = '{"frame":{"inputs":[1]}}'
    with pytest.raises(DomainError, match=r"frame\.sequence"):
        form.read(text)

    form.write(pb.LearnResponse(opened=pb.LearnOpened(last_sequence=41)))

    assert 42 == form.read(text).frame.sequence


def test_other_messages_are_proto_json() -> None:
    """Open, authentication and close."""
    texts = (
        '{"open":{"network":"projects/p/networks/n","mode":"LEARN_MODE_LEARN"}}',
        '{"authentication":{"access_token":"secret"}}',
        '{"close":{}}',
    )

    kinds = [PlainJson().read(text).WhichOneof("message") for text in texts]

    assert ["open", "authentication", "close"] == kinds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "{}",
        "null",
        '{"frame":[]}',
        '{"frame":{"colour":1}}',
        '{"frame":{"inputs":[NaN]}}',
        '{"frame":{"inputs":[1]},"close":{}}',
        "[" * 100_000,
        '{"frame":{"sequence":' + "9" * 5000 + "}}",
        '{"frame":{"sequence":"9999999999999999999999"}}',
    ],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    """Broken JSON, other values, unknown fields, endless brackets."""
    assert "STREAM_PROTOCOL" == refusal(text).reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"inputs": [[1], [1, 2]]}, "TENSOR_INVALID"),
        ({"inputs": [["1"]]}, "TENSOR_INVALID"),
        ({"inputs": [[True]]}, "TENSOR_INVALID"),
        ({"inputs": [[[1]]]}, "TENSOR_INVALID"),
        ({"inputs": [[{}]]}, "TENSOR_INVALID"),
        ({"inputs": [[10**400]]}, "TENSOR_INVALID"),
        ({"inputs": [1], "targets": ["x"]}, "TENSOR_INVALID"),
        ({"inputs": [1], "labels": [1.5]}, "TARGET_INVALID"),
        ({"inputs": [1], "labels": [None]}, "TARGET_INVALID"),
    ],
)
def test_what_is_no_row_is_refused(content: dict[str, Any], reason: str) -> None:
    """Ragged rows, texts and truth values are no numbers."""
    assert reason == refusal(json.dumps({"frame": content})).reason


def test_answers_are_plain() -> None:
    """Tensors as lists of few digits, 64-bit numbers as numbers, labels by name."""
    writer = PlainJson()
    opened = pb.LearnResponse(opened=pb.LearnOpened(max_frame_rows=4))
    opened.opened.network.labels.append("low")
    result = pb.LearnResult(sequence=7, learned_rows=2**53 - 1, new_labels=["high"])
    result.outputs.CopyFrom(tensor_of(np.array([[0.1, np.nan]], np.float32)))
    result.predicted.CopyFrom(tensor_of(np.array([1, -1], np.int32)))

    first = json.loads(writer.write(opened))
    second = json.loads(writer.write(pb.LearnResponse(result=result)))["result"]

    assert (4, ["low"]) == (first["opened"]["max_frame_rows"], first["opened"]["network"]["labels"])
    assert (7, 2**53 - 1, 0) == (
        second["sequence"],
        second["learned_rows"],
        second["correct_rows"],
    )
    assert [[0.1, None]] == second["outputs"]
    assert ([1, -1], ["high", None]) == (second["predicted"], second["predicted_labels"])
    assert "loss" not in second


def test_messages_in_messages_are_plain_too() -> None:
    """Scores: 64-bit numbers as numbers, what is not a number as null."""
    result = pb.LearnResult(scores=pb.LearnScores(scored_rows=7))
    result.scores.classes.total.rows = 3
    result.scores.classes.total.network.accuracy = float("nan")

    read = json.loads(PlainJson().write(pb.LearnResponse(result=result)))["result"]["scores"]

    assert (7, 3, None) == (
        read["scored_rows"],
        read["classes"]["total"]["rows"],
        read["classes"]["total"]["network"]["accuracy"],
    )


def test_every_float32_survives() -> None:
    """The short digits are still those of one number only."""
    random = np.random.default_rng(3)
    values = random.integers(0, 2**32, 2000, np.uint32).view(np.float32)
    values = values[np.isfinite(values)]
    result = pb.LearnResult(loss=tensor_of(values))

    read = json.loads(PlainJson().write(pb.LearnResponse(result=result)))["result"]["loss"]

    assert values.tobytes() == np.array(read, np.float32).tobytes()


def test_faults_keep_their_details() -> None:
    """A status is proto JSON, with types and reasons; what is durable stands beside it."""
    status = status_pb2.Status(code=3, message="no")
    fault = pb.LearnFault(status=status, durable_sequence=7)

    told = json.loads(PlainJson().write(pb.LearnResponse(fault=fault)))

    assert {"status": {"code": 3, "message": "no"}, "durable_sequence": 7} == told["fault"]
