"""The prototype's direct-IO websocket, into a real network."""

import json
from typing import Any

import numpy as np
import pytest
from hanami.kyouko.v1 import network_service_pb2
from hanami.torii.v1 import direct_io_pb2 as pb
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.integration.kyouko.servers import NETWORK, PARENT
from tests.integration.torii.garden import Garden, token_of

REQUEST, LEARN = pb.CLUSTER_PROCESS_TYPE_REQUEST, pb.CLUSTER_PROCESS_TYPE_LEARN
INPUT, SHOULD, OUTPUT = (
    pb.CLUSTER_DATA_TYPE_INPUT,
    pb.CLUSTER_DATA_TYPE_SHOULD,
    pb.CLUSTER_DATA_TYPE_OUTPUT,
)
ROWS = np.random.default_rng(5).normal(size=(60, 4)).astype(np.float32)


async def introduce(socket: ClientConnection, token: str, target: str = NETWORK) -> Any:
    """Send the handshake; returns the answer."""
    await socket.send(json.dumps({"token": token, "target": target}))
    return json.loads(await socket.recv())


async def send(
    socket: ClientConnection, kind: Any, process: Any, values: Any, *, last: bool = False
) -> None:
    """Send a part of a row."""
    message = pb.ClusterIO(
        segment_name="sensors",
        is_last=last,
        process_type=process,
        data_type=kind,
        number_of_values=len(values),
        values=values,
    )
    await socket.send(message.SerializeToString())


async def receive(socket: ClientConnection) -> pb.ClusterIO:
    """Return the next message."""
    data = await socket.recv()
    assert isinstance(data, bytes)
    return pb.ClusterIO.FromString(data)


async def teach(socket: ClientConnection, row: Any, should: Any) -> list[pb.ClusterIO]:
    """Let the network learn a row; returns what was answered."""
    await send(socket, INPUT, LEARN, row)
    acknowledged = await receive(socket)
    await send(socket, SHOULD, LEARN, should, last=True)
    return [acknowledged, await receive(socket)]


async def ask(socket: ClientConnection, row: Any) -> list[pb.ClusterIO]:
    """Let the network predict a row; returns what was answered."""
    await send(socket, INPUT, REQUEST, row, last=True)
    return [await receive(socket), await receive(socket)]


async def test_rows_are_learned_and_asked_for_as_the_prototype_did(garden: Garden) -> None:
    """Acknowledgement, end; output, end: with the kinds that old clients look at."""
    token = token_of(garden.kyouko.alice)
    async with garden.torii.websocket(path="/v1/direct") as socket:
        introduced = await introduce(socket, token)
        for row in ROWS:
            answers = await teach(socket, row, [0.0, 1.0] if row[0] > 0 else [1.0, 0.0])
        asked = [await ask(socket, [sign, 0.0, 0.0, 0.0]) for sign in (-2.0, 2.0)]

    network = await garden.kyouko.network()
    acknowledged, ended = answers
    assert 1 == introduced["success"]
    assert 36 == len(introduced["uuid"])
    assert (LEARN, SHOULD, False, [0.0]) == _facts(acknowledged)
    assert (LEARN, OUTPUT, True, [0.0]) == _facts(ended)
    assert ([False, True], [REQUEST, REQUEST]) == (
        [message.is_last for message in asked[0]],
        [message.process_type for message in asked[0]],
    )
    assert [0, 1] == [int(np.argmax(answer[0].values)) for answer in asked]
    assert ({"0", "1"}, 60) == (set(network.labels), network.statistics.learned_rows)


def _facts(message: pb.ClusterIO) -> tuple[Any, Any, bool, list[float]]:
    assert message.number_of_values == len(message.values)
    return message.process_type, message.data_type, message.is_last, list(message.values)


async def test_numbers_are_learned_as_they_are(garden: Garden) -> None:
    """A network of numbers takes and gives its own range."""
    await garden.kyouko.networks.CreateNetwork(
        network_service_pb2.CreateNetworkRequest(
            parent=PARENT, network_id="level", template="templates/flat-numbers", channels=4
        ),
        metadata=garden.kyouko.alice,
    )
    async with garden.torii.websocket(path="/v1/direct") as socket:
        await introduce(socket, token_of(garden.kyouko.alice), "flowers/level")
        for row in ROWS:
            await teach(socket, row, [500.0 + 10.0 * row[0]])
        output, _ = await ask(socket, ROWS[0])

    assert 1 == output.number_of_values
    assert 300.0 < output.values[0] < 700.0


async def test_a_failed_handshake_may_be_tried_again(garden: Garden) -> None:
    """Success 0 says why, three times at most; then the websocket ends."""
    token = token_of(garden.kyouko.alice)
    async with garden.torii.websocket(path="/v1/direct") as socket:
        await socket.send("hello")
        first = json.loads(await socket.recv())
        second = await introduce(socket, token, "flowers/none")
        third = await introduce(socket, token)
    async with garden.torii.websocket(path="/v1/direct") as socket:
        failures = [await introduce(socket, "nonsense") for _ in range(3)]
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert (0, 0, 1) == (first["success"], second["success"], third["success"])
    assert "was not found" in second["errorMessage"]
    assert [0, 0, 0] == [failure["success"] for failure in failures]
    assert 4016 == socket.close_code


async def test_a_fresh_token_goes_on(garden: Garden) -> None:
    """The handshake again, in the middle; a token of somebody else ends the websocket."""
    token, admin = token_of(garden.kyouko.alice), await garden.torii.token()
    async with garden.torii.websocket(path="/v1/direct") as socket:
        await introduce(socket, token)
        renewed = await introduce(socket, token)
        answers = await teach(socket, ROWS[0], [1.0])
        await socket.send(json.dumps({"token": admin, "target": NETWORK}))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert (1, 2) == (renewed["success"], len(answers))
    assert 4003 == socket.close_code


@pytest.mark.parametrize(
    ("kind", "process", "values"),
    [
        (INPUT, LEARN, [1.0] * 5),
        (OUTPUT, LEARN, [1.0] * 4),
        (SHOULD, REQUEST, [1.0]),
    ],
)
async def test_values_that_do_not_fit_end_the_websocket(
    garden: Garden, kind: Any, process: Any, values: list[float]
) -> None:
    """Nothing is written where it does not belong; the close frame says what was wrong."""
    async with garden.torii.websocket(path="/v1/direct") as socket:
        await introduce(socket, token_of(garden.kyouko.alice))
        await send(socket, kind, process, values)
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert 4003 == socket.close_code
    assert "expected" in (socket.close_reason or "")


async def test_large_messages_are_refused(garden: Garden) -> None:
    """The prototype's limit of 128 KiB holds."""
    async with garden.torii.websocket(path="/v1/direct") as socket:
        await introduce(socket, token_of(garden.kyouko.alice))
        await socket.send(bytes(128 * 1024 + 1))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert 1009 == socket.close_code


async def test_a_deleted_network_ends_the_websocket(garden: Garden) -> None:
    """Also one on which nothing happens."""
    async with garden.torii.websocket(path="/v1/direct") as socket:
        await introduce(socket, token_of(garden.kyouko.alice))
        await garden.kyouko.networks.DeleteNetwork(
            network_service_pb2.DeleteNetworkRequest(name=NETWORK), metadata=garden.kyouko.alice
        )
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert 4005 == socket.close_code
