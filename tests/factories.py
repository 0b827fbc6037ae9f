"""Builders of domain objects with sensible defaults, for all tiers."""

from datetime import UTC, datetime

from mesh.access import AccessRule, Caller, Principal, Role

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ALL_ROLES = frozenset(Role)


def principal(
    name: str = "users/alice", *, admin: bool = False, **project_roles: Role
) -> Principal:
    """Return somebody; keyword arguments are roles by project id."""
    return Principal(name=name, admin=admin, project_roles=project_roles)


def caller(
    who: Principal | None = None,
    *,
    roles: frozenset[Role] = ALL_ROLES,
    any_principal: bool = False,
    method: str = "/hanami.test.v1.TestService/Test",
) -> Caller:
    """Return a caller of a method that these roles may call."""
    rule = AccessRule(method=method, any_principal=any_principal, roles=roles)
    return Caller(who or principal(), rule)
