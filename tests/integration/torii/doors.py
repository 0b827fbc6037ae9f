"""Starts a real torii, and opens websockets to it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.type.v1 import tensor_pb2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from mesh.server import RunningServer, serving
from tests.integration.meshes import RunningMisaki
from torii.app import build_torii
from torii.settings import ToriiSettings

# Nobody listens there: the port is reserved, and needs root.
NOWHERE = "127.0.0.1:1"


@dataclass(frozen=True)
class Ending:
    """How a websocket ended: the last fault, and the close frame."""

    fault: pb.LearnFault | None
    code: int | None
    reason: str


@dataclass(frozen=True)
class RunningTorii:
    """A real torii, and what a caller needs."""

    http_port: int
    running: RunningServer
    channel: grpc.aio.Channel
    misaki: RunningMisaki

    @property
    def http(self) -> str:
        """The address of the web server, without a slash at its end."""
        return f"http://127.0.0.1:{self.http_port}"

    async def token(self) -> str:
        """Return a fresh token of the admin."""
        return (await self.misaki.log_in()).access_token

    def websocket(
        self,
        *,
        token: str | None = None,
        path: str = "/v1/learn",
        subprotocols: Sequence[str] | None = None,
        **options: Any,
    ) -> connect:
        """Open a websocket, with the token as a sub-protocol when there is one."""
        if subprotocols is None and token is not None:
            subprotocols = ["hanami.v1", f"bearer.{token}"]
        offered = [Subprotocol(name) for name in subprotocols] if subprotocols else None
        url = f"ws://127.0.0.1:{self.http_port}{path}"
        values = {"compression": None, "max_size": 2**25, "proxy": None} | options
        return connect(url, subprotocols=offered, **values)


@asynccontextmanager
async def start_torii(misaki: RunningMisaki, **changes: Any) -> AsyncIterator[RunningTorii]:
    """Run a real torii; services without an address given are not there."""
    values = {
        "listen": "127.0.0.1:0",
        "http_listen": "127.0.0.1:0",
        "misaki_address": misaki.address,
        "kyouko_address": NOWHERE,
        "shiori_address": NOWHERE,
        "azuki_address": NOWHERE,
        "health_interval_seconds": 0.1,
        "drain_seconds": 1.0,
    }
    settings = ToriiSettings(**(values | changes))
    async with (
        build_torii(settings) as torii,
        serving(settings, torii.application) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield RunningTorii(torii.web.port, running, channel, misaki)


def opening(network: str) -> bytes:
    """Return the message that opens a learning stream."""
    message = pb.LearnOpen(network=network, mode=pb.LEARN_MODE_LEARN)
    return pb.LearnRequest(open=message).SerializeToString()


def frame(sequence: int, rows: int = 2, channels: int = 3) -> bytes:
    """Return a frame of rows."""
    packed = bytes(value % 256 for value in range(rows * channels))
    inputs = tensor_pb2.Tensor(
        data_type=tensor_pb2.DATA_TYPE_UINT8, shape=[rows, channels], packed=packed
    )
    message = pb.LearnFrame(sequence=sequence, inputs=inputs)
    return pb.LearnRequest(frame=message).SerializeToString()


def closing() -> bytes:
    """Return the message that ends a learning stream."""
    return pb.LearnRequest(close=pb.LearnClose()).SerializeToString()


def authentication(token: str) -> bytes:
    """Return the message that carries a token."""
    message = pb.LearnAuthentication(access_token=token)
    return pb.LearnRequest(authentication=message).SerializeToString()


async def answer(socket: ClientConnection) -> pb.LearnResponse:
    """Return the next message."""
    message = await socket.recv()
    assert isinstance(message, bytes)
    return pb.LearnResponse.FromString(message)


async def said(socket: ClientConnection) -> pb.LearnResponse:
    """Return the next message that is no progress, of which some may come at any time."""
    while (response := await answer(socket)).HasField("progress"):
        pass
    return response


async def ending(socket: ClientConnection) -> Ending:
    """Read to the end, and return how it was."""
    fault: pb.LearnFault | None = None
    try:
        while True:
            response = await answer(socket)
            fault = response.fault if response.HasField("fault") else None
    except ConnectionClosed:
        return Ending(fault, socket.close_code, socket.close_reason or "")
