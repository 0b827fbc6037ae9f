"""`hanami.misaki.v1.UserService`."""

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from hanami.misaki.v1 import user_service_pb2 as pb
from hanami.misaki.v1 import user_service_pb2_grpc

from mesh import names, pages
from mesh.calls import current_caller
from misaki import convert
from misaki.domain.users import Users

Context = grpc.aio.ServicerContext[Any, Any]


class UserServicer(user_service_pb2_grpc.UserServiceServicer):
    """Manages the people who may log in."""

    def __init__(self, users: Users) -> None:
        self._users = users

    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.User:
        """Create a user."""
        user = await self._users.create(
            current_caller(),
            user_id=request.user_id,
            display_name=request.display_name,
            password=request.password,
            admin=request.admin,
        )
        return convert.user_message(user)

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.User:
        """Return a user."""
        (user_id,) = names.parse("users/*", request.name)
        return convert.user_message(await self._users.get(current_caller(), user_id))

    async def ListUsers(
        self, request: pb.ListUsersRequest, context: Context
    ) -> pb.ListUsersResponse:
        """Return a page of users."""
        wanted = pages.page_request(request.page_size, request.page_token, listing="users")
        users = await self._users.list(current_caller(), after=wanted.after, limit=wanted.limit + 1)
        return convert.users_message(pages.page_of(wanted, users, lambda user: user.user_id))

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Context) -> Empty:
        """Delete a user."""
        (user_id,) = names.parse("users/*", request.name)
        await self._users.delete(current_caller(), user_id, etag=request.etag)
        return Empty()
