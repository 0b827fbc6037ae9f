"""Delivers cases over the websockets of torii, through the gateway."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tests.fuzz.cases import Case
from tests.fuzz.native import PATIENCE_SECONDS, QUIET_SECONDS, metadata_of
from tests.fuzz.outcome import LEFT, NO_ANSWER, Outcome

_PATHS = ("/v1/learn", "/v1/learn", "/v1/learn", "/v1/direct")
_MOST_ANSWERS = 8
# RFC 6455: the server met something unexpected.
_INTERNAL_ERROR = 1011


async def deliver(gateway: str, case: Case, tokens: Mapping[str, str]) -> Outcome:
    """Open a websocket, say everything, and hear what comes."""
    chance = case.chance()
    headers = [(key, value) for key, value in metadata_of(case, tokens) if isinstance(value, str)]
    started = time.perf_counter()
    heard: list[str] = []
    try:
        async with connect(
            f"ws://{gateway}{chance.choice(_PATHS)}",
            additional_headers=headers,
            subprotocols=chance.choice((["hanami.v1"], ["hanami.v1", "bearer.x"], None)),  # type: ignore[arg-type]
            open_timeout=PATIENCE_SECONDS,
            close_timeout=PATIENCE_SECONDS,
            compression=chance.choice(("deflate", None)),
        ) as socket:
            for message in case.messages:
                await socket.send(_as_sent(case, message, chance))
            for _ in range(_MOST_ANSWERS):
                answer = await asyncio.wait_for(socket.recv(), QUIET_SECONDS)
                heard.append(answer if isinstance(answer, str) else answer.decode(errors="replace"))
    except InvalidStatus as error:
        told = (error.response.body or b"").decode(errors="replace")
        return Outcome("NO STATUS", "", told, _since(started), error.response.status_code)
    except TimeoutError:
        seconds = _since(started)
        return Outcome(
            NO_ANSWER if seconds > PATIENCE_SECONDS else LEFT, "", " ".join(heard), seconds
        )
    except ConnectionClosed as error:
        if error.rcvd is not None and error.rcvd.code == _INTERNAL_ERROR:
            return Outcome(
                "INTERNAL", "", f"{error.rcvd.reason} {' '.join(heard)}", _since(started)
            )
        told = error.rcvd.reason if error.rcvd is not None else ""
        return Outcome("CLOSED", "", f"{told} {' '.join(heard)}", _since(started))
    except (InvalidHandshake, OSError) as error:
        return Outcome("CLOSED", "", str(error), _since(started))
    return Outcome(LEFT, "", " ".join(heard), _since(started))


def _since(started: float) -> float:
    return time.perf_counter() - started


def _as_sent(case: Case, data: bytes, chance: Any) -> str | bytes:
    """Return a message as JSON if it is one and chance wants it so, else as bytes."""
    message: Any = case.rpc.request_type()
    try:
        message.ParseFromString(data)
        text = json_format.MessageToJson(message)
    except (DecodeError, json_format.Error, ValueError, TypeError):
        return data if chance.random() < 0.5 else data.decode("latin-1")
    if chance.random() < 0.3:
        return data
    if chance.random() < 0.3:
        place = chance.randrange(len(text) + 1)
        return text[:place] + chance.choice(("", "{", "NaN", "\x00", "[" * 3000)) + text[place:]
    return text
