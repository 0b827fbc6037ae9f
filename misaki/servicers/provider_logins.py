"""`hanami.misaki.v1.ProviderLoginService`."""

from typing import Any

import grpc
from hanami.misaki.v1 import provider_login_service_pb2 as pb
from hanami.misaki.v1 import provider_login_service_pb2_grpc, token_service_pb2

from mesh import names
from mesh.origins import Origins
from misaki import convert
from misaki.domain.provider_logins import ProviderLogins

Context = grpc.aio.ServicerContext[Any, Any]


class ProviderLoginServicer(provider_login_service_pb2_grpc.ProviderLoginServiceServicer):
    """Logs people in with accounts of other providers."""

    def __init__(self, logins: ProviderLogins, origins: Origins) -> None:
        self._logins = logins
        self._origins = origins

    async def ListLoginProviders(
        self, request: pb.ListLoginProvidersRequest, context: Context
    ) -> pb.ListLoginProvidersResponse:
        """Return the providers."""
        providers = map(convert.login_provider_message, self._logins.list())
        return pb.ListLoginProvidersResponse(login_providers=providers)

    async def StartProviderLogin(
        self, request: pb.StartProviderLoginRequest, context: Context
    ) -> pb.StartProviderLoginResponse:
        """Begin a login."""
        (provider_id,) = names.parse("loginProviders/*", request.provider, field="provider")
        started = await self._logins.start(
            provider_id, request.redirect_uri, origin=self._origins.of_call(context)
        )
        return convert.login_start_message(started)

    async def FinishProviderLogin(
        self, request: pb.FinishProviderLoginRequest, context: Context
    ) -> token_service_pb2.TokenPair:
        """Log somebody in."""
        pair = await self._logins.finish(
            state=request.state,
            code=request.code,
            handle=request.handle,
            where=convert.where(self._origins, context, request.project),
        )
        return convert.token_pair_message(pair)
