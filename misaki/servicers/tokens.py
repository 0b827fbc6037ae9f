"""`hanami.misaki.v1.TokenService`."""

from collections.abc import Sequence
from typing import Any

import grpc
from hanami.misaki.v1 import token_service_pb2 as pb
from hanami.misaki.v1 import token_service_pb2_grpc

from mesh.tokens import PublicKey
from misaki import convert
from misaki.domain.sessions import Sessions

Context = grpc.aio.ServicerContext[Any, Any]


class TokenServicer(token_service_pb2_grpc.TokenServiceServicer):
    """Logs in, renews, and publishes the keys."""

    def __init__(self, sessions: Sessions, keys: Sequence[PublicKey]) -> None:
        self._sessions = sessions
        self._keys = keys

    async def Login(self, request: pb.LoginRequest, context: Context) -> pb.TokenPair:
        """Log a user in."""
        pair = await self._sessions.log_in(request.user_id, request.password)
        return convert.token_pair_message(pair)

    async def RefreshToken(self, request: pb.RefreshTokenRequest, context: Context) -> pb.TokenPair:
        """Renew a pair of tokens."""
        pair = await self._sessions.renew(request.refresh_token)
        return convert.token_pair_message(pair)

    async def IssueServiceToken(
        self, request: pb.IssueServiceTokenRequest, context: Context
    ) -> pb.ServiceToken:
        """Give a service its token."""
        token = self._sessions.token_for_service(request.service, request.secret)
        return convert.service_token_message(token)

    async def GetJsonWebKeySet(
        self, request: pb.GetJsonWebKeySetRequest, context: Context
    ) -> pb.JsonWebKeySet:
        """Return the public keys."""
        return pb.JsonWebKeySet(keys=map(convert.key_message, self._keys))
