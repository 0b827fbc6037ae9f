"""Logins with accounts of OpenID Connect providers, step by step.

`Client.login_with_provider` takes all steps for a program with a browser beside it; web
applications take them here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hanami.misaki.v1 import provider_login_service_pb2 as pb
from hanami.misaki.v1 import provider_login_service_pb2_grpc, token_service_pb2

from hanami_sdk.connection import Connection
from hanami_sdk.names import project_name, provider_name
from hanami_sdk.sessions import Tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable


@dataclass(frozen=True)
class StartedLogin:
    """A login that waits for the browser.

    Attributes:
        authorization_url: to open in the browser.
        handle: to keep until the browser is back, and out of every URL.
        expire_time: when the login has to be finished.
    """

    authorization_url: str
    handle: str = field(repr=False)
    expire_time: datetime


class Providers:
    """Lists login providers, and logs in with their accounts. Needs no login."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = provider_login_service_pb2_grpc.ProviderLoginServiceStub(connection.channel)

    async def list(self) -> AsyncIterator[pb.LoginProvider]:
        """Iterate over the providers; there are none when only passwords are asked for."""
        answer = await self._connection.unary(
            self._stub.ListLoginProviders,
            pb.ListLoginProvidersRequest(),
            pb.ListLoginProvidersResponse,
            with_token=False,
        )
        for provider in answer.login_providers:
            yield provider

    async def start(self, provider: str, redirect_uri: str) -> StartedLogin:
        """Begin a login; the provider sends the browser to `redirect_uri`.

        Raises:
            InvalidArgument: the mesh does not allow this address (FIELD_INVALID).
        """
        request = pb.StartProviderLoginRequest(
            provider=provider_name(provider), redirect_uri=redirect_uri
        )
        started = await self._connection.unary(
            self._stub.StartProviderLogin,
            request,
            pb.StartProviderLoginResponse,
            with_token=False,
        )
        expire_time = started.expire_time.ToDatetime(tzinfo=UTC)
        return StartedLogin(started.authorization_url, started.handle, expire_time)

    async def finish(self, *, state: str, code: str, handle: str, project: str = "") -> Tokens:
        """Log in with what the browser brought back, once; the client keeps the tokens.

        Args:
            state: as the browser brought it.
            code: as the browser brought it.
            handle: of the login that was started.
            project: the only project that the tokens are to speak of; all when empty.

        Raises:
            Unauthenticated: no such login, or the provider says no (CREDENTIALS_INVALID).
            FailedPrecondition: the account fits no user here (STATE_CONFLICT).
        """
        request = pb.FinishProviderLoginRequest(
            state=state,
            code=code,
            handle=handle,
            project=project_name(project) if project else "",
        )
        return await self._connection.session.keep(self._finished(request))

    def _finished(self, request: pb.FinishProviderLoginRequest) -> Awaitable[Tokens]:
        async def fetch() -> Tokens:
            pair = await self._connection.unary(
                self._stub.FinishProviderLogin,
                request,
                token_service_pb2.TokenPair,
                with_token=False,
            )
            return Tokens.from_message(pair)

        return fetch()
