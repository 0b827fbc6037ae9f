"""Creating, reading, changing and deleting projects and memberships, and who may do so."""

from collections.abc import Sequence

from mesh.access import Caller, Role
from mesh.errors import AlreadyExists, InvalidArgument, ResourceExhausted
from misaki.domain import rules
from misaki.domain.model import PROJECT_ROLES, Member, Project, project_name, user_name
from misaki.domain.revocations import Revoker
from misaki.ports import Clock, Directory, NewId


class Projects:
    """The places where people work together, and who works there."""

    def __init__(
        self, directory: Directory, revoker: Revoker, *, clock: Clock, new_id: NewId
    ) -> None:
        self._directory = directory
        self._revoker = revoker
        self._clock = clock
        self._new_id = new_id

    async def create(self, caller: Caller, *, project_id: str, display_name: str) -> Project:
        """Create a project.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID.
            AlreadyExists: RESOURCE_EXISTS, also when a deleted project had the id.
        """
        caller.authorize_method()
        project = Project(
            project_id=rules.check_project_id(project_id),
            display_name=rules.check_display_name(display_name, default=project_id),
            creator_id=caller.principal.name.removeprefix("users/"),
            create_time=self._clock(),
            etag=self._new_id(),
        )
        await self._directory.create_project(project)
        return project

    async def get(self, caller: Caller, project_id: str) -> Project:
        """Return a project.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """
        caller.authorize_project(project_id)
        return await self._directory.get_project(project_id)

    async def list(self, caller: Caller, *, after: str, limit: int) -> Sequence[Project]:
        """Return the projects that the caller may read, in the order of ids."""
        caller.authorize_method()
        among = None if caller.principal.admin else frozenset(caller.principal.project_roles)
        return await self._directory.list_projects(after=after, limit=limit, among=among)

    async def update(
        self, caller: Caller, project_id: str, *, display_name: str, etag: str
    ) -> Project:
        """Change the name that people read of a project.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_project(project_id)
        name = rules.check_display_name(display_name, default=project_id)
        return await self._directory.update_project(
            project_id, display_name=name, etag=etag, new_etag=self._new_id()
        )

    async def delete(self, caller: Caller, project_id: str, *, etag: str) -> None:
        """Delete a project and all that gives access to it. Its id never comes back.

        The tokens of its members end now; renewed ones speak of it no more.

        Networks and data sets, and tokens in use, know a project by its id only: a new
        project of that id would give them to other people.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_project(project_id)
        await self._directory.delete_project(
            project_id,
            etag=etag,
            delete_time=self._clock(),
            revocations_of=self._revoker.of,
        )

    async def add_member(
        self, caller: Caller, *, project_id: str, user_id: str, role: Role
    ) -> Member:
        """Give a user a role in a project.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID: the role is not one of a project.
            AlreadyExists: RESOURCE_EXISTS.
            ResourceExhausted: LIMIT_REACHED: the user has as many roles as a token holds.
        """
        caller.authorize_project(project_id)
        _check_role(role)
        member = Member(
            project_id=project_id,
            user_id=rules.check_user_id(user_id, field="user"),
            role=role,
            create_time=self._clock(),
            etag=self._new_id(),
        )
        await self._directory.create_member(member, limit=rules.MAX_MEMBERSHIPS)
        return member

    async def update_member(
        self, caller: Caller, project_id: str, user_id: str, *, role: Role, etag: str
    ) -> Member:
        """Give a member another role; the tokens that carry the old one end now.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID: the role is not one of a project.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_project(project_id)
        _check_role(role)
        return await self._directory.update_member(
            project_id,
            user_id,
            role=role,
            etag=etag,
            new_etag=self._new_id(),
            revocations_of=self._revoker.of,
        )

    async def list_members(
        self, caller: Caller, project_id: str, *, after: str, limit: int
    ) -> Sequence[Member]:
        """Return the members of a project, in the order of user ids.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """
        caller.authorize_project(project_id)
        return await self._directory.list_members(project_id, after=after, limit=limit)

    async def delete_member(self, caller: Caller, project_id: str, user_id: str) -> None:
        """Take a user's role in a project away; the tokens that carry it end now.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_project(project_id)
        await self._directory.delete_member(project_id, user_id, revocations_of=self._revoker.of)


def _check_role(role: Role) -> None:
    if role not in PROJECT_ROLES:
        raise InvalidArgument.for_field(
            "role", f"{role} is not one of {', '.join(sorted(PROJECT_ROLES))}"
        )


def id_is_spent(project_id: str) -> AlreadyExists:
    """Return the error of a new project with the id of a deleted one."""
    name = project_name(project_id)
    return AlreadyExists(
        name,
        message=f"{name} was the name of a deleted project, and ids of projects are never "
        "used again; choose another id",
    )


def too_many_memberships(user_id: str, limit: int) -> ResourceExhausted:
    """Return the error of a user who has a role in as many projects as allowed."""
    return ResourceExhausted(
        f"{user_name(user_id)} has a role in {limit} projects, the most that a token can hold; "
        "take one away first",
        reason="LIMIT_REACHED",
        metadata={"resource": user_name(user_id), "limit": str(limit)},
    )
