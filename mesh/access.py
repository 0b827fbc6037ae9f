"""Who calls, and what they may do. Pure: no tokens, no gRPC.

Deny by default: a caller may act in a project when the method's rule names the
role that the caller has there, and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mesh.errors import NotFound, PermissionDenied


class Role(StrEnum):
    """What a caller is; the names equal those of `hanami.type.v1.Role`."""

    ADMIN = "ADMIN"
    PROJECT_ADMIN = "PROJECT_ADMIN"
    MEMBER = "MEMBER"
    VIEWER = "VIEWER"
    SERVICE = "SERVICE"


@dataclass(frozen=True)
class Principal:
    """Somebody whose token has been verified.

    `name` is `users/{user}` or `services/{service}`; `project_roles` maps the
    id of a project to the role there; `expires_at` is in seconds since 1970.
    """

    name: str
    admin: bool = False
    project_roles: Mapping[str, Role] = field(default_factory=dict)
    expires_at: float = 0.0
    token_id: str = ""

    @property
    def is_service(self) -> bool:
        """Whether this is another service of the mesh."""
        return self.name.startswith("services/")

    def global_roles(self) -> frozenset[Role]:
        """Return the roles that hold in every project."""
        if self.is_service:
            return frozenset({Role.SERVICE})
        return frozenset({Role.ADMIN}) if self.admin else frozenset()

    def roles_in(self, project_id: str) -> frozenset[Role]:
        """Return the roles that hold in one project."""
        role = self.project_roles.get(project_id)
        return self.global_roles() | (frozenset({role}) if role else frozenset())

    def all_roles(self) -> frozenset[Role]:
        """Return every role held anywhere."""
        return self.global_roles() | frozenset(self.project_roles.values())


@dataclass(frozen=True)
class AccessRule:
    """Who may call one method. The empty rule lets nobody in.

    With `renews_token` a stream brings fresh tokens, and may outlive the first one.
    """

    method: str
    public: bool = False
    any_principal: bool = False
    roles: frozenset[Role] = frozenset()
    renews_token: bool = False


@dataclass(frozen=True)
class Caller:
    """A principal on one call, with the rule of the method called."""

    principal: Principal
    rule: AccessRule

    def authorize_method(self) -> None:
        """Refuse a caller whose roles cannot match, whatever the resource.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        if not (self.rule.any_principal or self.principal.all_roles() & self.rule.roles):
            raise self._denied()

    def authorize_project(self, project_id: str) -> None:
        """Refuse a caller without a fitting role in a project.

        Raises:
            NotFound: The caller has no role in the project, and so may not even
                know whether it exists.
            PermissionDenied: ROLE_INSUFFICIENT: a role, but not one the method's
                rule names.
        """
        roles = self.principal.roles_in(project_id)
        if not roles:
            raise NotFound(f"projects/{project_id}")
        if not (self.rule.any_principal or roles & self.rule.roles):
            raise self._denied()

    def _denied(self) -> PermissionDenied:
        allowed = ", ".join(sorted(self.rule.roles)) or "nobody"
        return PermissionDenied(
            f"{self.rule.method} needs one of these roles: {allowed}",
            reason="ROLE_INSUFFICIENT",
            metadata={"method": self.rule.method, "roles": allowed},
        )
