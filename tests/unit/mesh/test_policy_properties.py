"""What holds for every policy, whatever its rules are."""

from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mesh.access import Action, Caller, Principal, Role, Scope
from mesh.access_messages import change_message, change_of
from mesh.access_state import AccessChange, Policy, PolicyChanges
from mesh.contracts import all_services
from mesh.errors import DomainError, PermissionDenied
from mesh.policy import rules_of
from misaki.domain.decisions import decide

CONTRACTS = [rule for service in all_services() for rule in rules_of(service)]
METHODS = [rule.method for rule in CONTRACTS]
PROJECTS = ("garden", "field")
ROLE_SETS = st.frozensets(st.sampled_from(list(Role)))
CHANGES = st.dictionaries(st.sampled_from(METHODS), ROLE_SETS, max_size=12)
Rules = Mapping[str, frozenset[Role]]
PEOPLE = st.builds(
    Principal,
    name=st.just("users/alice"),
    admin=st.booleans(),
    project_roles=st.dictionaries(
        st.sampled_from(PROJECTS),
        st.sampled_from([Role.PROJECT_ADMIN, Role.MEMBER, Role.VIEWER]),
    ),
)
DEVICES = st.builds(
    Principal,
    name=st.just("projects/garden/apiKeys/k"),
    scope=st.builds(
        Scope,
        project_id=st.sampled_from(PROJECTS),
        network_id=st.just(""),
        actions=st.frozensets(st.sampled_from(list(Action))),
    ),
)
CALLERS = PEOPLE | DEVICES | st.just(Principal("services/azuki"))


def policy_with(rules: Rules, version: int = 1) -> Policy:
    """Return the policy of all contracts with some rules changed."""
    policy = Policy(CONTRACTS)
    policy.change(PolicyChanges(version, rules))
    return policy


@given(caller=CALLERS, method=st.text(), rules=CHANGES)
def test_what_is_not_stated_is_denied(caller: Principal, method: str, rules: Rules) -> None:
    """A method that no contract has lets nobody in, whatever the policy."""
    assume(method.strip("/").rpartition("/")[0] not in {m[1:].rpartition("/")[0] for m in METHODS})
    rule = policy_with(rules).rule_of(f"/hanami.nothing.v1.{method}")

    with pytest.raises(PermissionDenied):
        Caller(caller, rule).authorize_method()


@given(caller=CALLERS, rules=CHANGES, method=st.sampled_from(METHODS), roles=ROLE_SETS)
def test_a_rule_is_about_its_method_only(
    caller: Principal, rules: Rules, method: str, roles: frozenset[Role]
) -> None:
    """Adding a rule neither gives nor takes any other method."""
    before, after = policy_with(rules), policy_with({**rules, method: roles})

    for other in METHODS:
        if other != method:
            assert before.rule_of(other) == after.rule_of(other)


@given(rules=CHANGES)
def test_no_policy_opens_what_is_closed_to_all(rules: Rules) -> None:
    """What needs a token, or is for services alone, stays so; what needs none stays open."""
    policy = policy_with(rules)

    for contract in CONTRACTS:
        rule = policy.rule_of(contract.method)
        assert contract.public == rule.public
        assert contract.any_principal or not rule.any_principal
        if contract.internal:
            assert contract == rule


@given(rules=CHANGES)
def test_the_last_policy_counts_alone(rules: Rules) -> None:
    """What an earlier version said is forgotten, so that a rollback is one."""
    policy = policy_with(rules)

    policy.change(PolicyChanges(2, {}))

    assert [policy.rule_of(rule.method) for rule in CONTRACTS] == CONTRACTS


@given(rules=CHANGES, version=st.integers(0, 2**31 - 1))
def test_a_policy_arrives_as_it_was_sent(rules: Rules, version: int) -> None:
    """What misaki tells the other services is what they go by."""
    sent = AccessChange(policy=PolicyChanges(version, rules), key_ids=frozenset({"k"}))

    arrived = change_of(change_message(sent))

    assert sent.policy == arrived.policy


@given(
    caller=CALLERS,
    rules=CHANGES,
    method=st.sampled_from(METHODS),
    project=st.sampled_from(["", *PROJECTS, "nowhere"]),
)
def test_test_policy_tells_what_a_call_would_meet(
    caller: Principal, rules: Rules, method: str, project: str
) -> None:
    """TestPolicy and the gate of the calls decide alike, with the same reason."""
    rule = policy_with(rules).rule_of(method)
    told = decide(caller, rule, project_id=project, source="policies/1")

    reason = ""
    try:
        if not rule.public:
            Caller(caller, rule).authorize_method()
            if project:
                Caller(caller, rule).authorize_network(project, "", Action.PREDICT)
    except DomainError as error:
        reason = error.reason

    assert (not reason, reason) == (told.allowed, told.reason)
