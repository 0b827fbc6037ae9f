"""Who may call which method: the contracts' rules, and what an installation changes.

A policy holds the changed methods only. Versions are never edited: each change is a new
version, so that one can look back and go back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mesh.access import AccessRule, Role
from mesh.access_state import changed_rule
from mesh.errors import FieldViolation, InvalidArgument

PEOPLE = frozenset({Role.ADMIN, Role.PROJECT_ADMIN, Role.MEMBER, Role.VIEWER})
_OF_PROJECTS = PEOPLE - {Role.ADMIN}
# Admins keep these: otherwise nobody could ever change a policy again.
_POLICY_SERVICE = "/hanami.misaki.v1.PolicyService/"

Rules = Mapping[str, frozenset[Role]]


@dataclass(frozen=True)
class PolicyVersion:
    """One version of the policy.

    Attributes:
        version: 1, 2, 3 and so on; 0 is the policy that the contracts state.
        rules: The methods (`/package.Service/Method`) whose roles differ from their
            contract's, with the roles that may call them.
        author: Who made it, `users/{user}`.
        create_time: With a time zone.
    """

    version: int
    rules: Rules = field(default_factory=dict)
    author: str = ""
    create_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"policies/{self.version}"

    @property
    def etag(self) -> str:
        """Which version it is, for whoever changes it."""
        return str(self.version)


@dataclass(frozen=True)
class MethodRule:
    """A method with its contract's rule, the one that counts, and the roles it may get."""

    contract: AccessRule
    rule: AccessRule
    allowed: frozenset[Role]


@dataclass(frozen=True)
class Misfits:
    """Rules that were made once, and could not be made with the contracts of now.

    Attributes:
        gone: Methods that are no more; their rules do nothing.
        refused: Why others would be refused; they count as they are.
    """

    gone: Sequence[str]
    refused: Sequence[str]


class Catalogue:
    """All methods of the mesh, and what a policy may make of them."""

    def __init__(self, contracts: Iterable[AccessRule]) -> None:
        """Take the rules that the contracts state."""
        self._contracts = {rule.method: rule for rule in contracts}

    def methods(self, rules: Rules) -> Sequence[MethodRule]:
        """Return all methods in the order of their names, as a policy has them."""
        return [
            MethodRule(contract, self._rule(contract, rules), allowed_roles(contract))
            for _, contract in sorted(self._contracts.items())
        ]

    def find(self, method: str) -> AccessRule:
        """Return what the contract of a method states.

        Raises:
            InvalidArgument: FIELD_INVALID: there is no such method.
        """
        if method not in self._contracts:
            raise InvalidArgument.for_field("method", _no_such_method(method))
        return self._contracts[method]

    def rule_of(self, method: str, rules: Rules) -> AccessRule:
        """Return the rule of a method, as a policy has it; see `find`."""
        return self._rule(self.find(method), rules)

    def check(self, rules: Sequence[tuple[str, frozenset[Role]]]) -> Rules:
        """Return rules that may become a policy.

        Raises:
            InvalidArgument: FIELD_INVALID, with the path of every rule that may not.
        """
        violations: list[FieldViolation] = []
        seen: set[str] = set()
        for number, (method, roles) in enumerate(rules):
            path = f"rules[{number}]"
            if method in seen:
                violations.append(FieldViolation(f"{path}.method", f"{method} is named twice"))
            seen.add(method)
            violations += self._violations(path, method, roles)
        if violations:
            raise InvalidArgument(
                f"{violations[0].field}: {violations[0].description}",
                metadata={"violations": str(len(violations))},
                violations=violations,
            )
        return dict(rules)

    def misfits(self, rules: Rules) -> Misfits:
        """Return what of stored rules does not fit the contracts, as after an upgrade."""
        there = [method for method in sorted(rules) if method in self._contracts]
        return Misfits(
            gone=sorted(rules.keys() - set(there)),
            refused=[
                violation.description
                for method in there
                for violation in self._violations(method, method, rules[method])
            ],
        )

    def _violations(
        self, path: str, method: str, roles: frozenset[Role]
    ) -> Iterable[FieldViolation]:
        contract = self._contracts.get(method)
        if contract is None:
            yield FieldViolation(f"{path}.method", _no_such_method(method))
            return
        allowed = allowed_roles(contract)
        if not allowed:
            yield FieldViolation(
                f"{path}.method", f"{method} is open to services or to everybody by contract"
            )
        elif too_many := roles - allowed:
            yield FieldViolation(
                f"{path}.roles",
                f"{method} cannot be given to {_names(too_many)}, only to {_names(allowed)}",
            )
        if method.startswith(_POLICY_SERVICE) and Role.ADMIN not in roles:
            yield FieldViolation(f"{path}.roles", f"{method} has to stay with ADMIN")

    def _rule(self, contract: AccessRule, rules: Rules) -> AccessRule:
        roles = rules.get(contract.method)
        return contract if roles is None else changed_rule(contract, roles)


def allowed_roles(contract: AccessRule) -> frozenset[Role]:
    """Return the roles that a policy may give a method; none when it is not up to a policy.

    In a project its admin decides whom to give which role, so any role of projects may get
    what some role of projects has. What lies outside of projects cannot be widened: a
    viewer of one project must not come to manage all users. Devices are let in by
    the methods that look at their scope, and contracts name those.
    """
    if contract.public or contract.internal:
        return frozenset()
    if contract.any_principal:
        return PEOPLE
    if contract.roles & _OF_PROJECTS:
        return PEOPLE | (contract.roles & {Role.DEVICE})
    return contract.roles & {Role.ADMIN}


def _no_such_method(method: str) -> str:
    return f"there is no method {method}"


def _names(roles: frozenset[Role]) -> str:
    return ", ".join(sorted(roles))
