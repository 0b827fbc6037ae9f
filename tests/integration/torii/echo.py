"""A LearningService that learns nothing: it answers so that the way to it can be tested."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import learning_service_pb2_grpc
from opentelemetry import trace

from mesh.calls import current_caller
from mesh.clients import RemoteKeys, channel_to
from mesh.errors import NotFound
from mesh.server import Application, Servicer, serving
from mesh.settings import MeshSettings
from mesh.tokens import TokenVerifier

MISSING_NETWORK = "projects/demo/networks/missing"
NETWORK = "projects/demo/networks/echo"


@dataclass
class Seen:
    """What reached the service."""

    callers: list[str] = field(default_factory=list)
    trace_ids: list[str] = field(default_factory=list)
    frames: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class EchoLearning(learning_service_pb2_grpc.LearningServiceServicer):
    """Answers frame by frame, with the frame's own inputs as outputs."""

    def __init__(self) -> None:
        self.seen = Seen()

    async def Learn(
        self, request_iterator: AsyncIterator[pb.LearnRequest], context: Any
    ) -> AsyncIterator[pb.LearnResponse]:
        """Answer every message in turn."""
        self.seen.callers.append(current_caller().principal.name)
        span = trace.get_current_span().get_span_context()
        self.seen.trace_ids.append(format(span.trace_id, "032x"))
        try:
            async for request in request_iterator:
                yield self._answer(request)
                if request.WhichOneof("message") == "close":
                    return
        finally:
            self.seen.ended.set()

    def _answer(self, request: pb.LearnRequest) -> pb.LearnResponse:
        match request.WhichOneof("message"):
            case "open":
                if request.open.network == MISSING_NETWORK:
                    raise NotFound(request.open.network)
                return pb.LearnResponse(opened=pb.LearnOpened(max_outstanding_rows=1024))
            case "close":
                return pb.LearnResponse(closed=pb.LearnClosed())
            case "authentication":
                return pb.LearnResponse(progress=pb.LearnProgress())
        self.seen.frames += 1
        frame = request.frame
        return pb.LearnResponse(
            result=pb.LearnResult(sequence=frame.sequence, outputs=frame.inputs)
        )


@dataclass(frozen=True)
class RunningEcho:
    """The service at its address."""

    address: str
    seen: Seen
    server: grpc.aio.Server


@asynccontextmanager
async def start_echo(misaki_address: str) -> AsyncIterator[RunningEcho]:
    """Serve the echo with the mesh's own interceptors."""
    settings = MeshSettings(service_name="kyouko", listen="127.0.0.1:0", drain_seconds=0.2)
    echo = EchoLearning()
    async with channel_to(misaki_address) as misaki:
        application = Application(
            servicers=[
                Servicer(
                    "hanami.kyouko.v1.LearningService",
                    learning_service_pb2_grpc.add_LearningServiceServicer_to_server,
                    echo,
                )
            ],
            verifier=TokenVerifier(RemoteKeys(misaki), issuer="hanami", audience="hanami"),
        )
        async with serving(settings, application) as running:
            yield RunningEcho(f"127.0.0.1:{running.port}", echo.seen, running.server)
