"""Why somebody may call a method, or may not: asked of the rules that calls go through."""

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.access import AccessRule, Action, Caller, Principal, Role, Scope
from mesh.errors import DomainError
from misaki.domain.model import User

_ANY_NETWORK = ""


@dataclass(frozen=True)
class Decision:
    """What would come of a call.

    Attributes:
        allowed: Whether it would be let in.
        reason: What it would fail with; empty when it is allowed.
        explanation: The decision in words.
        held: The caller's roles, in the project if there is one.
        needed: The roles that may call the method.
        source: What states these: `contract`, or the name of a version of the policy.
    """

    allowed: bool
    reason: str
    explanation: str
    held: frozenset[Role]
    needed: frozenset[Role]
    source: str


def somebody(role: Role, project_id: str) -> Principal:
    """Return somebody with one role, in a project if it is a role of projects."""
    if role is Role.ADMIN:
        return Principal("users/somebody", admin=True)
    if role is Role.SERVICE:
        return Principal("services/somebody")
    if role is Role.DEVICE:
        return Principal("devices/somebody", scope=Scope(project_id, "", frozenset(Action)))
    return Principal("users/somebody", project_roles={project_id: role})


def decide(
    who: Principal | tuple[User, Mapping[str, Role]],
    rule: AccessRule,
    *,
    project_id: str,
    source: str,
) -> Decision:
    """Decide as a call would be decided, without making it."""
    user, principal = _known(who)
    held = principal.roles_in(project_id) if project_id else principal.all_roles()

    def decision(reason: str, explanation: str) -> Decision:
        return Decision(not reason, reason, explanation, held, rule.roles, source)

    if rule.public:
        return decision("", f"{rule.method} needs no token")
    if user is not None and user.disabled:
        return decision("TOKEN_REVOKED", f"{user.name} is disabled, and cannot log in")
    try:
        caller = Caller(principal, rule)
        caller.authorize_method()
        if project_id:
            caller.authorize_network(project_id, _ANY_NETWORK, Action.PREDICT)
    except DomainError as error:
        return decision(error.reason, error.message)
    return decision("", _why(rule, held))


def _known(who: Principal | tuple[User, Mapping[str, Role]]) -> tuple[User | None, Principal]:
    if isinstance(who, Principal):
        return None, who
    user, roles = who
    return user, Principal(user.name, admin=user.admin, project_roles=roles)


def _why(rule: AccessRule, held: frozenset[Role]) -> str:
    if rule.any_principal:
        return f"{rule.method} is open to everybody with a token; the resource decides further"
    by = ", ".join(sorted(held & rule.roles))
    if not by and rule.reads_public:
        return f"{rule.method} is open to everybody with a token, for what is public"
    within = " within the scope of its key" if Role.DEVICE in held else ""
    return f"{rule.method} is open to {by}{within}"
