"""Creating, reading, changing and deleting users, and who may do so."""

from collections.abc import Sequence
from dataclasses import replace

from mesh.access import Caller
from mesh.errors import FailedPrecondition, NotFound, PermissionDenied
from misaki.domain import rules
from misaki.domain.model import User, UserChange, user_name
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
        known = [user_id, user.display_name]
        rules.check_password(password, known=known, weakness=self._passwords.weakness)
        await self._directory.create_user(user, await self._passwords.hash(password))
        return user

    async def get(self, caller: Caller, user_id: str) -> User:
        """Return a user: the caller for `me`; others for admins only.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for a user that the caller may not read.
        """
        caller.authorize_method()
        return await self._directory.get_user(reachable_user(caller, user_id))

    async def list(self, caller: Caller, *, after: str, limit: int) -> Sequence[User]:
        """Return users in the order of ids.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_method()
        return await self._directory.list_users(after=after, limit=limit)

    async def update(self, caller: Caller, user_id: str, change: UserChange, *, etag: str) -> User:
        """Change a user: everybody their own name, the rest is for admins.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for a user that the caller may not read.
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID.
            FailedPrecondition: STATE_CONFLICT: the last admin, or disabling oneself.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_method()
        user_id = reachable_user(caller, user_id)
        if change.is_for_admins and not caller.principal.admin:
            raise _for_admins(caller)
        if change.disabled and caller.principal.name == user_name(user_id):
            raise _not_oneself(user_id, "disable themselves")
        if change.display_name is not None:
            name = rules.check_display_name(change.display_name, default=user_id)
            change = replace(change, display_name=name)
        return await self._directory.update_user(
            user_id, change, etag=etag, new_etag=self._new_id(), revocations_of=self._revoker.of
        )

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
            raise _not_oneself(user_id, "delete themselves")
        await self._directory.delete_user(user_id, etag=etag, revocations_of=self._revoker.of)


def reachable_user(caller: Caller, user_id: str) -> str:
    """Return the id of the user that a caller means: their own, or any for admins.

    Raises:
        NotFound: The user is none that the caller may know of.
    """
    own_id = caller.principal.name.removeprefix("users/")
    is_user = caller.principal.name.startswith("users/")
    if user_id == ME and is_user:
        return own_id
    if not caller.principal.admin and not (is_user and own_id == user_id):
        raise NotFound(user_name(user_id))
    return user_id


def _for_admins(caller: Caller) -> PermissionDenied:
    return PermissionDenied(
        "only the display_name is yours to change; the rest needs the role ADMIN",
        reason="ROLE_INSUFFICIENT",
        metadata={"method": caller.rule.method, "roles": "ADMIN"},
    )


def _not_oneself(user_id: str, deed: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"nobody can {deed}; another admin can",
        reason="STATE_CONFLICT",
        metadata={"resource": user_name(user_id), "state": "CALLER"},
    )


def last_admin(user_id: str) -> FailedPrecondition:
    """Return the error of taking the only admin away."""
    return FailedPrecondition(
        f"{user_name(user_id)} is the only admin; make another one first",
        reason="STATE_CONFLICT",
        metadata={"resource": user_name(user_id), "state": "LAST_ADMIN"},
    )
