"""Websockets that speak JSON, into a real network."""

import asyncio
import json
import os
from typing import Any

import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from mesh.tensors import array_of, tensor_of
from tests.integration.kyouko.servers import NETWORK
from tests.integration.torii.doors import answer, closing, start_torii
from tests.integration.torii.garden import Garden, token_of

ROWS = np.random.default_rng(5).normal(size=(40, 4)).astype(np.float32)
LABELS = ["high" if row[0] > 0 else "low" for row in ROWS]


async def say(socket: ClientConnection, **message: Any) -> None:
    """Send a message as JSON."""
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection) -> Any:
    """Return the next message, which has to be JSON; words about progress come at any time."""
    while True:
        text = await socket.recv()
        assert isinstance(text, str)
        message = json.loads(text)
        if "progress" not in message:
            return message


async def test_a_network_learns_from_json(garden: Garden) -> None:
    """Rows in brackets are learned; answers name labels, and the end is kept."""
    async with garden.torii.websocket(token=token_of(garden.kyouko.alice)) as socket:
        await say(socket, open={"network": NETWORK, "mode": "LEARN_MODE_LEARN"})
        opened = await hear(socket)
        for row, label in zip(ROWS.tolist(), LABELS, strict=True):
            await say(socket, frame={"inputs": row, "labels": label})
        results = [(await hear(socket))["result"] for _ in ROWS]
        await say(socket, close={})
        closed = await hear(socket)
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert NETWORK == opened["opened"]["network"]["name"]
    assert list(range(1, 41)) == [result["sequence"] for result in results]
    assert ([None], 40) == (results[0]["predicted_labels"], results[-1]["learned_rows"])
    assert {"high", "low"} >= {result["predicted_labels"][0] for result in results[5:]}
    assert 40 == closed["closed"]["network"]["kept_rows"]
    assert 1000 == socket.close_code


async def test_both_forms_get_the_same_numbers(garden: Garden) -> None:
    """What JSON shows is what protobuf holds, bit for bit."""
    token = token_of(garden.kyouko.alice)
    opening = pb.LearnOpen(network=NETWORK, mode=pb.LEARN_MODE_LEARN, return_outputs=True)
    async with garden.torii.websocket(token=token) as socket:
        await socket.send(pb.LearnRequest(open=opening).SerializeToString())
        await answer(socket)
        frame = pb.LearnFrame(
            sequence=1, inputs=tensor_of(ROWS), labels=pb.LabelList(values=LABELS)
        )
        await socket.send(pb.LearnRequest(frame=frame).SerializeToString())
        await socket.send(closing())
        await answer(socket)
        await answer(socket)
        opening.mode = pb.LEARN_MODE_PREDICT
    async with garden.torii.websocket(token=token) as socket:
        await socket.send(pb.LearnRequest(open=opening).SerializeToString())
        await answer(socket)
        frame.ClearField("labels")
        await socket.send(pb.LearnRequest(frame=frame).SerializeToString())
        binary = (await answer(socket)).result
    async with garden.torii.websocket(token=token) as socket:
        mode = {"mode": "LEARN_MODE_PREDICT", "return_outputs": True}
        await say(socket, open={"network": NETWORK, **mode})
        await hear(socket)
        await say(socket, frame={"inputs": ROWS.tolist()})
        text = (await hear(socket))["result"]

    outputs = array_of(binary.outputs, field="outputs")
    assert outputs.tobytes() == np.array(text["outputs"], np.float32).tobytes()
    assert array_of(binary.predicted, field="predicted").tolist() == text["predicted"]


async def test_a_session_goes_on_after_a_break(garden: Garden) -> None:
    """With the resume token, without counting, and nothing is learned twice."""
    token = token_of(garden.kyouko.alice)
    opening = {"network": NETWORK, "mode": "LEARN_MODE_LEARN"}
    async with garden.torii.websocket(token=token) as socket:
        await say(socket, open=opening)
        opened = (await hear(socket))["opened"]
        await say(socket, frame={"inputs": [1, 2, 3, 4], "labels": "low"})
        await hear(socket)
    async with garden.torii.websocket(token=token) as socket:
        await say(socket, open=opening | {"resume_token": opened["resume_token"]})
        again = (await hear(socket))["opened"]
        await say(socket, frame={"sequence": 1, "inputs": [1, 2, 3, 4], "labels": "low"})
        repeated = (await hear(socket))["result"]
        await say(socket, frame={"inputs": [1, 2, 3, 4], "labels": "low"})
        result = (await hear(socket))["result"]

    assert (1, True) == (again["last_sequence"], repeated["duplicate"])
    assert (2, 2) == (result["sequence"], result["learned_rows"])


async def test_a_token_may_be_the_first_words(garden: Garden) -> None:
    """A device that can set neither headers nor sub-protocols says who it is."""
    async with garden.torii.websocket() as socket:
        token = token_of(garden.kyouko.alice)
        await say(socket, authentication={"access_token": token})
        await say(socket, open={"network": NETWORK, "mode": "LEARN_MODE_PREDICT"})
        opened = await hear(socket)

    assert "opened" in opened


