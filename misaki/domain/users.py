"""Creating, reading and deleting users, and who may do so."""

from collections.abc import Sequence

from mesh.access import Caller
from mesh.errors import FailedPrecondition, NotFound
from misaki.domain import rules
from misaki.domain.model import User, user_name
from misaki.domain.revocations import Revoker
from misaki.ports import Clock, Directory, NewId, Passwords

ME = "me"


class Users:
    """The people who may log in."""

    def __init__(
        self,
        directory: Directory,
        passwords: Passwords,
        revoker: Revoker,
        *,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._directory = directory
        self._passwords = passwords
        self._revoker = revoker
        self._clock = clock
        self._new_id = new_id

    async def create(
        self, caller: Caller, *, user_id: str, display_name: str, password: str, admin: bool
    ) -> User:
        """Create a user.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID.
            AlreadyExists: RESOURCE_EXISTS.
        """
        caller.authorize_method()
        return await self.add(
            user_id=user_id, display_name=display_name, password=password, admin=admin
        )

    async def add(self, *, user_id: str, display_name: str, password: str, admin: bool) -> User:
        """Create a user without a caller, as the start of the service does."""
        user = User(
            user_id=rules.check_user_id(user_id),
            display_name=rules.check_display_name(display_name, default=user_id),
            admin=admin,
            create_time=self._clock(),
            etag=self._new_id(),
            uid=self._new_id(),
        )
        password_hash = await self._passwords.hash(rules.check_password(password))
        await self._directory.create_user(user, password_hash)
        return user

    async def get(self, caller: Caller, user_id: str) -> User:
        """Return a user: the caller for `me`; others for admins only.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for a user that the caller may not read.
        """
        caller.authorize_method()
        own_name = caller.principal.name
        if user_id == ME and not caller.principal.is_service:
            return await self._directory.get_user(own_name.removeprefix("users/"))
        if not caller.principal.admin and own_name != user_name(user_id):
            raise NotFound(user_name(user_id))
        return await self._directory.get_user(user_id)

    async def list(self, caller: Caller, *, after: str, limit: int) -> Sequence[User]:
        """Return users in the order of ids.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_method()
        return await self._directory.list_users(after=after, limit=limit)

    async def delete(self, caller: Caller, user_id: str, *, etag: str) -> None:
        """Delete a user, whose tokens end now; nobody can delete themselves.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
            FailedPrecondition: STATE_CONFLICT.
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_method()
        if caller.principal.name == user_name(user_id):
            raise FailedPrecondition(
                "nobody can delete themselves; another admin can",
                reason="STATE_CONFLICT",
                metadata={"resource": user_name(user_id), "state": "CALLER"},
            )
        revocations = self._revoker.of(user_name(user_id))
        await self._directory.delete_user(user_id, etag=etag, revocations=revocations)


def last_admin(user_id: str) -> FailedPrecondition:
    """Return the error of deleting the only admin."""
    return FailedPrecondition(
        f"{user_name(user_id)} is the only admin; make another one first",
        reason="STATE_CONFLICT",
        metadata={"resource": user_name(user_id), "state": "LAST_ADMIN"},
    )
