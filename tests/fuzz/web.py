"""Delivers cases through the gateway over HTTP/1.1: as JSON, and as gRPC-web."""

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import httpx
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2

from tests.fuzz import hostile
from tests.fuzz.cases import WEB, Case
from tests.fuzz.native import PATIENCE_SECONDS, QUIET_SECONDS, metadata_of
from tests.fuzz.outcome import LEFT, NO_ANSWER, Outcome, of_status

_VARIABLE = re.compile(r"\{([^}=]+)(?:=([^}]*))?\}")
_MOST_OF_A_PATH = 4000
_CONTENT_TYPES = (
    "application/json",
    "text/plain",
    "application/xml",
    "application/x-protobuf",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "",
)
_TRAILERS = 0x80


class WebDoor:
    """Requests of HTTP/1.1 to the gateway."""

    def __init__(self, gateway: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"http://{gateway}",
            timeout=PATIENCE_SECONDS,
            limits=httpx.Limits(max_connections=32),
        )

    async def __aenter__(self) -> "WebDoor":
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def deliver(self, case: Case, tokens: Mapping[str, str]) -> Outcome:
        """Make the request; return how it ended."""
        verb, path, headers, body = _grpc_web(case) if case.door == WEB else _json(case)
        for key, value in metadata_of(case, tokens):
            if isinstance(value, str):
                headers[key] = value.strip()
        timeout = httpx.Timeout(PATIENCE_SECONDS)
        if case.rpc.method.server_streaming:
            timeout = httpx.Timeout(PATIENCE_SECONDS, read=2 * QUIET_SECONDS)
        started = time.perf_counter()
        content = b""
        try:
            async with self._client.stream(
                verb, path, headers=headers, content=body, timeout=timeout
            ) as answer:
                async for part in answer.aiter_raw():
                    content += part
        except httpx.ReadTimeout:
            code = LEFT if case.rpc.method.server_streaming else NO_ANSWER
            return Outcome(code, seconds=time.perf_counter() - started)
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError) as error:
            # Who is refused while sending hears of it only with luck.
            return Outcome("CLOSED", told=str(error), seconds=time.perf_counter() - started)
        seconds = time.perf_counter() - started
        read = _read_web if case.door == WEB else _read_json
        return read(answer.status_code, answer.headers, content, seconds)


def _grpc_web(case: Case) -> tuple[str, str, dict[str, str], bytes]:
    chance = case.chance()
    body = b"".join(b"\x00" + len(m).to_bytes(4, "big") + m for m in case.messages)
    damage = chance.random()
    if damage < 0.05:
        body = b"\x00" + chance.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1")) + body[5:]
    elif damage < 0.1:
        body = bytes([chance.randrange(256)]) + body[1:]
    elif damage < 0.15:
        body = body[: chance.randrange(len(body) + 1)]
    kind = chance.choice(("application/grpc-web+proto", "application/grpc-web"))
    if chance.random() < 0.3:
        kind = "application/grpc-web-text"
        body = base64.b64encode(body) if chance.random() < 0.8 else body
    return "POST", case.rpc.path, {"content-type": kind, "x-grpc-web": "1"}, body


def _json(case: Case) -> tuple[str, str, dict[str, str], bytes]:
    chance = case.chance()
    data = case.messages[0] if case.messages else b""
    message: Any = case.rpc.request_type()
    try:
        message.ParseFromString(data)
        body = json_format.MessageToJson(message, preserving_proto_field_name=True).encode()
    except (DecodeError, json_format.Error, ValueError, TypeError):
        body = data
    verb, path = _place(case, message)
    if chance.random() < 0.4:
        body = _damaged_json(body, chance)
    if chance.random() < 0.1:
        path += "?" + chance.choice(
            ("x=1", "name=../..", "page_size=NaN", "a=%ff%fe", "&&=&=" * 50)
        )
    kind = _CONTENT_TYPES[0] if chance.random() < 0.85 else chance.choice(_CONTENT_TYPES)
    return verb, path, {"content-type": kind}, body if verb != "GET" else b""


def _place(case: Case, message: Any) -> tuple[str, str]:
    """Return verb and path of a call, from its contract and the names in the message."""
    rule = case.rpc.method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern") or "post"
    template = getattr(rule, verb) or case.rpc.path

    def named(found: re.Match[str]) -> str:
        target = message
        for step in found[1].split("."):
            target = getattr(target, step)
        return quote(str(target) or hostile.text(case.chance()), safe="/:@")[:_MOST_OF_A_PATH]

    path = _VARIABLE.sub(named, template)
    return verb.upper(), path if path.startswith("/") else f"/{path}"


def _damaged_json(body: bytes, chance: Any) -> bytes:
    whole = body or b"{}"
    place = chance.randrange(len(whole))
    return bytes(
        chance.choice(
            (
                whole[:place],
                whole[:place]
                + chance.choice((b"\xff", b"\x00", b"{", b'"', b"NaN"))
                + whole[place:],
                b"[" * 10_000,
                b'{"a":' * 5000,
                b"null",
                b"[]",
                b"1e999",
                whole.replace(b'"', b"'"),
                whole.replace(b": ", b": [", 1),
                b'{"@type": "type.googleapis.com/google.protobuf.Any"}',
                chance.randbytes(200),
            )
        )
    )


def _read_json(http: int, headers: Any, content: bytes, seconds: float) -> Outcome:
    text = content.decode(errors="replace")
    if http < 400:
        return Outcome("OK", seconds=seconds, http=http)
    try:
        status = json.loads(text)
        infos = [item.get("reason", "") for item in status["details"]]
        code = code_pb2.Code.Name(status["code"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Outcome("NO STATUS", told=text, seconds=seconds, http=http)
    return Outcome(code, next(filter(None, infos), ""), text, seconds, http)


def _read_web(http: int, headers: Any, content: bytes, seconds: float) -> Outcome:
    trailers = dict(headers)
    if headers.get("content-type", "").startswith("application/grpc-web-text"):
        content = _from_base64(content)
    while len(content) >= 5:
        end = 5 + int.from_bytes(content[1:5], "big")
        if content[0] & _TRAILERS:
            lines = content[5:end].decode(errors="replace").split("\r\n")
            trailers |= dict(line.split(":", 1) for line in lines if ":" in line)
        content = content[end:]
    if "grpc-status" not in trailers:
        return Outcome(
            "NO STATUS", told=content.decode(errors="replace"), seconds=seconds, http=http
        )
    rich = status_pb2.Status()
    rich.ParseFromString(_from_base64(trailers.get("grpc-status-details-bin", "").encode()))
    code = code_pb2.Code.Name(int(trailers["grpc-status"]))
    if http == 400:
        # The gateway's filter says INTERNAL to what is no base64; the details say it right.
        code = code_pb2.Code.Name(rich.code)
    return of_status(code, rich, unquote(trailers.get("grpc-message", "")), seconds)


def _from_base64(text: bytes) -> bytes:
    try:
        return b"".join(
            base64.b64decode(part + b"=" * (-len(part) % 4))
            for part in re.findall(rb"[^=]+=*", text)
        )
    except binascii.Error:
        return b""
