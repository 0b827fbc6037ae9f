"""Who calls, and what they may do. Pure: no tokens, no gRPC.

Deny by default: a caller may act in a project when the method's rule names the
role that the caller has there, and nowhere else.
"""

from collections.abc import Container, Mapping
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
    DEVICE = "DEVICE"


class Action(StrEnum):
    """What a device may do with a network, if its key says so."""

    LEARN = "learn"
    PREDICT = "predict"


@dataclass(frozen=True)
class Scope:
    """All that a device may do: some actions, on one network or on all of a project.

    Without a `network_id` every network of the project is meant.
    """

    project_id: str
    network_id: str
    actions: frozenset[Action]


@dataclass(frozen=True)
class Principal:
    """Somebody whose token has been verified.

    Attributes:
        name: `users/{user}`, `services/{service}` or the like.
        admin: Whether the caller runs the installation.
        project_roles: The role in each project, by the project's id.
        issued_at: When the token was made, in seconds since 1970, with fractions.
        expires_at: When the token ends, in seconds since 1970.
        token_id: Tells this token from every other.
        revocable_as: The subjects whose revocation ends this token, see
            `mesh.revocations`.
        scope: Set for a device, which has the role DEVICE and no other, whatever
            else its token may say.
        since: When whom the name names was made, in microseconds since 1970: tells them
            from a later one of the same name; 0 when the token does not say.
    """

    name: str
    admin: bool = False
    project_roles: Mapping[str, Role] = field(default_factory=dict)
    issued_at: float = 0.0
    expires_at: float = 0.0
    token_id: str = ""
    revocable_as: tuple[str, ...] = ()
    scope: Scope | None = None
    since: int = 0

    @property
    def may_be_guest(self) -> bool:
        """Whether what is public in other projects is open to them: not to devices."""
        return self.scope is None and not self.is_service

    @property
    def is_service(self) -> bool:
        """Whether this is another service of the mesh."""
        return self.name.startswith("services/")

    @property
    def short_name(self) -> str:
        """The last part of the name, such as `kyouko` of `services/kyouko`."""
        return self.name.rpartition("/")[2]

    def is_same_as(self, other: "Principal") -> bool:
        """Tell whether two tokens are about the same one, and not a later one of the name."""
        return (self.name, self.since) == (other.name, other.since)

    def global_roles(self) -> frozenset[Role]:
        """Return the roles that hold in every project."""
        if self.scope is not None:
            return frozenset()
        if self.is_service:
            return frozenset({Role.SERVICE})
        return frozenset({Role.ADMIN}) if self.admin else frozenset()

    def roles_in(self, project_id: str) -> frozenset[Role]:
        """Return the roles that hold in one project."""
        if self.scope is not None:
            return frozenset({Role.DEVICE} if project_id == self.scope.project_id else ())
        role = self.project_roles.get(project_id)
        return self.global_roles() | (frozenset({role}) if role else frozenset())

    def all_roles(self) -> frozenset[Role]:
        """Return every role held anywhere."""
        if self.scope is not None:
            return frozenset({Role.DEVICE})
        return self.global_roles() | frozenset(self.project_roles.values())


@dataclass(frozen=True)
class AccessRule:
    """Who may call one method. The empty rule lets nobody in.

    With `renews_token` a stream brings fresh tokens, and may outlive the first one. An
    `internal` method is for services of the mesh, and unknown to the gateway. What a method
    that `reads_public` does with a public resource is open to everybody with a token, as
    long as its roles name viewers.
    """

    method: str
    public: bool = False
    any_principal: bool = False
    roles: frozenset[Role] = frozenset()
    renews_token: bool = False
    internal: bool = False
    reads_public: bool = False


@dataclass(frozen=True)
class Caller:
    """A principal on one call, with the rule of the method called.

    `deleted_projects` are those known to be gone; nobody has anything to do there any more.
    """

    principal: Principal
    rule: AccessRule
    deleted_projects: Container[str] = field(default=frozenset(), repr=False, compare=False)

    def authorize_method(self) -> None:
        """Refuse a caller whose roles cannot match, whatever the resource.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        self._require(self.principal.all_roles() | self._guest_roles())

    def authorize_project(self, project_id: str, *, guests: frozenset[Role] = frozenset()) -> None:
        """Refuse a caller without a fitting role in a project.

        Devices are refused, for a scope is narrower than a project: what devices may
        do calls `authorize_network`.

        Args:
            project_id: The project.
            guests: Roles that the caller is given there beside their own; see
                `mesh.visibility`.

        Raises:
            NotFound: The caller has no role in the project, and so may not even
                know whether it exists.
            PermissionDenied: ROLE_INSUFFICIENT: a role, but not one the method's
                rule names.
        """
        self._authorize_role_in(project_id, guests)
        if self.principal.scope is not None:
            raise self._denied()

    def authorize_network(
        self,
        project_id: str,
        network_id: str,
        action: Action,
        *,
        guests: frozenset[Role] = frozenset(),
    ) -> None:
        """Refuse a caller who may not do something with a network.

        The only way in for devices: their scope has to cover project, network and
        action. For all others this is `authorize_project`.

        Raises:
            NotFound: No role in the project, or the scope is of another network.
            PermissionDenied: ROLE_INSUFFICIENT, or SCOPE_INSUFFICIENT: the scope does
                not name the action.
        """
        self._authorize_role_in(project_id, guests)
        scope = self.principal.scope
        if scope is None:
            return
        if scope.network_id not in ("", network_id):
            raise NotFound(f"projects/{project_id}/networks/{network_id}")
        if action not in scope.actions:
            raise self._out_of_scope(scope, action)

    def refuse_roles(self, roles: frozenset[Role]) -> None:
        """Refuse a caller who has one of these roles anywhere.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        if roles & (self.principal.all_roles() | self._guest_roles()):
            raise self._denied()

    def _guest_roles(self) -> frozenset[Role]:
        is_guest = self.rule.reads_public and self.principal.may_be_guest
        return frozenset({Role.VIEWER} if is_guest else ())

    def _authorize_role_in(self, project_id: str, guests: frozenset[Role]) -> None:
        roles = self.principal.roles_in(project_id) | guests
        if not roles:
            raise NotFound(f"projects/{project_id}")
        self._require(roles)

    def _require(self, roles: frozenset[Role]) -> None:
        anybody = self.rule.any_principal and self.principal.scope is None
        if not (anybody or roles & self.rule.roles):
            raise self._denied()

    def _out_of_scope(self, scope: Scope, action: Action) -> PermissionDenied:
        actions = ", ".join(sorted(scope.actions)) or "nothing"
        return PermissionDenied(
            f"the API key allows this device to {actions}, not to {action}",
            reason="SCOPE_INSUFFICIENT",
            metadata={"method": self.rule.method, "action": action, "actions": actions},
        )

    def _denied(self) -> PermissionDenied:
        allowed = ", ".join(sorted(self.rule.roles)) or "nobody"
        return PermissionDenied(
            f"{self.rule.method} needs one of these roles: {allowed}",
            reason="ROLE_INSUFFICIENT",
            metadata={"method": self.rule.method, "roles": allowed},
        )
