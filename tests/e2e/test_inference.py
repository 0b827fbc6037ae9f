"""The Open Inference Protocol through Envoy, asked by a client that knows nothing of Hanami."""

from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from hanami.inference import grpc_service_pb2
from hanami.kyouko.v1 import learning_service_pb2 as learning
from hanami.kyouko.v1 import learning_service_pb2_grpc, network_service_pb2

from tests.e2e import rows, triton
from tests.e2e.conftest import Login, RunningMesh

ROWS, _ = rows.blobs(24, seed=5)
Field = tuple[str, int, int, int, str]


@pytest.fixture
def taught(mesh: RunningMesh, network: network_service_pb2.Network, member: Login) -> str:
    """Return the name of a network that has learned two clouds."""
    stub = learning_service_pb2_grpc.LearningServiceStub(mesh.channel)
    list(stub.Learn(rows.conversation(network.name), metadata=member.metadata))
    return network.name


def ask(mesh: RunningMesh, login: Login | None, model: str, **question: Any) -> Any:
    """Ask the public client about a model."""
    headers = login.headers if login else {}
    return triton.ask(address=mesh.address, model=model, headers=headers, **question)


def streamed(mesh: RunningMesh, member: Login, network: str) -> learning.LearnResult:
    """Return what our own stream predicts for the same rows."""
    messages = [rows.opening(network, "PREDICT"), rows.frame(1, ROWS), rows.closing()]
    messages[0].open.return_outputs = True
    stub = learning_service_pb2_grpc.LearningServiceStub(mesh.channel)
    answers = list(stub.Learn(iter(messages), metadata=member.metadata))
    return answers[1].result


def test_the_public_client_gets_the_numbers_of_our_own(
    mesh: RunningMesh, taught: str, member: Login
) -> None:
    """Outputs bit for bit, and the labels that a stream names by number."""
    own = streamed(mesh, member, taught)

    answer = ask(mesh, member, taught, kind="infer", rows=ROWS.tolist())

    outputs = np.frombuffer(own.outputs.packed, "<f4").reshape(own.outputs.shape)
    indices = np.frombuffer(own.predicted.packed, "<i4")
    assert outputs.tolist() == answer["outputs"]
    assert [answer["labels"][index] for index in indices] == answer["predicted"]
    assert {"quiet", "loud"} == set(answer["predicted"])


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8", "int16", "float16"])
def test_rows_of_every_type_are_taken(
    mesh: RunningMesh, taught: str, member: Login, dtype: str
) -> None:
    """Whole numbers mean the same in every type."""
    whole = np.round(np.clip(ROWS, 0, 127)).tolist()

    expected = ask(mesh, member, taught, kind="infer", rows=whole)
    answer = ask(mesh, member, taught, kind="infer", rows=whole, dtype=dtype, outputs=["outputs"])

    assert {"outputs": expected["outputs"]} == answer


def test_the_public_client_finds_out_what_there_is(
    mesh: RunningMesh, taught: str, member: Login
) -> None:
    """Readiness and metadata of the server and of a network, the short name included."""
    short = taught.removeprefix("projects/").replace("/networks/", "/")

    found = ask(mesh, member, short, kind="describe")

    assert (True, True, True, False) == tuple(
        found[key] for key in ("live", "ready", "model_ready", "unknown_ready")
    )
    assert "hanami" == found["server"]["name"]
    assert (taught, "hanami") == (found["model"]["name"], found["model"]["platform"])
    assert [{"name": "inputs", "datatype": "FP32", "shape": ["-1", "4"]}] == (
        found["model"]["inputs"]
    )


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"model": "nobody/nothing"}, "StatusCode.NOT_FOUND", "was not found"),
        ({"model": "nothing"}, "StatusCode.INVALID_ARGUMENT", "model_name"),
        ({"rows": [[1.0, 2.0]]}, "StatusCode.INVALID_ARGUMENT", "4 values a row"),
        ({"rows": [1.0, 2.0]}, "StatusCode.INVALID_ARGUMENT", "[rows, channels]"),
        ({"dtype": "S3"}, "StatusCode.INVALID_ARGUMENT", "datatype 'BYTES'"),
        ({"outputs": ["logits"]}, "StatusCode.INVALID_ARGUMENT", "logits"),
        ({"headers": {}}, "StatusCode.UNAUTHENTICATED", "oken"),
    ],
)
def test_mistakes_are_explained(
    mesh: RunningMesh,
    taught: str,
    member: Login,
    change: dict[str, Any],
    status: str,
    words: str,
) -> None:
    """The client's error says what was wrong."""
    question = {"model": taught, "headers": member.headers, "rows": [[1.0, 2.0, 3.0, 4.0]]}

    answer = triton.ask(address=mesh.address, kind="infer", **(question | change))

    assert status == answer["status"]
    assert words in answer["message"]


def fields_of(message: descriptor_pb2.DescriptorProto, prefix: str = "") -> dict[str, list[Field]]:
    """Return the fields of a message and of those inside it, by name."""
    name = prefix + message.name
    found = {name: [(f.name, f.number, f.type, f.label, f.type_name) for f in message.field]}
    for inner in message.nested_type:
        found |= fields_of(inner, f"{name}.")
    return found


def test_our_contract_is_the_public_one() -> None:
    """Every field that we declare has the name, number and type that the public client knows."""
    public = descriptor_pb2.FileDescriptorProto.FromString(
        bytes.fromhex(triton.ask(kind="contract"))
    )
    own = descriptor_pb2.FileDescriptorProto()
    grpc_service_pb2.DESCRIPTOR.CopyToProto(own)

    theirs = {k: v for message in public.message_type for k, v in fields_of(message).items()}
    ours = {k: v for message in own.message_type for k, v in fields_of(message).items()}
    methods = {(m.name, m.input_type, m.output_type) for m in public.service[0].method}
    assert ours == {name: theirs[name] for name in ours}
    assert {(m.name, m.input_type, m.output_type) for m in own.service[0].method} < methods
