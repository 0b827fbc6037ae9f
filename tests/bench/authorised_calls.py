"""What it costs a unary call that somebody looks who makes it, and whether they may.

Servers in this process answer the same call in turn: a bare grpc.aio server; one with all
layers of the chassis except authentication, whose callers send no token, and then one that
nobody looks at; and one with authentication too, as services have it. What each step costs
is compared with the whole bare call, client and server together, in processor time.
"""

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from hanami.misaki.v1 import user_service_pb2, user_service_pb2_grpc

from mesh.access_state import AccessState
from mesh.interceptors import (
    LayeredInterceptor,
    authentication,
    call_telemetry,
    deadline,
    errors,
    validation,
)
from mesh.interceptors.completion import Completion
from mesh.policy import contract_rules
from mesh.tokens import TokenVerifier
from tests.signing import Signer

# Few, so that what else the machine does falls on all three alike.
CALLS = 100
_FIRST_USES = 200
_MOST_USES = 20
_SERVICE = "hanami.misaki.v1.UserService"
_USER = user_service_pb2.User(name="users/alice", display_name="Alice")
_ASKED = user_service_pb2.GetUserRequest(name="users/alice")


@dataclass(frozen=True)
class CallCosts:
    """Processor seconds of one call, round by round."""

    bare: Sequence[float]
    layered: Sequence[float]
    token_sent: Sequence[float]
    authorised: Sequence[float]
    first_use: Sequence[float]
    further_use: Sequence[float]

    def shares(self, more: Sequence[float], less: Sequence[float]) -> list[float]:
        """Return what lies between two kinds of calls, as shares of a bare one."""
        rounds = zip(self.bare, more, less, strict=True)
        return [(dear - cheap) / bare for bare, dear, cheap in rounds]


class _Users(user_service_pb2_grpc.UserServiceServicer):
    async def GetUser(self, request: Any, context: Any) -> Any:
        return _USER


async def call_costs(rounds: int) -> CallCosts:
    """Measure, taking turns."""
    signer = Signer()
    access = AccessState()
    access.policy.add(contract_rules([_SERVICE]))
    verifier = signer.verifier(access)
    layers = [call_telemetry, errors, validation, deadline(60.0)]
    whole = [call_telemetry, errors, authentication(verifier), validation, deadline(60.0)]
    token = signer.bearer("users/alice", adm=True)
    found: list[tuple[float, ...]] = []
    async with AsyncExitStack() as stack:
        servers = [
            (await stack.enter_async_context(_server(None)), ()),
            (await stack.enter_async_context(_server(layers)), ()),
            (await stack.enter_async_context(_server(layers)), token),
            (await stack.enter_async_context(_server(whole)), token),
        ]
        for stub, metadata in servers:
            await _seconds_each(lambda s=stub, m=metadata: s.GetUser(_ASKED, metadata=m))
        for place in range(rounds):
            costs = {}
            # Whoever comes first has the colder caches: so each does, in turn.
            for number in [(place + step) % len(servers) for step in range(len(servers))]:
                stub, metadata = servers[number]
                costs[number] = await _seconds_each(
                    lambda s=stub, m=metadata: s.GetUser(_ASKED, metadata=m)
                )
            found.append(tuple(costs[number] for number in range(len(servers))))
    uses = [await _uses(signer, verifier, place) for place in range(min(rounds, _MOST_USES))]
    bare, layered, token_sent, authorised = zip(*found, strict=True)
    first, further = zip(*uses, strict=True)
    return CallCosts(bare, layered, token_sent, authorised, first, further)


async def _seconds_each(call: Callable[[], Awaitable[Any]]) -> float:
    started = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - started) / CALLS


async def _uses(signer: Signer, verifier: TokenVerifier, place: int) -> tuple[float, float]:
    """Return what verifying a token costs that is new, and one that is known."""
    tokens = [signer.token(jti=f"{place}/{number}") for number in range(_FIRST_USES)]
    seconds = []
    for _ in range(2):
        started = time.process_time()
        for token in tokens:
            await verifier.verify(token)
        seconds.append((time.process_time() - started) / len(tokens))
    return seconds[0], seconds[1]


@asynccontextmanager
async def _server(layers: Any) -> AsyncIterator[Any]:
    interceptors = [LayeredInterceptor(layers, unary=Completion(None))] if layers else []
    server = grpc.aio.server(interceptors=interceptors)
    user_service_pb2_grpc.add_UserServiceServicer_to_server(_Users(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield user_service_pb2_grpc.UserServiceStub(channel)
    finally:
        await server.stop(None)


def median(values: Sequence[float]) -> float:
    """Return the middle of some values."""
    return statistics.median(values)
