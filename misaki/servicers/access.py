"""`hanami.misaki.v1.AccessService`."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from hanami.misaki.v1 import access_service_pb2 as pb
from hanami.misaki.v1 import access_service_pb2_grpc

from mesh.access_messages import change_message, role_numbers
from mesh.calls import current_caller
from misaki.domain.access_news import AccessNews
from misaki.domain.standing import Standings

Context = grpc.aio.ServicerContext[Any, Any]


class AccessServicer(access_service_pb2_grpc.AccessServiceServicer):
    """Tells services what decides about access."""

    def __init__(self, news: AccessNews, standings: Standings) -> None:
        self._news = news
        self._standings = standings

    async def WatchAccess(
        self, request: pb.WatchAccessRequest, context: Context
    ) -> AsyncIterator[pb.WatchAccessResponse]:
        """Tell all, then every change."""
        current_caller().authorize_method()
        async for change in self._news.watch():
            yield change_message(change)

    async def DescribePrincipal(
        self, request: pb.DescribePrincipalRequest, context: Context
    ) -> pb.DescribePrincipalResponse:
        """Return what somebody may do now."""
        standing = await self._standings.of(current_caller(), request.principal)
        return pb.DescribePrincipalResponse(
            since_microseconds=standing.since,
            admin=standing.admin,
            roles={project: role_numbers([role])[0] for project, role in standing.roles.items()},
        )
