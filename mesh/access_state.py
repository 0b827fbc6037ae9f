"""What decides about calls beside their tokens: the policy, revocations, quotas. Pure.

Every service holds one state, and misaki tells it of changes while it serves (see
`mesh.access_feed`). Until it is told, the contracts' rules count, and nothing is revoked.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from mesh.access import AccessRule, Caller, Role
from mesh.quotas import Limits, QuotaBook, QuotaDefaults
from mesh.revocations import Revocation, RevocationList

# Standard services of gRPC itself: they answer without a token and hold no data
# of users. Channelz tells about connections and is not among them.
_OPEN_SERVICES = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "grpc.reflection.v1.ServerReflection",
    }
)
_CHANNELZ = "grpc.channelz.v1.Channelz"


@dataclass(frozen=True)
class PolicyChanges:
    """The methods whose roles an installation has changed, with the roles that count."""

    version: int = 0
    rules: Mapping[str, frozenset[Role]] = field(default_factory=dict)


def changed_rule(contract: AccessRule, roles: frozenset[Role]) -> AccessRule:
    """Return the rule of a method whose roles have been changed.

    What a contract opens without a token, or to services alone, is not up to a policy, and
    what it opens to services stays open to them.
    """
    if contract.public or contract.internal:
        return contract
    kept = contract.roles & {Role.SERVICE}
    return replace(contract, any_principal=False, roles=roles | kept)


class Policy:
    """The rules of all methods that a server offers; denies every other one."""

    def __init__(self, contracts: Iterable[AccessRule] = ()) -> None:
        """Take the rules that the contracts state."""
        self._contracts = {rule.method: rule for rule in contracts}
        self._rules = dict(self._contracts)
        self._changes = PolicyChanges()

    @property
    def version(self) -> int:
        """The version of the changes that count; 0 without any."""
        return self._changes.version

    def add(self, contracts: Iterable[AccessRule]) -> None:
        """Take in the rules of further contracts."""
        self._contracts |= {rule.method: rule for rule in contracts}
        self.change(self._changes)

    def change(self, changes: PolicyChanges) -> None:
        """Let other changes count than before."""
        self._changes = changes
        self._rules = {
            method: changed_rule(contract, changes.rules[method])
            if method in changes.rules
            else contract
            for method, contract in self._contracts.items()
        }

    def rule_of(self, method: str) -> AccessRule:
        """Return the rule that counts for a method.

        Args:
            method: The path on the wire, `/package.Service/Method`.
        """
        rule = self._rules.get(method)
        if rule is not None:
            return rule
        service = method.strip("/").rpartition("/")[0]
        if service in _OPEN_SERVICES:
            return AccessRule(method=method, public=True)
        if service == _CHANNELZ:
            return AccessRule(method=method, roles=frozenset({Role.ADMIN, Role.SERVICE}))
        return AccessRule(method=method)


@dataclass(frozen=True)
class AccessChange:
    """What is new; None and nothing where all is as before.

    Attributes:
        is_complete: This is all that there is; other revocations count no more.
        policy: The newest version of the policy.
        revocations: Those that are new.
        key_ids: All keys that tokens in use may be signed with.
        deleted_projects: Projects that are gone for good; they are only ever added.
        quotas: Limits that differ from the defaults, by project and user; none where they do
            not any more.
        quota_defaults: The defaults.
    """

    is_complete: bool = False
    policy: PolicyChanges | None = None
    revocations: Sequence[Revocation] = ()
    key_ids: frozenset[str] | None = None
    deleted_projects: frozenset[str] = frozenset()
    quotas: Mapping[str, Limits] = field(default_factory=dict)
    quota_defaults: QuotaDefaults | None = None


class AccessState:
    """The policy, the revocations and the quotas that this process knows of."""

    def __init__(self) -> None:
        self.policy = Policy()
        self.revocations = RevocationList()
        self.deleted_projects: frozenset[str] = frozenset()
        self.quotas = QuotaBook()
        self._listeners: dict[object, Callable[[], None]] = {}

    def apply(self, change: AccessChange) -> None:
        """Take in what is new, and tell everybody who listens."""
        if change.quota_defaults is not None:
            self.quotas.set_defaults(change.quota_defaults)
        if change.is_complete:
            self.revocations.replace(change.revocations)
            self.quotas.replace(change.quotas)
        else:
            self.revocations.add(change.revocations)
            self.quotas.change(change.quotas)
        if change.policy is not None:
            self.policy.change(change.policy)
        self.deleted_projects |= change.deleted_projects
        for listener in tuple(self._listeners.values()):
            listener()

    def check(self, caller: Caller) -> None:
        """Refuse a caller who was let in, and would not be let in any more.

        Raises:
            Unauthenticated: TOKEN_REVOKED.
            PermissionDenied: ROLE_INSUFFICIENT: the policy has taken the method from one
                of the caller's roles. Who may call it by another role calls it again.
        """
        self.revocations.check(caller.principal)
        rule = self.policy.rule_of(caller.rule.method)
        Caller(caller.principal, rule).authorize_method()
        if not rule.any_principal:
            lost = caller.rule.roles - rule.roles
            Caller(caller.principal, rule).refuse_roles(lost)

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call a function after every change, as long as the context lasts."""
        key = object()
        self._listeners[key] = listener
        try:
            yield
        finally:
            del self._listeners[key]