async def test_a_slip_of_the_pen_is_forgiven(garden: Garden) -> None:
    """What is no message is answered by a fault, does not count, and the stream lives on."""
    async with garden.torii.websocket(token=token_of(garden.kyouko.alice)) as socket:
        await say(socket, open={"network": NETWORK, "mode": "LEARN_MODE_LEARN"})
        await hear(socket)
        faults = []
        for text in ("what?", '{"frame": {"inputs": [[1, 2], [3]]}}', '{"frame": {"rows": []}}'):
            await socket.send(text)
            faults.append((await hear(socket))["fault"])
        await say(socket, frame={"inputs": [1, 2, 3]})
        narrow = (await hear(socket))["fault"]
        await say(socket, frame={"inputs": [1, 2, 3, None], "labels": "low"})
        result = (await hear(socket))["result"]

    reasons = [fault["status"]["details"][0]["reason"] for fault in [*faults, narrow]]
    assert ["STREAM_PROTOCOL", "TENSOR_INVALID", "STREAM_PROTOCOL", "WIDTH_MISMATCH"] == reasons
    assert not any("sequence" in fault for fault in faults)
    assert (1, 2) == (narrow["sequence"], result["sequence"])


async def test_errors_are_json_when_the_first_message_was(garden: Garden) -> None:
    """A missing token and an unknown network end the websocket with words one can read."""
    reasons, codes = [], []
    for token, network in ((None, NETWORK), (token_of(garden.kyouko.alice), f"{NETWORK}-x")):
        async with garden.torii.websocket(token=token) as socket:
            await say(socket, open={"network": network, "mode": "LEARN_MODE_LEARN"})
            reasons.append((await hear(socket))["fault"]["status"]["details"][0]["reason"])
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            codes.append(socket.close_code)

    assert (["TOKEN_INVALID", "RESOURCE_NOT_FOUND"], [4016, 4005]) == (reasons, codes)


async def test_the_forms_do_not_mix(garden: Garden) -> None:
    """Bytes on a websocket of texts end it, in words."""
    async with garden.torii.websocket(token=token_of(garden.kyouko.alice)) as socket:
        await say(socket, open={"network": NETWORK, "mode": "LEARN_MODE_LEARN"})
        await hear(socket)
        await socket.send(closing())
        fault = (await hear(socket))["fault"]
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert "STREAM_PROTOCOL" == fault["status"]["details"][0]["reason"]
    assert 4003 == socket.close_code


async def test_a_text_may_not_be_as_large_as_bytes(garden: Garden) -> None:
    """JSON takes far more work, so its limit is lower, and told."""
    text = json.dumps({"frame": {"inputs": [[0.5] * 4] * 60_000}})
    async with garden.torii.websocket(token=token_of(garden.kyouko.alice)) as socket:
        await say(socket, open={"network": NETWORK, "mode": "LEARN_MODE_LEARN"})
        await hear(socket)
        await socket.send(text)
        fault = (await hear(socket))["fault"]
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert "LIMIT_REACHED" == fault["status"]["details"][0]["reason"]
    assert 4008 == socket.close_code


async def test_a_stranger_may_say_little(garden: Garden) -> None:
    """Before there is a token a text of 64 KiB and more ends the websocket."""
    async with garden.torii.websocket() as socket:
        await socket.send("x" * 70_000)
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert 1009 == socket.close_code


async def test_a_tiny_device_needs_nothing_but_a_socket(garden: Garden) -> None:
    """Handshake and frames written by hand, one row, one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", garden.torii.http_port)
    token = token_of(garden.kyouko.alice)
    writer.write(
        b"GET /v1/learn HTTP/1.1\r\nHost: device\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")

    async def exchange(text: str) -> Any:
        mask, data = os.urandom(4), text.encode()
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        writer.write(b"\x81" + bytes([0x80 | 126]) + len(data).to_bytes(2, "big") + mask + masked)
        first, length = await reader.readexactly(2)
        size = int.from_bytes(await reader.readexactly(2), "big") if length == 126 else length
        assert first == 0x81
        return json.loads(await reader.readexactly(size))

    opened = await exchange(json.dumps({"open": {"network": NETWORK, "mode": 1}}))
    result = await exchange('{"frame":{"inputs":[1,2,3,4],"labels":"low"}}')
    writer.close()

    assert head.startswith(b"HTTP/1.1 101")
    assert ("opened", 1) == (next(iter(opened)), result["result"]["learned_rows"])


async def test_a_smaller_limit_can_be_set(garden: Garden) -> None:
    """HANAMI_MAX_JSON_BYTES."""
    address = f"127.0.0.1:{garden.kyouko.running.port}"
    async with (
        start_torii(garden.torii.misaki, kyouko_address=address, max_json_bytes=200) as torii,
        torii.websocket(token=token_of(garden.kyouko.alice)) as socket,
    ):
        await say(socket, open={"network": NETWORK, "mode": "LEARN_MODE_LEARN"})
        await hear(socket)
        await say(socket, frame={"inputs": [0.123456789] * 20})
        fault = (await hear(socket))["fault"]

    assert "LIMIT_REACHED" == fault["status"]["details"][0]["reason"]
