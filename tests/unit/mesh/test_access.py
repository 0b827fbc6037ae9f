"""Who may do what, decided without tokens and wire."""

from itertools import product

import pytest

from mesh.access import AccessRule, Caller, Principal, Role
from mesh.errors import NotFound, PermissionDenied
from tests import factories

PROJECT_ROLES = (Role.PROJECT_ADMIN, Role.MEMBER, Role.VIEWER)


def test_empty_rule_lets_nobody_in() -> None:
    """Deny by default: a rule that names nobody refuses even admins and services."""
    rule = AccessRule(method="/x/Y")
    everybody = (
        Principal("users/root", admin=True),
        Principal("services/kyouko"),
        Principal("users/alice", project_roles={"garden": Role.PROJECT_ADMIN}),
    )

    for principal in everybody:
        with pytest.raises(PermissionDenied):
            Caller(principal, rule).authorize_method()


@pytest.mark.parametrize(("role", "named"), list(product(PROJECT_ROLES, PROJECT_ROLES)))
def test_project_role_counts_when_the_rule_names_it(role: Role, named: Role) -> None:
    """A role opens a method exactly when its rule names that role: roles do not inherit."""
    caller = factories.caller(factories.principal(garden=role), roles=frozenset({named}))

    if role is named:
        caller.authorize_project("garden")
    else:
        with pytest.raises(PermissionDenied) as caught:
            caller.authorize_project("garden")
        assert {"method": caller.rule.method, "roles": named.value} == caught.value.metadata


@pytest.mark.parametrize("role", PROJECT_ROLES)
def test_role_counts_in_its_own_project_only(role: Role) -> None:
    """In another project the caller is a stranger, who learns nothing of it."""
    caller = factories.caller(factories.principal(garden=role))

    with pytest.raises(NotFound) as caught:
        caller.authorize_project("kitchen")

    assert {"resource": "projects/kitchen"} == caught.value.metadata


def test_any_principal_still_needs_a_role_in_the_project() -> None:
    """A method for everybody opens no project to strangers."""
    caller = factories.caller(factories.principal(), roles=frozenset(), any_principal=True)

    caller.authorize_method()

    with pytest.raises(NotFound):
        caller.authorize_project("garden")


def test_admin_acts_in_every_project_where_the_rule_says_so() -> None:
    """The admin's role holds everywhere, and counts only if it is named."""
    root = factories.principal("users/root", admin=True)

    factories.caller(root, roles=frozenset({Role.ADMIN})).authorize_project("garden")

    with pytest.raises(PermissionDenied):
        factories.caller(root, roles=frozenset({Role.MEMBER})).authorize_project("garden")


def test_service_is_no_admin_even_if_its_token_said_so() -> None:
    """A service has the role of a service and no other."""
    service = factories.principal("services/kyouko", admin=True)

    assert frozenset({Role.SERVICE}) == service.all_roles()


def test_role_somewhere_passes_the_first_gate_only() -> None:
    """The interceptor lets a fitting role of any project pass; the project decides later."""
    caller = factories.caller(
        factories.principal(garden=Role.MEMBER), roles=frozenset({Role.MEMBER})
    )

    caller.authorize_method()

    with pytest.raises(NotFound):
        caller.authorize_project("kitchen")


def test_caller_without_any_fitting_role_is_refused_early() -> None:
    """Nobody without one of the named roles anywhere gets as far as the domain."""
    caller = factories.caller(
        factories.principal(garden=Role.VIEWER), roles=frozenset({Role.MEMBER})
    )

    with pytest.raises(PermissionDenied):
        caller.authorize_method()
