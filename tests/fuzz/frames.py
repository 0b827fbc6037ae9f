"""Delivers cases as frames of HTTP/2 that no gRPC client would send."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from google.rpc import code_pb2, status_pb2

from tests.fuzz.cases import Case
from tests.fuzz.native import PATIENCE_SECONDS, QUIET_SECONDS, metadata_of
from tests.fuzz.outcome import LEFT, NO_ANSWER, Outcome, of_status
from tests.fuzz.web import _from_base64

_CONFIG = h2.config.H2Configuration(
    header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
)
_ODD_HEADERS: tuple[tuple[str, str], ...] = (
    ("content-type", "text/html"),
    ("content-type", ""),
    ("content-type", "application/grpc+json"),
    ("content-type", "application/grpc;charset=utf-16"),
    ("te", "gzip"),
    (":method", "GET"),
    (":method", "BREW"),
    (":path", ""),
    (":path", "/"),
    (":path", "*"),
    (":path", "/../../etc/passwd"),
    (":path", "/hanami.misaki.v1.UserService/BecomeAdmin"),
    (":path", "/hanami.misaki.v1.UserService/GetUser/"),
    (":path", "//hanami.misaki.v1.UserService/GetUser"),
    (":path", "/" + "a" * 20_000),
    (":path", "/\u00e9/\u202e"),
    (":scheme", "ftp"),
    (":authority", "evil.example"),
    ("grpc-timeout", "soon"),
    ("grpc-timeout", "-1S"),
    ("grpc-timeout", "1n"),
    ("grpc-timeout", "99999999H"),
    ("grpc-timeout", "9" * 300 + "S"),
    ("grpc-encoding", "snappy"),
    ("grpc-encoding", "gzip"),
    ("grpc-accept-encoding", "x" * 3000),
    ("grpc-status", "0"),
    ("grpc-trace-bin", "!!!"),
    ("X-Upper", "a"),
    ("x\u0000null", "a"),
    ("x-line", "a\r\nb: c"),
    ("connection", "keep-alive"),
    ("transfer-encoding", "chunked"),
    ("content-length", "5"),
    ("content-length", "99999999999"),
)
# Services refuse these before a call is one; but their library counts it as begun for ever,
# and calls that do not end are what a run looks for.
_UNCOUNTED = {"te", ":method", ":scheme"}


async def deliver(
    address: str, case: Case, tokens: Mapping[str, str], *, is_gateway: bool
) -> Outcome:
    """Open a connection, send the frames, and hear what comes."""
    host, _, port = address.rpartition(":")
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection(host, int(port))
    talk = _Talk(reader, writer, case, is_gateway)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            outcome = await talk.held(metadata_of(case, tokens))
    except TimeoutError:
        outcome = Outcome(NO_ANSWER)
    except (OSError, h2.exceptions.ProtocolError) as error:
        outcome = Outcome("CLOSED", told=str(error) if isinstance(error, OSError) else "")
    finally:
        writer.close()
    seconds = time.perf_counter() - started
    return Outcome(outcome.code, outcome.reason, outcome.told, seconds, outcome.http)


class _Talk:
    """One connection with one stream."""

    def __init__(self, reader: Any, writer: Any, case: Case, is_gateway: bool) -> None:
        self._reader, self._writer, self._case = reader, writer, case
        self._is_gateway = is_gateway
        self._chance = case.chance()
        self._connection = h2.connection.H2Connection(_CONFIG)
        self._headers: dict[str, str] = {}

    async def held(self, metadata: Any) -> Outcome:
        self._connection.initiate_connection()
        stream = self._connection.get_next_available_stream_id()
        self._connection.send_headers(stream, self._opening(metadata))
        ended = await self._send(stream)
        while True:
            quiet = None if ended else QUIET_SECONDS
            try:
                data = await asyncio.wait_for(self._reader.read(65_536), quiet)
            except TimeoutError:
                return Outcome(LEFT)
            if not data:
                return Outcome("CLOSED")
            for event in self._connection.receive_data(data):
                found = self._seen(event)
                if found is not None:
                    return found
            await self._flush()

    def _opening(self, metadata: Any) -> list[tuple[str, str]]:
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":authority": "mesh",
            ":path": self._case.rpc.path,
            "content-type": "application/grpc",
            "te": "trailers",
        }
        headers |= {key: value for key, value in metadata if isinstance(value, str)}
        for _ in range(self._chance.choice((0, 1, 1, 2))):
            key, value = self._chance.choice(_ODD_HEADERS)
            if self._is_gateway or key not in _UNCOUNTED:
                headers[key] = value
        return sorted(headers.items(), key=lambda item: not item[0].startswith(":"))

    async def _send(self, stream: int) -> bool:
        """Send the messages with some damage; tell whether an answer is owed."""
        chance, body = self._chance, b""
        for message in self._case.messages:
            flag = chance.choice((0, 0, 0, 0, 1, 2, 255))
            length = chance.choice(
                (len(message),) * 6 + (len(message) + 1, 0, 2**31 - 1, 2**32 - 1)
            )
            body += bytes([flag]) + length.to_bytes(4, "big") + message
        body = body[: chance.choice((len(body), len(body), len(body), 3, 7))]
        await self._flush()
        room = self._connection.local_flow_control_window(stream)
        for start in range(0, min(len(body), room), 16_384):
            self._connection.send_data(stream, body[start : min(start + 16_384, room)])
        ending = chance.random()
        if ending < 0.7 and len(body) <= room:
            self._connection.end_stream(stream)
        elif ending < 0.8:
            self._connection.reset_stream(stream, chance.choice((0, 1, 2, 8, 99)))
        await self._flush()
        return ending < 0.7 and len(body) <= room and not self._case.rpc.method.server_streaming

    def _seen(self, event: Any) -> Outcome | None:
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            self._headers |= dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self._connection.acknowledge_received_data(
                event.flow_controlled_length, event.stream_id
            )
        elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
            return self._ending() if "grpc-status" in self._headers else Outcome("CLOSED")
        elif isinstance(event, h2.events.StreamEnded):
            return self._ending()
        return None

    def _ending(self) -> Outcome:
        http = int(self._headers.get(":status", 0))
        if "grpc-status" not in self._headers:
            return Outcome("NO STATUS", http=http)
        rich = status_pb2.Status()
        rich.ParseFromString(
            _from_base64(self._headers.get("grpc-status-details-bin", "").encode())
        )
        code = code_pb2.Code.Name(int(self._headers["grpc-status"]))
        return of_status(code, rich, unquote(self._headers.get("grpc-message", "")), 0.0)

    async def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())
        await self._writer.drain()
