"""Logins of users: where somebody is logged in, and how that ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

from google.protobuf import empty_pb2
from hanami.misaki.v1 import (
    session_service_pb2 as pb,
)
from hanami.misaki.v1 import (
    session_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.names import user_name


class Sessions:
    """Lists and ends logins: one's own, and those of all users for admins."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = session_service_pb2_grpc.SessionServiceStub(connection.channel)
        self._tokens = token_service_pb2_grpc.TokenServiceStub(connection.channel)

    def list(self, user: str = "me") -> AsyncIterator[pb.Session]:
        """Iterate over the logins of a user; over one's own when none is named."""
        return walk_pages(
            self._connection,
            self._stub.ListSessions,
            pb.ListSessionsRequest(parent=user_name(user), page_size=1000),
            pb.ListSessionsResponse,
            lambda page: page.sessions,
        )

    async def revoke(self, session: str, *, user: str = "me") -> None:
        """End a login, by its full name or its id: its tokens are refused at once."""
        name = session if "/" in session else f"{user_name(user)}/sessions/{session}"
        request = pb.DeleteSessionRequest(name=name)
        await self._connection.unary(self._stub.DeleteSession, request, empty_pb2.Empty)

    async def revoke_token(self, token: str) -> None:
        """Take a token back: a refresh token with its whole login, an access token alone.

        Needs no login. A token that is good for nothing is no error.
        """
        await self._connection.unary(
            self._tokens.RevokeToken,
            token_service_pb2.RevokeTokenRequest(token=token),
            empty_pb2.Empty,
            with_token=False,
        )
