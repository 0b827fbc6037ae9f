"""People who may log in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from google.protobuf import empty_pb2
from hanami.misaki.v1 import user_service_pb2 as pb
from hanami.misaki.v1 import user_service_pb2_grpc

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.names import user_name


class Users:
    """Creates, reads and deletes users. All but reading oneself needs an admin."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = user_service_pb2_grpc.UserServiceStub(connection.channel)

    async def create(
        self, user_id: str, *, password: str, display_name: str = "", admin: bool = False
    ) -> pb.User:
        """Create a user.

        Raises:
            AlreadyExists: the id is taken (RESOURCE_EXISTS).
        """
        request = pb.CreateUserRequest(
            user_id=user_id, password=password, display_name=display_name, admin=admin
        )
        return await self._connection.unary(self._stub.CreateUser, request, pb.User)

    async def get(self, user: str) -> pb.User:
        """Return one user, by id or name."""
        request = pb.GetUserRequest(name=user_name(user))
        return await self._connection.unary(self._stub.GetUser, request, pb.User)

    def list(self) -> AsyncIterator[pb.User]:
        """Iterate over all users."""
        return walk_pages(
            self._connection,
            self._stub.ListUsers,
            pb.ListUsersRequest(page_size=1000),
            pb.ListUsersResponse,
            lambda page: page.users,
        )

    async def delete(self, user: str, *, etag: str = "") -> None:
        """Delete a user; with an etag, only if nobody changed the user since."""
        request = pb.DeleteUserRequest(name=user_name(user), etag=etag)
        await self._connection.unary(self._stub.DeleteUser, request, empty_pb2.Empty)
