"""`hanami.misaki.v1.TokenService`."""

from collections.abc import Callable, Sequence
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from hanami.misaki.v1 import token_service_pb2 as pb
from hanami.misaki.v1 import token_service_pb2_grpc

from mesh.calls import current_caller
from mesh.origins import Origins
from mesh.tokens import PublicKey
from misaki import convert
from misaki.convert_credentials import access_token_message
from misaki.domain.model import CredentialKind
from misaki.domain.project_credentials import ProjectCredentials
from misaki.domain.services import ServiceLogins
from misaki.domain.sessions import Sessions

Context = grpc.aio.ServicerContext[Any, Any]


class TokenServicer(token_service_pb2_grpc.TokenServiceServicer):
    """Logs in, renews, and publishes the keys."""

    def __init__(
        self,
        sessions: Sessions,
        services: ServiceLogins,
        credentials: ProjectCredentials,
        keys: Callable[[], Sequence[PublicKey]],
        origins: Origins,
    ) -> None:
        self._sessions = sessions
        self._services = services
        self._credentials = credentials
        self._keys = keys
        self._origins = origins

    async def Login(self, request: pb.LoginRequest, context: Context) -> pb.TokenPair:
        """Log a user in."""
        where = convert.where(self._origins, context, request.project)
        pair = await self._sessions.log_in(request.user_id, request.password, where)
        return convert.token_pair_message(pair)

    async def RefreshToken(self, request: pb.RefreshTokenRequest, context: Context) -> pb.TokenPair:
        """Renew a pair of tokens."""
        pair = await self._sessions.renew(
            request.refresh_token, project_id=convert.entered_project(request.project)
        )
        return convert.token_pair_message(pair)

    async def Logout(self, request: pb.LogoutRequest, context: Context) -> Empty:
        """End the caller's login."""
        await self._sessions.log_out(current_caller())
        return Empty()

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> Empty:
        """Take a token back."""
        await self._sessions.revoke(request.token)
        return Empty()

    async def ExchangeApiKey(
        self, request: pb.ExchangeApiKeyRequest, context: Context
    ) -> pb.AccessToken:
        """Give a device its token."""
        key, token = await self._credentials.exchange(CredentialKind.API_KEY, request.secret)
        return access_token_message(key, token)

    async def ExchangeClientSecret(
        self, request: pb.ExchangeClientSecretRequest, context: Context
    ) -> pb.AccessToken:
        """Give a program its token."""
        client, token = await self._credentials.exchange(
            CredentialKind.CLIENT, request.secret, name=request.client
        )
        return access_token_message(client, token)

    async def IssueServiceToken(
        self, request: pb.IssueServiceTokenRequest, context: Context
    ) -> pb.ServiceToken:
        """Give a service its token."""
        token = self._services.token_for(request.service, request.secret)
        return convert.service_token_message(token)

    async def GetJsonWebKeySet(
        self, request: pb.GetJsonWebKeySetRequest, context: Context
    ) -> pb.JsonWebKeySet:
        """Return the public keys."""
        return pb.JsonWebKeySet(keys=map(convert.key_message, self._keys()))
