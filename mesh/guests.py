"""Whose quotas it counts in what somebody does with a resource that is there already. Pure.

Guests use what is public in a project in which they have no role. What they do counts for
themselves, and for the guests of the project, who have a small bound together: strangers
never use up what a project may have.
"""

from mesh.access import Principal
from mesh.quotas import guests_of, subjects_of

_USERS = "users/"


def is_guest(principal: Principal, project_id: str) -> bool:
    """Tell whether somebody has no role in a project."""
    return not principal.roles_in(project_id)


def subjects_of_use(project_id: str, principal: Principal) -> tuple[str, ...]:
    """Return whose quotas it counts in what somebody does in a project.

    Args:
        project_id: Where it is done.
        principal: Who does it: of the project, or its guest.
    """
    if is_guest(principal, project_id):
        return (*_subjects_of_guest(principal.name), guests_of(project_id))
    return subjects_of(project_id, principal.name)


def _subjects_of_guest(name: str) -> tuple[str, ...]:
    """Return a user, or the project that a program is of."""
    if name.startswith(_USERS):
        return (name,)
    match name.split("/"):
        case ["projects", project_id, *_]:
            return subjects_of(project_id, name)
    return ()
