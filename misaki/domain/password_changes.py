"""New passwords for users that there are."""

from mesh.access import Caller
from mesh.errors import FailedPrecondition, NotFound, Unauthenticated
from misaki.domain import rules
from misaki.domain.model import Credentials, user_name
from misaki.domain.revocations import Revoker
from misaki.domain.throttle import Throttle
from misaki.domain.users import ME
from misaki.ports import Directory, Passwords


class PasswordChanges:
    """Replaces passwords; whoever is logged in with the old one no longer is."""

    def __init__(
        self, directory: Directory, passwords: Passwords, throttle: Throttle, revoker: Revoker
    ) -> None:
        self._directory = directory
        self._passwords = passwords
        self._throttle = throttle
        self._revoker = revoker

    async def change(
        self, caller: Caller, user_id: str, *, old: str, new: str, origin: str
    ) -> None:
        """Replace the caller's own password.

        Args:
            caller: Who calls.
            user_id: The caller, or `me`.
            old: The password so far.
            new: The new one.
            origin: Where the call comes from.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: it is not the caller's own.
            InvalidArgument: FIELD_INVALID.
            Unauthenticated: CREDENTIALS_INVALID: the old password is another one, or was
                replaced by somebody else meanwhile, or the user was disabled.
            ResourceExhausted: LOGIN_THROTTLED.
        """
        caller.authorize_method()
        own_name = caller.principal.name
        if not own_name.startswith("users/") or user_id not in (ME, own_name[6:]):
            raise NotFound(user_name(user_id))
        own_id = own_name.removeprefix("users/")
        await self._check(own_id, new)
        attempt = await self._throttle.begin(own_id, origin)
        credentials = await self._directory.find_credentials(own_id)
        password_hash = credentials.password_hash if credentials else None
        if not await self._passwords.matches(old, password_hash) or credentials is None:
            await self._throttle.failed(attempt)
            raise not_the_old_password()
        await self._throttle.check(attempt)
        await self._set(own_id, new, expected=credentials)

    async def reset(self, caller: Caller, user_id: str, *, new: str) -> None:
        """Give another user a new password.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
            FailedPrecondition: STATE_CONFLICT: one's own needs the old one.
            NotFound: RESOURCE_NOT_FOUND.
            InvalidArgument: FIELD_INVALID.
        """
        caller.authorize_method()
        if caller.principal.name == user_name(user_id):
            raise FailedPrecondition(
                "your own password is changed with the old one: ChangePassword",
                reason="STATE_CONFLICT",
                metadata={"resource": user_name(user_id), "state": "CALLER"},
            )
        await self._check(user_id, new)
        await self._set(user_id, new)

    async def _check(self, user_id: str, new: str) -> None:
        user = await self._directory.get_user(user_id)
        rules.check_password(
            new,
            known=[user_id, user.display_name],
            weakness=self._passwords.weakness,
            field="new_password",
        )

    async def _set(self, user_id: str, new: str, *, expected: Credentials | None = None) -> None:
        password_hash = await self._passwords.hash(new)
        await self._directory.set_password(
            user_id, password_hash, revocations_of=self._revoker.of, expected=expected
        )


def not_the_old_password() -> Unauthenticated:
    """Return the error of somebody who does not know the password so far."""
    return Unauthenticated("this is not the password so far", reason="CREDENTIALS_INVALID")
