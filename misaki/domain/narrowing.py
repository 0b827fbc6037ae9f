"""Which of a user's roles a token carries: all of them, or that in one project."""

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.access import Role
from mesh.errors import NotFound
from misaki.domain.model import User, project_name
from misaki.ports import Directory


@dataclass(frozen=True)
class Grants:
    """What a token says of its user."""

    admin: bool
    roles: Mapping[str, Role]


async def grants_of(directory: Directory, user: User, project_id: str) -> Grants:
    """Return what the user may do now, in one project if one is named.

    A narrowed token never carries the role ADMIN: an admin who works in one project is
    PROJECT_ADMIN there. Who has no role there any more has none at all.
    """
    roles = await directory.roles_of(user.user_id)
    if not project_id:
        return Grants(user.admin, roles)
    if user.admin:
        return Grants(admin=False, roles={project_id: Role.PROJECT_ADMIN})
    return Grants(admin=False, roles={p: role for p, role in roles.items() if p == project_id})


async def check_may_enter(directory: Directory, user: User, project_id: str) -> None:
    """Refuse to narrow to a project that is not there, or in which the user has no role.

    Raises:
        NotFound: RESOURCE_NOT_FOUND, the same for both.
    """
    if not project_id:
        return
    if not user.admin and project_id not in await directory.roles_of(user.user_id):
        raise NotFound(project_name(project_id))
    await directory.get_project(project_id)
