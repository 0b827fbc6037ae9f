"""Calls any RPC by its descriptor, through the gateway or at the port of its service."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from hanami_sdk.local.contracts import PACKAGES
from mesh.status import error_info
from tests.e2e.conftest import Metadata, RunningMesh
from tests.rpcs import Rpc

GATEWAY = "gateway"
SERVICE = "service"
# A refusal comes at once; what comes later is none.
_PATIENCE_SECONDS = 30.0
_CALLS_AT_ONCE = 16
_MISSING = "the token is missing"


@dataclass(frozen=True)
class Answer:
    """How a call ended, and all that its caller was told."""

    code: str
    reason: str = ""
    message: str = ""
    details: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()

    @property
    def ending(self) -> tuple[str, str]:
        """The status and the reason."""
        return self.code, self.reason

    @property
    def wants_a_token(self) -> bool:
        """Whether the call was refused for coming without a token."""
        return self.ending == ("UNAUTHENTICATED", "TOKEN_INVALID") and self.message.startswith(
            _MISSING
        )


@dataclass(frozen=True)
class Question:
    """A call to be made."""

    rpc: Rpc
    request: Message
    metadata: Metadata
    door: str = GATEWAY


@dataclass(frozen=True)
class Doors:
    """The ways into a mesh: the gateway, and the port of every service."""

    channels: Mapping[str, grpc.Channel]
    threads: ThreadPoolExecutor

    def ask(self, question: Question, *, seconds: float = _PATIENCE_SECONDS) -> Answer:
        """Make a call; return how it ended.

        Of a stream that begins to answer the first message is taken, and no more; a stream
        of requests stays open, so that its end is the service's deed.
        """
        ended = threading.Event()
        call = self._begun(question, ended, seconds)
        try:
            response = next(call) if question.rpc.method.server_streaming else call.result()
        except (grpc.RpcError, StopIteration):
            return _ending(call)
        finally:
            ended.set()
            call.cancel()
        return Answer("OK", responses=(str(response),))

    def ask_all(
        self, questions: Iterable[Question], *, seconds: float = _PATIENCE_SECONDS
    ) -> list[Answer]:
        """Make calls at the same time; return how they ended, in the same order."""
        return list(self.threads.map(lambda q: self.ask(q, seconds=seconds), questions))

    def _begun(self, question: Question, ended: threading.Event, seconds: float) -> Any:
        method, request = question.rpc.method, question.request
        kind = "stream" if method.client_streaming else "unary"
        kind += "_stream" if method.server_streaming else "_unary"
        name = GATEWAY if question.door == GATEWAY else question.rpc.service
        stub = getattr(self.channels[name], kind)(
            question.rpc.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=question.rpc.response_type.FromString,
        )
        begin = stub if method.server_streaming else stub.future
        sent = _staying_open(request, ended) if method.client_streaming else request
        return begin(sent, metadata=question.metadata, timeout=seconds)


@contextmanager
def open_doors(mesh: RunningMesh) -> Iterator[Doors]:
    """Connect to the gateway and to every service."""
    components = {component.name: component.address for component in mesh.state.components}
    addresses = {GATEWAY: mesh.address} | {service: components[service] for service in PACKAGES}
    with ExitStack() as stack:
        channels = {
            name: stack.enter_context(grpc.insecure_channel(address))
            for name, address in addresses.items()
        }
        yield Doors(channels, stack.enter_context(ThreadPoolExecutor(_CALLS_AT_ONCE)))


def _staying_open(request: Message, ended: threading.Event) -> Iterator[Message]:
    yield request
    ended.wait()


def _ending(call: Any) -> Answer:
    code = call.code()
    trailers = dict(call.trailing_metadata() or ())
    rich = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    return Answer(
        code.name,
        error_info(rich).reason,
        str(call.details()),
        tuple(_text(detail) for detail in rich.details),
    )


def _text(detail: Any) -> str:
    info = error_details_pb2.ErrorInfo()
    if detail.Unpack(info):
        return f"{info.domain} {info.reason} {sorted(info.metadata.items())}"
    return str(detail)
