"""Reads the access rules that the contracts state, method by method."""

from collections.abc import Iterable

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from hanami.type.v1 import access_pb2

from mesh.access import AccessRule, Role

_PREFIX = "ROLE_"
# Standard services of gRPC itself: they answer without a token and hold no data
# of users. Channelz tells about connections and is not among them.
_OPEN_SERVICES = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "grpc.reflection.v1.ServerReflection",
    }
)


class Policy:
    """The rules of all methods that a server offers; denies every other one."""

    def __init__(self, rules: Iterable[AccessRule]) -> None:
        self._rules = {rule.method: rule for rule in rules}

    def rule_of(self, method: str) -> AccessRule:
        """Return the rule of a method.

        Args:
            method: The path on the wire, `/package.Service/Method`.
        """
        service = method.strip("/").rpartition("/")[0]
        if service in _OPEN_SERVICES:
            return AccessRule(method=method, public=True)
        if service == "grpc.channelz.v1.Channelz":
            return AccessRule(method=method, roles=frozenset({Role.ADMIN, Role.SERVICE}))
        return self._rules.get(method, AccessRule(method=method))


def policy_of(service_names: Iterable[str]) -> Policy:
    """Return the policy that the contracts of these services state.

    Args:
        service_names: Full names, such as `hanami.kyouko.v1.TaskService`.
    """
    pool = descriptor_pool.Default()
    rules: list[AccessRule] = []
    for name in service_names:
        rules.extend(_rules_of(pool.FindServiceByName(name)))
    return Policy(rules)


def _rules_of(service: ServiceDescriptor) -> Iterable[AccessRule]:
    for method in service.methods:
        option = method.GetOptions().Extensions[access_pb2.access]
        roles = (access_pb2.Role.Name(role).removeprefix(_PREFIX) for role in option.roles)
        yield AccessRule(
            method=f"/{service.full_name}/{method.name}",
            public=option.public,
            any_principal=option.any_principal,
            roles=frozenset(Role(role) for role in roles),
            renews_token=option.renews_token,
        )
