"""`hanami.misaki.v1.OauthService`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import grpc
from google.api import httpbody_pb2
from hanami.misaki.v1 import (
    oauth_service_pb2,  # noqa: F401 - its messages are others': nothing else makes it known
    oauth_service_pb2_grpc,
)

from mesh.origins import call_metadata
from misaki import convert_oauth as convert
from misaki.domain.model import CredentialKind
from misaki.domain.project_credentials import ProjectCredentials

Context = grpc.aio.ServicerContext[Any, Any]


class OauthServicer(oauth_service_pb2_grpc.OauthServiceServicer):
    """Answers token requests of RFC 6749."""

    def __init__(self, credentials: ProjectCredentials, clock: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._clock = clock

    async def IssueToken(
        self, request: httpbody_pb2.HttpBody, context: Context
    ) -> httpbody_pb2.HttpBody:
        """Return an access token for a client's secret."""
        client = convert.client_of(request, call_metadata(context).get("authorization", ""))
        _, token = await self._credentials.exchange(
            CredentialKind.CLIENT, client.secret, name=client.name
        )
        return convert.token_body(token, now=self._clock())
