"""Learning over a websocket through Envoy."""

import pytest
from hanami.kyouko.v1 import learning_service_pb2 as learning
from hanami.kyouko.v1 import network_service_pb2
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
    """Send a whole conversation and return all answers."""
    for message in rows.conversation(network, frames=5):
        socket.send(message.SerializeToString())
    answers = []
    while not (answers and answers[-1].HasField("closed")):
        data = socket.recv(timeout=20)
        assert isinstance(data, bytes)
        answers.append(learning.LearnResponse.FromString(data))
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


def test_a_foreign_token_is_refused_at_the_door(mesh: RunningMesh) -> None:
    """Envoy refuses a sub-protocol token that misaki did not sign."""
    with pytest.raises(InvalidStatus) as refused:
        open_socket(mesh, "eyJhbGciOiJFZERTQSJ9.e30.AAAA")

    assert 401 == refused.value.response.status_code
