"""`hanami.misaki.v1.UserService`."""

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from hanami.misaki.v1 import user_service_pb2 as pb
from hanami.misaki.v1 import user_service_pb2_grpc

from mesh import names, pages
from mesh.calls import current_caller
from mesh.origins import Origins
from misaki import convert
from misaki.domain.password_changes import PasswordChanges
from misaki.domain.users import Users

Context = grpc.aio.ServicerContext[Any, Any]


class UserServicer(user_service_pb2_grpc.UserServiceServicer):
    """Manages the people who may log in."""

    def __init__(self, users: Users, passwords: PasswordChanges, origins: Origins) -> None:
        self._users = users
        self._passwords = passwords
        self._origins = origins

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

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> pb.User:
        """Change a user."""
        (user_id,) = names.parse("users/*", request.user.name, field="user.name")
        user = await self._users.update(
            current_caller(), user_id, convert.user_change(request), etag=request.user.etag
        )
        return convert.user_message(user)

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Context) -> Empty:
        """Replace the caller's password."""
        await self._passwords.change(
            current_caller(),
            names.parse("users/*", request.name)[0],
            old=request.old_password,
            new=request.new_password,
            origin=self._origins.of_call(context),
        )
        return Empty()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, context: Context) -> Empty:
        """Give a user a new password."""
        (user_id,) = names.parse("users/*", request.name)
        await self._passwords.reset(current_caller(), user_id, new=request.new_password)
        return Empty()

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Context) -> Empty:
        """Delete a user."""
        (user_id,) = names.parse("users/*", request.name)
        await self._users.delete(current_caller(), user_id, etag=request.etag)
        return Empty()
