"""Reads the access rules that the contracts state, method by method."""

from collections.abc import Iterable

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from hanami.type.v1 import access_pb2

from mesh.access import AccessRule, Role
from mesh.access_state import Policy

_PREFIX = "ROLE_"


def policy_of(service_names: Iterable[str]) -> Policy:
    """Return the policy that the contracts of these services state."""
    return Policy(contract_rules(service_names))


def contract_rules(service_names: Iterable[str]) -> Iterable[AccessRule]:
    """Return the rules that the contracts of these services state.

    Args:
        service_names: Full names, such as `hanami.kyouko.v1.TaskService`.
    """
    pool = descriptor_pool.Default()
    for name in service_names:
        yield from rules_of(pool.FindServiceByName(name))


def rules_of(service: ServiceDescriptor) -> Iterable[AccessRule]:
    """Return the rules of a service's methods, as its contract states them."""
    for method in service.methods:
        option = method.GetOptions().Extensions[access_pb2.access]
        roles = (access_pb2.Role.Name(role).removeprefix(_PREFIX) for role in option.roles)
        yield AccessRule(
            method=f"/{service.full_name}/{method.name}",
            public=option.public,
            any_principal=option.any_principal,
            roles=frozenset(Role(role) for role in roles),
            renews_token=option.renews_token,
            internal=option.internal,
            reads_public=option.reads_public,
        )
