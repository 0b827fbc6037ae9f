"""Messages of PolicyService to and from what the domain speaks of."""

from collections.abc import Iterable, Sequence

from hanami.misaki.v1 import access_service_pb2, policy_service_pb2

from mesh.access import Role
from mesh.access_messages import role_numbers, roles_of
from mesh.errors import InvalidArgument
from mesh.pages import Page
from misaki.convert import role_of
from misaki.domain.decisions import Decision
from misaki.domain.policy import MethodRule, PolicyVersion
from misaki.domain.prototype import Import, Remark

CURRENT = "current"


def version_of(policy_id: str) -> int | None:
    """Return the version that the last part of a name means; None for the newest."""
    return None if policy_id == CURRENT else int(policy_id)


def rules_of(
    messages: Sequence[access_service_pb2.MethodRoles],
) -> list[tuple[str, frozenset[Role]]]:
    """Return rules as the domain takes them.

    Raises:
        InvalidArgument: FIELD_INVALID: a role is unknown here, so that leaving it out would
            say something else than what was meant.
    """
    rules: list[tuple[str, frozenset[Role]]] = []
    for number, message in enumerate(messages):
        roles = roles_of(message.roles)
        if len(roles) != len(set(message.roles)):
            raise InvalidArgument.for_field(f"rules[{number}].roles", "names an unknown role")
        rules.append((message.method, roles))
    return rules


def policy_message(policy: PolicyVersion) -> policy_service_pb2.Policy:
    """Return a version of the policy as it goes over the wire."""
    message = policy_service_pb2.Policy(
        name=policy.name,
        rules=[
            access_service_pb2.MethodRoles(method=method, roles=role_numbers(roles))
            for method, roles in sorted(policy.rules.items())
        ],
        author=policy.author,
        etag=policy.etag,
    )
    if policy.create_time is not None:
        message.create_time.FromDatetime(policy.create_time)
    return message


def policies_message(page: Page[PolicyVersion]) -> policy_service_pb2.ListPoliciesResponse:
    """Return a page of versions."""
    return policy_service_pb2.ListPoliciesResponse(
        policies=map(policy_message, page.items), next_page_token=page.next_page_token
    )


def methods_message(page: Page[MethodRule]) -> policy_service_pb2.ListMethodRulesResponse:
    """Return a page of methods."""
    return policy_service_pb2.ListMethodRulesResponse(
        method_rules=map(_method_message, page.items), next_page_token=page.next_page_token
    )


def asked_about(request: policy_service_pb2.TestPolicyRequest) -> str | Role:
    """Return whom a question is about: the id of a user, or a role."""
    if request.WhichOneof("who") == "role":
        return role_of(request.role)
    return request.user.removeprefix("users/")


def decision_message(decision: Decision) -> policy_service_pb2.TestPolicyResponse:
    """Return a decision as it goes over the wire."""
    return policy_service_pb2.TestPolicyResponse(
        allowed=decision.allowed,
        reason=decision.reason,
        explanation=decision.explanation,
        held_roles=role_numbers(decision.held),
        needed_roles=role_numbers(decision.needed),
        source=decision.source,
    )


def import_message(
    policy: PolicyVersion, found: Import, *, validate_only: bool
) -> policy_service_pb2.ImportPolicyResponse:
    """Return what came of a file."""
    message = policy_message(policy)
    if validate_only:
        message.name = message.etag = ""
    return policy_service_pb2.ImportPolicyResponse(
        policy=message, remarks=map(_remark_message, _ordered(found.remarks))
    )


def _ordered(remarks: Iterable[Remark]) -> Sequence[Remark]:
    """Return remarks by line, with what the file does not name at the end."""
    return sorted(remarks, key=lambda remark: (remark.line == 0, remark.line))


def _remark_message(remark: Remark) -> policy_service_pb2.ImportRemark:
    return policy_service_pb2.ImportRemark(
        line=remark.line, text=remark.text, problem=remark.problem
    )


def _method_message(method: MethodRule) -> policy_service_pb2.MethodRule:
    return policy_service_pb2.MethodRule(
        method=method.contract.method,
        contract_roles=role_numbers(method.contract.roles),
        roles=role_numbers(method.rule.roles),
        any_principal=method.rule.any_principal,
        public=method.rule.public,
        allowed_roles=role_numbers(method.allowed),
    )
