"""Keeps users, projects and memberships."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from mesh.access import Role
from mesh.revocations import Revocation
from misaki.domain.model import Credentials, Member, Project, User, UserChange

# Makes the revocations of some subjects, as of now. Stores call it when the change is made and
# nobody can come in between any more: a date from before they waited for others would spare
# tokens that were issued meanwhile.
RevocationsOf = Callable[[Sequence[str]], Sequence[Revocation]]


def no_revocations(subjects: Sequence[str]) -> Sequence[Revocation]:
    """Return none, for changes that end nobody's tokens."""
    return ()


class Directory(Protocol):
    """Keeps users, projects and memberships. Each method is one transaction.

    Lists are in the order of ids, byte by byte, and hold at most `limit` items
    after the id `after` (from the beginning when it is empty). What `revocations_of`
    makes of those whose tokens end is recorded if the change is made, and only then.
    """

    async def create_user(self, user: User, password_hash: str) -> None:
        """Store a new user.

        Raises:
            AlreadyExists: RESOURCE_EXISTS.
        """

    async def get_user(self, user_id: str) -> User:
        """Return a user.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def find_credentials(self, user_id: str) -> Credentials | None:
        """Return what a user logs in with, or None when there is no such user."""

    async def list_users(self, *, after: str, limit: int) -> Sequence[User]:
        """Return users."""

    async def has_admin(self) -> bool:
        """Tell whether any user is an admin who may log in."""

    async def update_user(
        self,
        user_id: str,
        change: UserChange,
        *,
        etag: str,
        new_etag: str,
        revocations_of: RevocationsOf = no_revocations,
    ) -> User:
        """Change a user; who is disabled by it loses all sessions.

        Tokens end if the change takes something away.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
            FailedPrecondition: STATE_CONFLICT: nobody would be left to administer.
        """

    async def set_password(
        self,
        user_id: str,
        password_hash: str,
        *,
        revocations_of: RevocationsOf,
        expected: Credentials | None = None,
    ) -> None:
        """Replace a user's password, and end all sessions of the user.

        Args:
            user_id: The user.
            password_hash: Of the new password.
            revocations_of: Ends the user's tokens.
            expected: When given, what the change was decided on: the user has to be the same
                one, of the same epoch.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such user, and nothing was expected.
            Unauthenticated: CREDENTIALS_INVALID: it is not as expected any more.
        """

    async def replace_hash(self, user_id: str, *, before: str, after: str) -> bool:
        """Store another hash of the same password; the user changes by nothing else.

        Returns:
            Whether the user still had the hash from before; nothing is stored otherwise.
        """

    async def delete_user(
        self, user_id: str, *, etag: str, revocations_of: RevocationsOf = no_revocations
    ) -> None:
        """Delete a user with all memberships and sessions.

        Args:
            user_id: The user.
            etag: When not empty, the etag that the user has to have.
            revocations_of: Ends the user's tokens.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
            FailedPrecondition: STATE_CONFLICT: nobody would be left to administer.
        """

    async def create_project(self, project: Project) -> None:
        """Store a new project.

        Raises:
            AlreadyExists: RESOURCE_EXISTS, also when a deleted project had the id.
        """

    async def get_project(self, project_id: str) -> Project:
        """Return a project.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def list_projects(
        self, *, after: str, limit: int, among: Collection[str] | None = None
    ) -> Sequence[Project]:
        """Return projects, only those whose ids are `among` the given ones if any are."""

    async def update_project(
        self, project_id: str, *, display_name: str, etag: str, new_etag: str
    ) -> Project:
        """Change the name that people read of a project.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """

    async def delete_project(
        self,
        project_id: str,
        *,
        etag: str,
        delete_time: datetime,
        revocations_of: RevocationsOf = no_revocations,
    ) -> None:
        """Delete a project with its memberships and the sessions narrowed to it.

        Its id is kept from coming back.

        Args:
            project_id: The project.
            etag: As in `delete_user`.
            delete_time: When this happens.
            revocations_of: Ends the tokens of those who lose a role.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """

    async def create_member(self, member: Member, *, limit: int) -> None:
        """Store a new membership.

        Args:
            member: The membership.
            limit: The most that its user may have.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such project or user.
            AlreadyExists: RESOURCE_EXISTS.
            ResourceExhausted: LIMIT_REACHED.
        """

    async def update_member(
        self,
        project_id: str,
        user_id: str,
        *,
        role: Role,
        etag: str,
        new_etag: str,
        revocations_of: RevocationsOf,
    ) -> Member:
        """Give a member another role.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """

    async def list_members(self, project_id: str, *, after: str, limit: int) -> Sequence[Member]:
        """Return the members of a project, in the order of user ids.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no such project.
        """

    async def delete_member(
        self, project_id: str, user_id: str, *, revocations_of: RevocationsOf = no_revocations
    ) -> None:
        """Delete a membership.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def roles_of(self, user_id: str) -> Mapping[str, Role]:
        """Return a user's role in each project, by the project's id."""
