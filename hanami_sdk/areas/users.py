"""People who may log in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from google.protobuf import empty_pb2, field_mask_pb2
from hanami.misaki.v1 import user_service_pb2 as pb
from hanami.misaki.v1 import user_service_pb2_grpc

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.names import user_name


class Users:
    """Creates, reads, changes and deletes users.

    Everybody may read oneself (`me`), change one's own name and password; the rest is
    for admins.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = user_service_pb2_grpc.UserServiceStub(connection.channel)

    async def create(
        self, user_id: str, *, password: str, display_name: str = "", admin: bool = False
    ) -> pb.User:
        """Create a user.

        Raises:
            AlreadyExists: the id is taken (RESOURCE_EXISTS).
            InvalidArgument: the password is too easy to guess (FIELD_INVALID).
        """
        request = pb.CreateUserRequest(
            user_id=user_id, password=password, display_name=display_name, admin=admin
        )
        return await self._connection.unary(self._stub.CreateUser, request, pb.User)

    async def get(self, user: str = "me") -> pb.User:
        """Return one user, by id or name; oneself when none is named."""
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

    async def update(
        self,
        user: str = "me",
        *,
        display_name: str | None = None,
        admin: bool | None = None,
        disabled: bool | None = None,
        etag: str = "",
    ) -> pb.User:
        """Change what is given, and nothing else; with an etag, only if it is still the same.

        Who is disabled, or no admin any more, is so at once.

        Raises:
            FailedPrecondition: nobody would be left to administer (STATE_CONFLICT).
        """
        given = {"display_name": display_name, "admin": admin, "disabled": disabled}
        request = pb.UpdateUserRequest(
            user=pb.User(
                name=user_name(user),
                etag=etag,
                display_name=display_name or "",
                admin=bool(admin),
                disabled=bool(disabled),
            ),
            update_mask=field_mask_pb2.FieldMask(
                paths=[field for field, value in given.items() if value is not None]
            ),
        )
        return await self._connection.unary(self._stub.UpdateUser, request, pb.User)

    async def disable(self, user: str) -> pb.User:
        """Log a user out everywhere, and let the user in no more; everything else stays."""
        return await self.update(user, disabled=True)

    async def enable(self, user: str) -> pb.User:
        """Let a disabled user in again."""
        return await self.update(user, disabled=False)

    async def change_password(self, old: str, new: str) -> None:
        """Change one's own password. All logins end, this one too: log in again.

        Raises:
            Unauthenticated: the old password is wrong (CREDENTIALS_INVALID).
            InvalidArgument: the new one is too easy to guess (FIELD_INVALID).
            ResourceExhausted: too many wrong ones before (LOGIN_THROTTLED).
        """
        request = pb.ChangePasswordRequest(name="users/me", old_password=old, new_password=new)
        await self._connection.unary(self._stub.ChangePassword, request, empty_pb2.Empty)

    async def reset_password(self, user: str, new: str) -> None:
        """Give another user a new password, and end all logins of that user.

        Raises:
            FailedPrecondition: it is one's own (STATE_CONFLICT).
            InvalidArgument: it is too easy to guess (FIELD_INVALID).
        """
        request = pb.ResetPasswordRequest(name=user_name(user), new_password=new)
        await self._connection.unary(self._stub.ResetPassword, request, empty_pb2.Empty)

    async def delete(self, user: str, *, etag: str = "") -> None:
        """Delete a user; with an etag, only if nobody changed the user since."""
        request = pb.DeleteUserRequest(name=user_name(user), etag=etag)
        await self._connection.unary(self._stub.DeleteUser, request, empty_pb2.Empty)
