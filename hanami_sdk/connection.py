"""One channel to the mesh, and how calls are made over it.

Adds to every call what calls need: a token, a deadline, the trace context, a
`request_id` that makes repeating it safe, and retries. Knows no resource.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import grpc
from google.protobuf.empty_pb2 import Empty
from hanami.misaki.v1 import token_service_pb2, token_service_pb2_grpc

from hanami_sdk.errors import HanamiError, InvalidArgument, Unauthenticated, error_from_rpc
from hanami_sdk.names import DEVICE, PROGRAM, USER, kind_of_principal
from hanami_sdk.quota_warnings import warn_of_quotas
from hanami_sdk.retries import RetryPolicy
from hanami_sdk.sessions import RENEW_BEFORE_SECONDS, Session, Tokens
from hanami_sdk.tracing import trace_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

RequestT = TypeVar("RequestT", bound="Message")
ResponseT = TypeVar("ResponseT")

_CHANNEL_OPTIONS: list[tuple[str, int]] = [
    # Notices a dead peer within 80 s, but only while a call is under way:
    # servers drop clients that ping on idle connections.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Pages of a data set may be large; what is sent is limited by the server.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    # After an outage, try again soon: people wait at the other end.
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A client is one user of its own: it shares no connection with others.
    ("grpc.use_local_subchannel_pool", 1),
]


@dataclass(frozen=True)
class ConnectionOptions:
    """How to reach the mesh.

    Attributes:
        url: where it listens, `http://host:port` or `https://host:port`.
        ca_file: PEM file of the authority that signed its certificate; the
            system's authorities count when not given.
        timeout: the longest one unary call may take, retries included, in seconds.
        retries: when to try again.
    """

    url: str
    ca_file: str | Path | None = None
    timeout: float = 60.0
    retries: RetryPolicy = field(default_factory=RetryPolicy)


def parse_url(url: str) -> tuple[str, bool]:
    """Split a gateway's URL into gRPC's target and whether TLS is spoken.

    Raises:
        InvalidArgument: the URL has another scheme, no host, or a path.
    """
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise InvalidArgument(
            f"{url!r} is not a URL of the form http://HOST:PORT or https://HOST:PORT.",
            reason="FIELD_INVALID",
        )
    secure = parts.scheme == "https"
    try:
        port = parts.port or (443 if secure else 80)
    except ValueError as error:
        raise InvalidArgument(f"{url!r} has no valid port.", reason="FIELD_INVALID") from error
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}", secure


class Connection:
    """Makes calls as one user. Belongs to one event loop."""

    def __init__(
        self,
        options: ConnectionOptions,
        *,
        on_tokens: Callable[[Tokens], None] | None = None,
    ) -> None:
        self.options = options
        self.channel = _open_channel(options)
        self._tokens = token_service_pb2_grpc.TokenServiceStub(self.channel)
        self.session = Session(refresh=self._refresh, on_tokens=on_tokens)

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        await self.channel.close()

    async def unary(
        self,
        method: Callable[..., Any],
        request: RequestT,
        answer: type[ResponseT],
        *,
        with_token: bool = True,
    ) -> ResponseT:
        """Make one call and return its answer, trying again where that helps.

        `answer` says what the method returns. A `request_id` is filled in where the
        request has such a field, so a repeated call has its effect once.
        """
        _ensure_request_id(request)
        deadline = asyncio.get_running_loop().time() + self.options.timeout
        failures, renewed = 0, False
        while True:
            token = await self.session.access_token() if with_token else None
            left = deadline - asyncio.get_running_loop().time()
            try:
                with self.translated():
                    call = method(request, timeout=max(left, 0.001), metadata=_metadata(token))
                    response = await call
                await warn_of_quotas(call)
                return cast(ResponseT, response)
            except Unauthenticated:
                if renewed or not await self.session.replace(token):
                    raise
                renewed = True
            except HanamiError as error:
                failures += 1
                delay = self.options.retries.delay(failures, error)
                if delay is None or delay >= left:
                    raise
                await asyncio.sleep(delay)

    async def server_stream(
        self, method: Callable[..., Any], request: Message, answer: type[ResponseT]
    ) -> AsyncIterator[ResponseT]:
        """Yield the answers of one server-streaming call; no retries, no deadline."""
        call = method(request, metadata=await self.call_metadata())
        try:
            with self.translated():
                async for response in call:
                    yield cast(ResponseT, response)
        finally:
            call.cancel()

    async def call_metadata(self, good_for: float = RENEW_BEFORE_SECONDS) -> list[tuple[str, str]]:
        """Return the metadata of a call that may take so many seconds: token and trace context."""
        return _metadata(await self.session.access_token(good_for))

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what gRPC raises into a `HanamiError`."""
        try:
            yield
        except grpc.RpcError as error:
            raise error_from_rpc(error, target=self.options.url) from None

    async def log_in(self, user_id: str, password: str, project: str = "") -> Tokens:
        """Return the tokens of a user; they are not kept yet."""
        request = token_service_pb2.LoginRequest(
            user_id=user_id, password=password, project=project
        )
        return await self._fetch_pair(self._tokens.Login, request)

    async def exchange_api_key(self, secret: str) -> Tokens:
        """Return tokens of the device whose secret it is; they are not kept yet."""
        request = token_service_pb2.ExchangeApiKeyRequest(secret=secret)
        return await self._exchange(self._tokens.ExchangeApiKey, request, secret)

    async def exchange_client_secret(self, client: str, secret: str) -> Tokens:
        """Return tokens of a program; they are not kept yet."""
        request = token_service_pb2.ExchangeClientSecretRequest(client=client, secret=secret)
        return await self._exchange(self._tokens.ExchangeClientSecret, request, secret)

    async def log_out(self) -> None:
        """End the login at the mesh, and go on as nobody."""
        tokens = self.session.tokens
        if tokens is not None and kind_of_principal(tokens.user) == USER:
            await self.unary(self._tokens.Logout, token_service_pb2.LogoutRequest(), Empty)
        elif tokens is not None:
            request = token_service_pb2.RevokeTokenRequest(token=tokens.access)
            await self.unary(self._tokens.RevokeToken, request, Empty, with_token=False)
        self.session.forget()

    async def _refresh(self, tokens: Tokens, project: str) -> Tokens:
        kind = kind_of_principal(tokens.user)
        if project and kind != USER:
            raise InvalidArgument(
                f"{tokens.user} works in its own project only.", reason="FIELD_INVALID"
            )
        if kind == DEVICE:
            return await self.exchange_api_key(tokens.refresh)
        if kind == PROGRAM:
            return await self.exchange_client_secret(tokens.user, tokens.refresh)
        request = token_service_pb2.RefreshTokenRequest(
            refresh_token=tokens.refresh, project=project
        )
        return await self._fetch_pair(self._tokens.RefreshToken, request)

    async def _fetch_pair(self, method: Callable[..., Any], request: Message) -> Tokens:
        pair = await self.unary(method, request, token_service_pb2.TokenPair, with_token=False)
        return Tokens.from_message(pair)

    async def _exchange(self, method: Callable[..., Any], request: Message, secret: str) -> Tokens:
        token = await self.unary(method, request, token_service_pb2.AccessToken, with_token=False)
        return Tokens.from_exchange(token, secret)


def _open_channel(options: ConnectionOptions) -> grpc.aio.Channel:
    target, secure = parse_url(options.url)
    arguments = [*_CHANNEL_OPTIONS, ("grpc.primary_user_agent", f"hanami/{_version()}")]
    if not secure:
        return grpc.aio.insecure_channel(target, options=arguments)
    roots = Path(options.ca_file).read_bytes() if options.ca_file else None
    credentials = grpc.ssl_channel_credentials(root_certificates=roots)
    return grpc.aio.secure_channel(target, credentials, options=arguments)


def _version() -> str:
    try:
        return version("hanami")
    except PackageNotFoundError:
        return "unknown"  # Used from a folder, without being installed.


def _metadata(token: str | None) -> list[tuple[str, str]]:
    metadata = trace_metadata()
    if token:
        metadata.append(("authorization", f"Bearer {token}"))
    return metadata


def _ensure_request_id(request: Any) -> None:
    if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
        request.request_id = str(uuid.uuid4())
