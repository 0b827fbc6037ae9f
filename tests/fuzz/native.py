"""Delivers cases as gRPC calls of any bytes, at the port of a service or at the gateway."""

import asyncio
import base64
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import grpc
from google.rpc import status_pb2

from tests.fuzz.cases import GATEWAY, Case
from tests.fuzz.outcome import LEFT, NO_ANSWER, Outcome, of_status

PATIENCE_SECONDS = 40.0
# A stream that says nothing for so long has nothing to say.
QUIET_SECONDS = 0.25
_MOST_ANSWERS = 5
_OPTIONS = (
    ("grpc.max_metadata_size", 2**20),
    ("grpc.absolute_max_metadata_size", 2**20),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
# The gateway ends the connection of who sends a larger header.
_LARGEST_HEADER = 2**16

Metadata = list[tuple[str, str | bytes]]


def metadata_of(case: Case, tokens: Mapping[str, str]) -> Metadata:
    """Return what goes along with a call: the token of its caller, and what is odd."""
    metadata: Metadata = list(case.metadata)
    if case.caller in tokens:
        metadata.append(("authorization", f"Bearer {tokens[case.caller]}"))
    elif case.caller == "damaged token":
        metadata.append(("authorization", f"Bearer {_damaged(case, tokens['admin'])}"))
    elif case.caller == "odd header":
        odd = ("", "Bearer", "Bearer ", "bearer  x y", "Bearer " + "." * 5000, "Negotiate YQ==")
        metadata.append(("authorization", case.chance().choice(odd)))
    return metadata


def _damaged(case: Case, token: str) -> str:
    chance = case.chance()
    place = chance.randrange(len(token))
    header, body, signature = token.split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return chance.choice(
        (
            token[:place] + chance.choice("AZaz09-_.") + token[place + 1 :],
            token[:place],
            f"{unsigned}.{body}.",
            f"{header}.{body}.{signature[::-1]}",
            f"{header}.{header}.{signature}",
            token + "=",
        )
    )


class NativeDoor:
    """Calls with any number of messages, whatever the contract says."""

    def __init__(self, addresses: Mapping[str, str], gateway: str) -> None:
        self._addresses = {**addresses, GATEWAY: gateway}
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "NativeDoor":
        for name, address in self._addresses.items():
            channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
            self._channels[name] = await self._stack.enter_async_context(channel)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def deliver(self, case: Case, tokens: Mapping[str, str]) -> Outcome:
        """Make the call; return how it ended."""
        name = GATEWAY if case.door == GATEWAY else case.rpc.service
        metadata = metadata_of(case, tokens)
        if all(len(value) < _LARGEST_HEADER for _, value in metadata):
            return await _made(case, self._channels[name], metadata)
        async with grpc.aio.insecure_channel(self._addresses[name], options=_OPTIONS) as alone:
            outcome = await _made(case, alone, metadata)
            was_cut_off = outcome.code == "UNAVAILABLE" and "GOAWAY" in outcome.told
            return Outcome("CLOSED", seconds=outcome.seconds) if was_cut_off else outcome


async def _made(case: Case, channel: grpc.aio.Channel, metadata: Metadata) -> Outcome:
    started = time.perf_counter()
    sends_more = case.left_open or len(case.messages) != 1
    options: Any = {"metadata": metadata, "timeout": PATIENCE_SECONDS}
    call: Any = (
        channel.stream_stream(case.rpc.path)(**options)
        if sends_more
        else channel.unary_stream(case.rpc.path)(case.messages[0], **options)
    )
    try:
        if sends_more:
            await _send(case, call)
        ended = await _heard(case, call)
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        # It had ended before everything was sent.
        ended = True
    seconds = time.perf_counter() - started
    if not ended:
        call.cancel()
        return Outcome(LEFT, seconds=seconds)
    return await _ending(call, seconds)


async def _send(case: Case, call: Any) -> None:
    for message in case.messages:
        await call.write(message)
    if not case.left_open:
        await call.done_writing()


async def _heard(case: Case, call: Any) -> bool:
    """Hear some answers; tell whether the call has ended."""
    may_be_left = case.left_open or case.rpc.method.server_streaming
    for _ in range(_MOST_ANSWERS):
        reading = asyncio.ensure_future(call.read())
        await asyncio.wait([reading], timeout=QUIET_SECONDS if may_be_left else None)
        if not reading.done():
            reading.cancel()
            return False
        if reading.result() is grpc.aio.EOF:
            return True
    return False


async def _ending(call: Any, seconds: float) -> Outcome:
    code = (await call.code()).name
    told = str(await call.details())
    if code == "DEADLINE_EXCEEDED" and seconds >= PATIENCE_SECONDS - 1:
        return Outcome(NO_ANSWER, seconds=seconds)
    if told == "Internal error from Core":
        # Our own gRPC, about a message that was sent when the call had ended.
        return Outcome(LEFT, seconds=seconds)
    trailers = dict(await call.trailing_metadata() or ())
    rich = status_pb2.Status()
    rich.ParseFromString(trailers.get("grpc-status-details-bin", b""))
    return of_status(code, rich, told, seconds)
