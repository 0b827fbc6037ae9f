"""Who may read which records of the mesh, and where a page of them begins."""

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from mesh.access import Caller, Principal, Role
from mesh.errors import InvalidArgument, PermissionDenied
from mesh.pages import PageRequest
from mesh.visibility import from_microseconds
from shiori.domain.logs.records import EntryFilter, ErrorFilter, Position

Filter = TypeVar("Filter", EntryFilter, ErrorFilter)


def sight_of(caller: Caller, *, user: str, project_id: str) -> str:
    """Return whose records the caller may read; empty for everybody's.

    Args:
        caller: Who asks.
        user: Whose records are asked for; empty for anybody's.
        project_id: In which project; empty for anywhere.

    Raises:
        NotFound: RESOURCE_NOT_FOUND: the project is none of the caller's.
        PermissionDenied: ROLE_INSUFFICIENT: somebody else's records.
    """
    principal = caller.principal
    if project_id:
        caller.authorize_project(project_id)
    if runs_installation(caller) or Role.PROJECT_ADMIN in principal.roles_in(project_id):
        return ""
    if user and user != principal.name:
        raise PermissionDenied(
            "the records of others are for admins, and for project admins in their projects",
            reason="ROLE_INSUFFICIENT",
            metadata={"method": caller.rule.method, "roles": "ADMIN, PROJECT_ADMIN"},
        )
    return principal.name


def since_birth(caller: Caller, wanted: Filter, *, own: str) -> Filter:
    """Return a filter that leaves out what an earlier user of the caller's name has done.

    Args:
        caller: Who asks.
        wanted: What is asked for.
        own: What `sight_of` returned; nothing is left out for who may read everybody's.
    """
    born = born_at(caller.principal)
    if not own or born is None or (wanted.start is not None and wanted.start >= born):
        return wanted
    return replace(wanted, start=born)


def born_at(principal: Principal) -> datetime | None:
    """Return when whom the name names was made; None when the token does not say."""
    return from_microseconds(principal.since) if principal.since else None


def runs_installation(caller: Caller) -> bool:
    """Return whether the caller may read everything."""
    return Role.ADMIN in caller.principal.global_roles()


def position_in(request: PageRequest) -> Position | None:
    """Return where a page begins; None for the first one.

    Raises:
        InvalidArgument: PAGE_TOKEN_INVALID.
    """
    if not request.after:
        return None
    moment, _, key = request.after.partition("/")
    try:
        time = datetime.fromisoformat(moment)
    except ValueError as error:
        raise _damaged() from error
    if time.tzinfo is None or not key:
        raise _damaged()
    return Position(time, key)


def _damaged() -> InvalidArgument:
    return InvalidArgument.for_field(
        "page_token", "is damaged; use next_page_token as it came", reason="PAGE_TOKEN_INVALID"
    )
