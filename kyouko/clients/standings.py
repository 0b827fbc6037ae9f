"""What somebody may do now, as misaki knows it."""

from typing import Final

import grpc
from hanami.misaki.v1 import access_service_pb2 as pb
from hanami.misaki.v1 import access_service_pb2_grpc

from mesh.access import Principal
from mesh.access_messages import roles_of
from mesh.clients import ServiceTokens, call_metadata, translated_errors

_TIMEOUT_SECONDS: Final = 10.0


class MisakiStandings:
    """Asks misaki about users and programs."""

    def __init__(self, channel: grpc.aio.Channel, tokens: ServiceTokens) -> None:
        self._stub = access_service_pb2_grpc.AccessServiceStub(channel)
        self._tokens = tokens

    async def of(self, name: str) -> Principal:
        """Return somebody as they are now."""
        async with translated_errors("misaki"):
            answer = await self._stub.DescribePrincipal(
                pb.DescribePrincipalRequest(principal=name),
                metadata=call_metadata(await self._tokens.token()),
                timeout=_TIMEOUT_SECONDS,
            )
        return Principal(
            name,
            admin=answer.admin,
            project_roles={
                project: role
                for project, number in answer.roles.items()
                for role in roles_of([number])
            },
            since=answer.since_microseconds,
        )
