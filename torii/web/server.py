"""Listens for HTTP: serves the start page, and upgrades to websockets."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import cast

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from websockets import http11
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from mesh import telemetry
from mesh.origins import Origins
from mesh.tokens import TokenVerifier
from torii.clients.learning import LearningClient
from torii.domain.guests import Guests
from torii.domain.handshake import DIRECT_PATH, SUBPROTOCOL, WEBSOCKET_PATHS, Handshake
from torii.domain.memory import Memory
from torii.settings import ToriiSettings
from torii.web.direct import DirectConversation
from torii.web.files import StaticFiles, text_response
from torii.web.learning import LearnConversation
from torii.web.session import Session
from torii.web.socket import LearnSocket
from torii.web.visit import SessionTerms, Visit

_log = structlog.get_logger(__name__)
# Messages that may wait in each websocket before its sender is held up.
_QUEUED_MESSAGES = 4
_CLOSE_SECONDS = 5.0
# A token with as many roles as misaki gives is longer than what the library takes unasked, and it
# has no other place to ask.
http11.MAX_LINE_LENGTH = 2**16
_INTERNAL = 13


class WebServer:
    """HTTP and websockets of torii. `port` is the one it got."""

    def __init__(
        self, settings: ToriiSettings, verifier: TokenVerifier, kyouko: LearningClient
    ) -> None:
        self._settings = settings
        self._files = StaticFiles(settings.static_directory)
        self._sessions: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._origins = Origins(settings.trusted_proxies, settings.trusted_proxy_names)
        self._memory = Memory(settings.max_held_bytes)
        self._guests = Guests(
            most=settings.max_websockets,
            most_strangers=settings.max_strangers,
            most_each=settings.max_websockets_each,
        )
        self._terms = SessionTerms(
            verifier=verifier,
            kyouko=kyouko,
            stopping=self._stopping,
            guests=self._guests,
            first_message_seconds=settings.first_message_seconds,
            max_message_bytes=settings.max_message_bytes,
            max_json_bytes=settings.max_json_bytes,
        )
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen; at the end close every websocket and stop.

        Raises:
            SystemExit: The address cannot be listened on.
        """
        server = await self._listen()
        self.port = server.sockets[0].getsockname()[1]
        _log.info("serving http", port=self.port)
        try:
            yield
        finally:
            await self.drain()
            server.close()
            await server.wait_closed()

    async def drain(self) -> None:
        """Let every websocket end with a reason; returns when all have ended."""
        self._stopping.set()
        if self._sessions:
            await asyncio.wait(self._sessions)

    async def _listen(self) -> Server:
        host, _, port = self._settings.http_listen.rpartition(":")
        ping = self._settings.ping_seconds
        tls = self._settings.tls
        try:
            return await serve(
                self._handle,
                host.strip("[]"),
                int(port),
                ssl=tls.http_server_context() if tls is not None else None,
                process_request=self._answer,
                select_subprotocol=_select_subprotocol,
                # Frames are numbers; compressing them costs more than it saves.
                compression=None,
                # Any factory will do, though its type says otherwise.
                create_connection=cast(
                    type[ServerConnection], partial(LearnSocket, memory=self._memory)
                ),
                # Until a token tells who it is.
                max_size=self._settings.max_stranger_bytes,
                max_queue=_QUEUED_MESSAGES,
                ping_interval=ping,
                ping_timeout=ping,
                close_timeout=_CLOSE_SECONDS,
                server_header=None,
                logger=_library_log(),
            )
        except OSError as error:
            raise SystemExit(f"cannot listen on {self._settings.http_listen}: {error}") from error

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the answer to a request; None lets a websocket open."""
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            if request.path.partition("?")[0] in WEBSOCKET_PATHS:
                return _upgrade_required()
            return self._files.answer(request)
        if not _handshake_of(request).comes_from(self._settings.allowed_origins):
            return text_response(HTTPStatus.FORBIDDEN, "pages of this origin may not connect")
        session = self._session(connection, request)
        await session.prepare()
        if self._stopping.is_set() or not self._guests.has_room(session.guest):
            return text_response(HTTPStatus.SERVICE_UNAVAILABLE, "no more websockets at the moment")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        if connection.request is None:
            return
        session = self._session(connection, connection.request)
        running = asyncio.create_task(self._run_session(session, connection, connection.request))
        self._sessions.add(running)
        try:
            with self._guests.present(session.guest):
                await running
        finally:
            self._sessions.discard(running)

    def _session(self, connection: ServerConnection, request: Request) -> Session:
        origin = self._origins.seen(
            str((connection.remote_address or ("",))[0]),
            ",".join(request.headers.get_all("X-Forwarded-For")),
            _names_of(connection),
        )
        visit = Visit(
            cast(LearnSocket, connection), _handshake_of(request), self._terms, origin.address
        )
        is_direct = visit.handshake.path == DIRECT_PATH
        return Session(visit, DirectConversation(visit) if is_direct else LearnConversation(visit))

    async def _run_session(
        self, session: Session, connection: ServerConnection, request: Request
    ) -> None:
        path = _handshake_of(request).path
        span = telemetry.tracer().start_span(
            f"websocket {path}" if path in WEBSOCKET_PATHS else "websocket",
            context=telemetry.context_from(
                [(name.lower(), value) for name, value in request.headers.raw_items()]
            ),
            kind=SpanKind.SERVER,
        )
        otel_context.attach(trace.set_span_in_context(span))
        started = time.perf_counter()
        try:
            ended = await session.run()
            span.set_attribute("rpc.grpc.status_code", ended.code)
            if ended.code == _INTERNAL:
                span.set_status(Status(StatusCode.ERROR))
        finally:
            span.end()
        _log.info(
            "websocket",
            path=path,
            close_code=connection.close_code,
            code=ended.code,
            milliseconds=round((time.perf_counter() - started) * 1e3, 2),
        )


def _names_of(connection: ServerConnection) -> Sequence[str]:
    """Return the names in the certificate of the other end; none without TLS."""
    certificate = connection.transport.get_extra_info("peercert") or {}
    return [str(value) for _, value in certificate.get("subjectAltName", ())]


def _handshake_of(request: Request) -> Handshake:
    headers = request.headers
    offered = ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(",")
    return Handshake(
        target=request.path,
        subprotocols=[name.strip() for name in offered if name.strip()],
        authorization=",".join(headers.get_all("Authorization")),
        origin=",".join(headers.get_all("Origin")),
        host=",".join(headers.get_all("Host")),
    )


def _select_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    # Never the one that holds the token: the answer would send it back.
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


def _library_log() -> logging.Logger:
    # It would write down every request, on debug with its headers, which hold tokens.
    log = logging.getLogger("hanami.torii.websockets")
    log.setLevel(logging.WARNING)
    return log


def _upgrade_required() -> Response:
    response = text_response(HTTPStatus.UPGRADE_REQUIRED, "this path speaks websocket")
    response.headers["Upgrade"] = "websocket"
    return response
