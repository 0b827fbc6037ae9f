"""Who may know of a resource, and who may change that. The only place with this rule. Pure.

Two questions are asked of every access: what the caller's roles allow, which the method's
rule answers (see `mesh.access`), and whether the caller may know of the resource at all,
which is answered here. Who may not gets the answer for a resource that does not exist.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from mesh.access import Action, Caller, Principal, Role
from mesh.errors import NotFound, PermissionDenied

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEES_ALL: Final = frozenset({Role.ADMIN, Role.PROJECT_ADMIN, Role.SERVICE, Role.DEVICE})
_MANAGES: Final = frozenset({Role.ADMIN, Role.PROJECT_ADMIN})
_VIEWER: Final = frozenset({Role.VIEWER})
_NOBODY: Final[frozenset[Role]] = frozenset()


class Visibility(StrEnum):
    """Who may know of a resource; named as in `hanami.type.v1.Visibility`."""

    PRIVATE = "PRIVATE"
    SHARED = "SHARED"
    PUBLIC = "PUBLIC"


@dataclass(frozen=True)
class Belonging:
    """Whose a resource is, and who may know of it.

    Attributes:
        project_id: Where it is.
        create_time: When it was made.
        owner: The name of its owner; empty for nobody.
        owner_since: When that owner was made, in microseconds since 1970, which tells the
            owner from a later one of the same name; 0 where it was not noted.
        visibility: Who may know of it.
    """

    project_id: str
    create_time: datetime
    owner: str = ""
    owner_since: int = 0
    visibility: Visibility = Visibility.SHARED

    def is_of(self, name: str, since: int) -> bool:
        """Tell whether somebody is the owner.

        Where it was not noted when the owner was made, whoever has the name since before the
        resource was made is its owner: names are not given to two at the same time.
        """
        if not name or not since or name != self.owner:
            return False
        return since == self.owner_since or (
            not self.owner_since and since <= microseconds(self.create_time)
        )


@dataclass(frozen=True)
class Sight:
    """What of a project's resources somebody may know of; for one of them, and for queries.

    Attributes:
        visibilities: Resources of these are seen, whoever owns them.
        owner: Those of this owner are seen too; empty for nobody's.
        owner_since: See `Belonging`.
        is_inside: Whether there is a role in the project: others may not even know of that.
    """

    visibilities: frozenset[Visibility]
    owner: str = ""
    owner_since: int = 0
    is_inside: bool = True

    def shows(self, belonging: Belonging) -> bool:
        """Tell whether a resource of the project is seen."""
        return belonging.visibility in self.visibilities or belonging.is_of(
            self.owner, self.owner_since
        )


EVERYTHING: Final = Sight(frozenset(Visibility))


def microseconds(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970."""
    return round(moment.timestamp() * 1_000_000)


def from_microseconds(since: int) -> datetime:
    """Return the moment that `microseconds` was made of."""
    return _EPOCH + timedelta(microseconds=since)


def sight_of(caller: Caller, project_id: str) -> Sight:
    """Return what a caller may know of in a project; nothing but what is public without a role."""
    roles = caller.principal.roles_in(project_id)
    if not roles:
        return Sight(frozenset({Visibility.PUBLIC}), is_inside=False)
    if roles & _SEES_ALL:
        return EVERYTHING
    principal = caller.principal
    shared = frozenset({Visibility.SHARED, Visibility.PUBLIC})
    return Sight(shared, principal.name, principal.since)


def authorize(
    caller: Caller,
    project_id: str,
    name: str,
    belonging: Belonging | None,
    *,
    network_id: str = "",
    action: Action | None = None,
) -> None:
    """Refuse a caller who may not do with a resource what the method does.

    Args:
        caller: Who calls, by the rule of which method.
        project_id: The project that the name names.
        name: The resource's name.
        belonging: Whose it is; None when there is no such resource.
        network_id: With an `action`: the network that it is about.
        action: What devices may do by the method, if their key says so; None for nothing.

    Raises:
        NotFound: There is none, or the caller may not know of it.
        PermissionDenied: ROLE_INSUFFICIENT, SCOPE_INSUFFICIENT.
    """
    guests = _guest_roles(caller, belonging)
    _check_is_there(caller, project_id)
    if action is None:
        caller.authorize_project(project_id, guests=guests)
    else:
        caller.authorize_network(project_id, network_id, action, guests=guests)
    if belonging is None or not sight_of(caller, project_id).shows(belonging):
        raise NotFound(name)


def authorize_listing(caller: Caller, project_id: str) -> Sight:
    """Return what a caller may list of a project.

    Whoever has no role in the project gets what is public; where that is nothing, the project
    does not exist for them (see `check_listing`).

    Raises:
        NotFound: No role in the project, and the method is not for others.
        PermissionDenied: ROLE_INSUFFICIENT.
    """
    _check_is_there(caller, project_id)
    guests = _VIEWER if _may_be_guest(caller) else _NOBODY
    caller.authorize_project(project_id, guests=guests)
    return sight_of(caller, project_id)


def check_listing(sight: Sight, project_id: str, count: int) -> None:
    """Refuse an empty list to somebody without a role in the project.

    Raises:
        NotFound: RESOURCE_NOT_FOUND.
    """
    if not sight.is_inside and not count:
        raise NotFound(f"projects/{project_id}")


def authorize_creation(caller: Caller, project_id: str) -> None:
    """Refuse a caller who may not make a resource in a project.

    Raises:
        NotFound: No role in the project, or it has been deleted.
        PermissionDenied: ROLE_INSUFFICIENT.
    """
    _check_is_there(caller, project_id)
    caller.authorize_project(project_id)


def authorize_change(caller: Caller, belonging: Belonging) -> None:
    """Refuse a caller, who may call the method, to change who may know of a resource.

    Raises:
        PermissionDenied: ROLE_INSUFFICIENT: neither its owner nor an admin of the project.
    """
    principal = caller.principal
    if principal.roles_in(belonging.project_id) & _MANAGES:
        return
    if not belonging.is_of(principal.name, principal.since):
        raise PermissionDenied(
            "who may know of it is up to its owner and to admins of its project",
            reason="ROLE_INSUFFICIENT",
            metadata={"method": caller.rule.method, "roles": "ADMIN, PROJECT_ADMIN"},
        )


def owner_of(principal: Principal) -> tuple[str, int]:
    """Return the owner of what somebody makes, and since when the owner is."""
    return principal.name, principal.since


def _check_is_there(caller: Caller, project_id: str) -> None:
    # Not even admins: what is left of a deleted project is on its way out.
    if project_id in caller.deleted_projects:
        raise NotFound(f"projects/{project_id}")


def _guest_roles(caller: Caller, belonging: Belonging | None) -> frozenset[Role]:
    is_public = belonging is not None and belonging.visibility is Visibility.PUBLIC
    return _VIEWER if is_public and _may_be_guest(caller) else _NOBODY


def _may_be_guest(caller: Caller) -> bool:
    return caller.rule.reads_public and caller.principal.may_be_guest
