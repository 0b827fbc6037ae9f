"""Calls to other services: channels, metadata with token and trace, errors."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from google.rpc import code_pb2
from grpc_status import rpc_status
from hanami.misaki.v1 import token_service_pb2, token_service_pb2_grpc

from mesh import status, telemetry
from mesh.errors import (
    Aborted,
    AlreadyExists,
    DomainError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from mesh.origins import FORWARDED_FOR
from mesh.tls import MeshTls
from mesh.tokens import PublicKey

Metadata = tuple[tuple[str, str], ...]


def channel_to(
    address: str,
    *,
    service: str = "",
    tls: MeshTls | None = None,
    max_message_bytes: int = 16 * 2**20,
) -> grpc.aio.Channel:
    """Open a channel to another service of the mesh.

    Args:
        address: host:port.
        service: Whose certificate must be shown there; needed with `tls`.
        tls: How both prove who they are; a plain connection when None.
        max_message_bytes: The largest message to send or receive.
    """
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.keepalive_time_ms", 30000),
    ]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    if not service:
        raise ValueError("with TLS a channel needs the name of the service")
    # By its name and not by its address: another service in its place is refused.
    options.append(("grpc.ssl_target_name_override", service))
    return grpc.aio.secure_channel(address, tls.channel_credentials(), options=options)


def call_metadata(token: str, *, forwarded_for: str = "") -> Metadata:
    """Return the metadata of an outgoing call: the token, and the current trace.

    Args:
        token: Of whom the call is made for.
        forwarded_for: Where they are, when they are not the caller itself.
    """
    origin = ((FORWARDED_FOR, forwarded_for),) if forwarded_for else ()
    return (("authorization", f"Bearer {token}"), *origin, *telemetry.trace_headers().items())


@asynccontextmanager
async def translated_errors(dependency: str) -> AsyncIterator[None]:
    """Turn the statuses of calls to another service into domain errors.

    Args:
        dependency: The name of the other service.

    Raises:
        DomainError: As the other service meant it; Unavailable with
            DEPENDENCY_UNAVAILABLE when it does not answer or fails itself.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _domain_error(error, dependency) from error


def unavailable(dependency: str) -> Unavailable:
    """Return the error of a service or store that does not answer."""
    return Unavailable(
        f"{dependency} does not answer at the moment; try again",
        reason="DEPENDENCY_UNAVAILABLE",
        metadata={"dependency": dependency},
    )


_ERRORS: dict[int, type[DomainError]] = {
    code_pb2.ABORTED: Aborted,
    code_pb2.FAILED_PRECONDITION: FailedPrecondition,
    code_pb2.RESOURCE_EXHAUSTED: ResourceExhausted,
    code_pb2.PERMISSION_DENIED: PermissionDenied,
    code_pb2.UNAUTHENTICATED: Unauthenticated,
    code_pb2.INVALID_ARGUMENT: InvalidArgument,
}


def _domain_error(error: grpc.aio.AioRpcError, dependency: str) -> DomainError:
    rich = rpc_status.from_call(error)
    info = status.error_info(rich) if rich is not None else None
    if rich is None or info is None or not info.reason:
        return unavailable(dependency)
    metadata = dict(info.metadata)
    if rich.code == code_pb2.NOT_FOUND:
        return NotFound(metadata.get("resource", dependency))
    if rich.code == code_pb2.ALREADY_EXISTS:
        return AlreadyExists(
            metadata.get("resource", dependency),
            message=rich.message,
            reason=info.reason,
            metadata=metadata,
        )
    kind = _ERRORS.get(rich.code)
    if kind is None:
        return unavailable(dependency)
    return kind(rich.message, reason=info.reason, metadata=metadata)


class RemoteKeys:
    """Asks misaki for the keys that verify tokens."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = token_service_pb2_grpc.TokenServiceStub(channel)

    async def __call__(self) -> Sequence[PublicKey]:
        """Return the keys.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        async with translated_errors("misaki"):
            answer = await self._stub.GetJsonWebKeySet(
                token_service_pb2.GetJsonWebKeySetRequest(), timeout=5.0
            )
        return [PublicKey(key_id=key.kid, x=key.x) for key in answer.keys]


class ServiceTokens:
    """Gets this service's own token from misaki and renews it in time."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        service: str,
        secret_file: Path,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._stub = token_service_pb2_grpc.TokenServiceStub(channel)
        self._service = service
        self._secret_file = secret_file
        self._now = now
        self._token = ""
        self._renew_at = 0.0

    def forget(self) -> None:
        """Get a new token the next time, because somebody has refused this one."""
        self._renew_at = 0.0

    async def token(self) -> str:
        """Return a token that is good for at least a quarter of its life.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
            Unauthenticated: CREDENTIALS_INVALID: the secret is not misaki's.
        """
        now = self._now()
        if now >= self._renew_at:
            request = token_service_pb2.IssueServiceTokenRequest(
                service=self._service,
                secret=self._secret_file.read_text(encoding="utf-8").strip(),
            )
            async with translated_errors("misaki"):
                answer = await self._stub.IssueServiceToken(request, timeout=5.0)
            self._token = answer.access_token
            expires_at = answer.access_expire_time.seconds
            self._renew_at = now + 0.75 * (expires_at - now)
        return self._token
