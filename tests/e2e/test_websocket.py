"""Learning over a websocket through Envoy."""

import json

import pytest
from hanami.kyouko.v1 import learning_service_pb2 as learning
from hanami.kyouko.v1 import network_service_pb2
from hanami.torii.v1 import direct_io_pb2
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e import rows
from tests.e2e.conftest import Login, RunningMesh


def open_socket(mesh: RunningMesh, token: str | None) -> ClientConnection:
    """Open the learning websocket, the token among the sub-protocols when there is one."""
    protocols = ["hanami.v1"] + ([f"bearer.{token}"] if token else [])
    return connect(
        f"ws://{mesh.address}/v1/learn", subprotocols=protocols, compression=None, open_timeout=20
    )


def learn(socket: ClientConnection, network: str) -> list[learning.LearnResponse]:
    """Send a whole conversation and return all answers, without news of the journal."""
    for message in rows.conversation(network, frames=5):
        socket.send(message.SerializeToString())
    answers: list[learning.LearnResponse] = []
    while not (answers and answers[-1].HasField("closed")):
        data = socket.recv(timeout=20)
        assert isinstance(data, bytes)
        answer = learning.LearnResponse.FromString(data)
        if not answer.HasField("progress"):
            answers.append(answer)
    return answers


def test_a_browser_like_client_learns_with_its_token_as_sub_protocol(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """Open, frames, close: one binary message for each protobuf message, both ways."""
    with open_socket(mesh, member.token) as socket:
        answers = learn(socket, network.name)

    kinds = [answer.WhichOneof("message") for answer in answers]
    assert ["opened", *["result"] * 5, "closed"] == kinds
    assert 80 == answers[-1].closed.network.kept_rows


def test_a_client_without_sub_protocol_sends_its_token_first(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """The first message may carry the token."""
    first = learning.LearnRequest(
        authentication=learning.LearnAuthentication(access_token=member.token)
    )

    with open_socket(mesh, None) as socket:
        socket.send(first.SerializeToString())
        answers = learn(socket, network.name)

    assert "closed" == answers[-1].WhichOneof("message")


def test_a_socket_without_token_gets_an_error_frame(
    mesh: RunningMesh, network: network_service_pb2.Network
) -> None:
    """Opening a stream without any token ends in a fault that says so, then the socket closes."""
    with open_socket(mesh, None) as socket:
        socket.send(rows.opening(network.name).SerializeToString())
        data = socket.recv(timeout=20)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)

    assert isinstance(data, bytes)
    assert 16 == learning.LearnResponse.FromString(data).fault.status.code
    assert closed.value.rcvd is not None
    assert 4016 == closed.value.rcvd.code


def test_lines_of_json_are_enough(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """A tool that sends lines logs in, learns and ends well, through the gateway."""
    lines = [
        {"authentication": {"access_token": member.token}},
        {"open": {"network": network.name, "mode": "LEARN_MODE_LEARN"}},
        {"frame": {"inputs": [1, 2, 3, 4], "labels": "low"}},
        {"frame": {"inputs": [[5, 6, 7, None]], "labels": ["high"]}},
        {"close": {}},
    ]
    with connect(f"ws://{mesh.address}/v1/learn", open_timeout=20) as socket:
        for line in lines:
            socket.send(json.dumps(line))
        answers = [json.loads(socket.recv(timeout=20))]
        while "closed" not in answers[-1]:
            answers.append(json.loads(socket.recv(timeout=20)))

    results = [answer["result"] for answer in answers if "result" in answer]
    assert [1, 2] == [result["learned_rows"] for result in results]
    assert ["low", "high"] == answers[-1]["closed"]["network"]["labels"]


def test_a_client_of_the_prototype_learns_and_asks(
    mesh: RunningMesh, network: network_service_pb2.Network, member: Login
) -> None:
    """Handshake, a row in two parts, a question: direct IO through the gateway."""
    row = {"segment_name": "input", "number_of_values": 4, "values": [1, 2, 3, 4]}
    learn = {"process_type": direct_io_pb2.CLUSTER_PROCESS_TYPE_LEARN}
    should = {"data_type": direct_io_pb2.CLUSTER_DATA_TYPE_SHOULD}
    parts = [
        direct_io_pb2.ClusterIO(**row, **learn),
        direct_io_pb2.ClusterIO(
            **learn, **should, is_last=True, number_of_values=2, values=[0.0, 1.0]
        ),
        direct_io_pb2.ClusterIO(**row, is_last=True),
    ]
    with connect(f"ws://{mesh.address}/v1/direct", open_timeout=20) as socket:
        socket.send(json.dumps({"token": member.token, "target": network.name}))
        introduced = json.loads(socket.recv(timeout=20))
        for part in parts:
            socket.send(part.SerializeToString())
        answers = [
            direct_io_pb2.ClusterIO.FromString(bytes(socket.recv(timeout=20))) for _ in range(4)
        ]

    assert 1 == introduced["success"]
    assert [False, True, False, True] == [answer.is_last for answer in answers]
    assert [0.0, 1.0] == list(answers[2].values)


def test_a_foreign_token_is_refused_at_the_door(mesh: RunningMesh) -> None:
    """Envoy refuses a sub-protocol token that misaki did not sign."""
    with pytest.raises(InvalidStatus) as refused:
        open_socket(mesh, "eyJhbGciOiJFZERTQSJ9.e30.AAAA")

    assert 401 == refused.value.response.status_code
