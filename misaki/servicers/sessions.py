"""`hanami.misaki.v1.SessionService`."""

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from hanami.misaki.v1 import session_service_pb2 as pb
from hanami.misaki.v1 import session_service_pb2_grpc

from mesh import names, pages
from mesh.calls import current_caller
from misaki import convert
from misaki.domain.sessions import Sessions, session_of_principal

Context = grpc.aio.ServicerContext[Any, Any]


class SessionServicer(session_service_pb2_grpc.SessionServiceServicer):
    """Shows and ends logins."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def ListSessions(
        self, request: pb.ListSessionsRequest, context: Context
    ) -> pb.ListSessionsResponse:
        """Return a page of a user's logins."""
        (user_id,) = names.parse("users/*", request.parent, field="parent")
        caller = current_caller()
        listing = f"{request.parent}/sessions of {caller.principal.name}"
        wanted = pages.page_request(request.page_size, request.page_token, listing=listing)
        sessions = await self._sessions.list(
            caller, user_id, after=wanted.after, limit=wanted.limit + 1
        )
        page = pages.page_of(wanted, sessions, lambda session: session.session_id)
        own = session_of_principal(caller.principal.revocable_as)
        return convert.sessions_message(page, own)

    async def DeleteSession(self, request: pb.DeleteSessionRequest, context: Context) -> Empty:
        """End a login."""
        user_id, session_id = names.parse("users/*/sessions/*", request.name)
        await self._sessions.delete(current_caller(), user_id, session_id)
        return Empty()
