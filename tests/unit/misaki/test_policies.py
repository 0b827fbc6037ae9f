"""Changing the policy, and asking what it decides."""

import pytest

from mesh.access import AccessRule, Caller, Role
from mesh.access_state import AccessState
from mesh.contracts import all_services
from mesh.errors import Aborted, InvalidArgument, NotFound, PermissionDenied
from mesh.policy import rules_of
from misaki.domain.access_news import AccessNews
from misaki.domain.policies import Policies
from misaki.domain.policy import Catalogue, Misfits, PolicyVersion
from misaki.domain.prototype import counterparts
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import SettableClock

LEARN = "/hanami.kyouko.v1.LearningService/Learn"
GET_NETWORK = "/hanami.kyouko.v1.NetworkService/GetNetwork"
CREATE_USER = "/hanami.misaki.v1.UserService/CreateUser"
GET_MACHINE = "/hanami.azuki.v1.MonitoringService/GetMachine"
UPDATE_POLICY = "/hanami.misaki.v1.PolicyService/UpdatePolicy"
LOGIN = "/hanami.misaki.v1.TokenService/Login"
WATCH_ACCESS = "/hanami.misaki.v1.AccessService/WatchAccess"
ALL_CONTRACTS = [rule for service in all_services() for rule in rules_of(service)]

Rule = tuple[str, frozenset[Role]]


def rule(method: str, *roles: Role) -> Rule:
    """Return a rule of a policy."""
    return method, frozenset(roles)


def admin() -> Caller:
    """Return an admin who calls a method for admins."""
    principal = factories.principal("users/root", admin=True)
    return factories.caller(principal, roles=frozenset({Role.ADMIN}))


@pytest.fixture
def own() -> AccessState:
    """Return what decides about calls of this process."""
    return AccessState()


@pytest.fixture
def policies(directory: InMemoryDirectory, own: AccessState, clock: SettableClock) -> Policies:
    """Return the policy over all contracts, without changes."""

    async def key_ids() -> list[str]:
        return ["key"]

    news = AccessNews(directory.access, own, directory.quota_news, clock=clock, key_ids=key_ids)
    return Policies(directory.access, directory, news, Catalogue(ALL_CONTRACTS), clock=clock)


async def test_update_makes_the_next_version(policies: Policies) -> None:
    """Rules, author and time are kept, and the version before stays readable."""
    rules = [rule(LEARN, Role.ADMIN)]

    first = await policies.update(admin(), rules, etag="0")
    second = await policies.update(admin(), [], etag=first.etag)

    assert PolicyVersion(1, dict(rules), "users/root", factories.NOON) == first
    assert first == await policies.get(admin(), 1)
    assert second == await policies.get(admin(), None)
    assert [2, 1, 0] == [p.version for p in await policies.list(admin(), before=None, limit=9)]


async def test_update_counts_at_once(policies: Policies, own: AccessState) -> None:
    """The process that makes a version is the first to obey it."""
    own.policy.add([AccessRule(LEARN, roles=frozenset({Role.MEMBER, Role.ADMIN}))])

    await policies.update(admin(), [rule(LEARN, Role.ADMIN)], etag="")

    assert frozenset({Role.ADMIN}) == own.policy.rule_of(LEARN).roles


def test_rules_that_the_contracts_left_behind_are_found() -> None:
    """Methods that are no more, and what would be refused now, by the names of the methods."""
    catalogue = Catalogue(ALL_CONTRACTS)
    gone = "/hanami.kyouko.v1.NetworkService/Forget"
    rules = [rule(gone, Role.MEMBER), rule(LEARN, Role.ADMIN), rule(CREATE_USER, Role.VIEWER)]

    misfits = catalogue.misfits(dict(rules))
    fitting = catalogue.misfits(dict(rules[1:2]))

    assert [gone] == misfits.gone
    assert [f"{CREATE_USER} cannot be given to VIEWER, only to ADMIN"] == misfits.refused
    assert Misfits([], []) == fitting


async def test_stale_etag(policies: Policies) -> None:
    """Who has not seen the newest version changes nothing."""
    await policies.update(admin(), [], etag="")

    with pytest.raises(Aborted) as caught:
        await policies.update(admin(), [rule(LEARN)], etag="0")

    assert "ETAG_MISMATCH" == caught.value.reason
    assert 1 == (await policies.get(admin(), None)).version


@pytest.mark.parametrize(
    ("rules", "fields"),
    [
        ([rule("/hanami.kyouko.v1.LearningService/Unlearn")], ["rules[0].method"]),
        ([rule(LEARN), rule(LOGIN, Role.ADMIN)], ["rules[1].method"]),
        ([rule(WATCH_ACCESS, Role.ADMIN)], ["rules[0].method"]),
        ([rule(LEARN), rule(LEARN)], ["rules[1].method"]),
        ([rule(LEARN, Role.SERVICE)], ["rules[0].roles"]),
        ([rule(GET_NETWORK, Role.DEVICE)], ["rules[0].roles"]),
        ([rule(CREATE_USER, Role.ADMIN, Role.VIEWER)], ["rules[0].roles"]),
        ([rule(UPDATE_POLICY)], ["rules[0].roles"]),
        ([rule("x"), rule(LEARN, Role.ADMIN), rule("y")], ["rules[0].method", "rules[2].method"]),
    ],
)
async def test_rule_that_cannot_be(
    policies: Policies, rules: list[Rule], fields: list[str]
) -> None:
    """Each wrong rule is named by its path, and nothing is changed."""
    with pytest.raises(InvalidArgument) as caught:
        await policies.update(admin(), rules, etag="")

    assert fields == [violation.field for violation in caught.value.violations]
    assert 0 == (await policies.get(admin(), None)).version


async def test_devices_keep_what_contracts_open_to_them(policies: Policies) -> None:
    """A method that looks at scopes can be left to devices alone."""
    policy = await policies.update(admin(), [rule(LEARN, Role.DEVICE)], etag="")

    assert {LEARN: frozenset({Role.DEVICE})} == policy.rules


async def test_rollback_is_a_new_version(policies: Policies) -> None:
    """Going back adds the content of then on top, also that of no changes."""
    await policies.update(admin(), [rule(LEARN)], etag="")
    await policies.update(admin(), [rule(GET_NETWORK)], etag="")

    third = await policies.roll_back(admin(), 1, etag="2")
    fourth = await policies.roll_back(admin(), 0, etag="")

    assert (3, {LEARN: frozenset()}) == (third.version, third.rules)
    assert (4, {}) == (fourth.version, fourth.rules)
    with pytest.raises(NotFound):
        await policies.roll_back(admin(), 9, etag="")


async def test_only_admins_see_and_change_it(policies: Policies) -> None:
    """Everybody else is refused before anything is looked up."""
    member = factories.caller(
        factories.principal(garden=Role.PROJECT_ADMIN), roles=frozenset({Role.ADMIN})
    )

    for call in (
        policies.get(member, None),
        policies.list(member, before=None, limit=9),
        policies.methods(member, after="", limit=9),
        policies.update(member, [], etag=""),
        policies.roll_back(member, 0, etag=""),
        policies.take_over(member, "", etag="", validate_only=True),
        policies.test(member, Role.ADMIN, method=LEARN, project_id=""),
    ):
        with pytest.raises(PermissionDenied):
            await call


async def test_methods_are_listed_as_they_are(policies: Policies) -> None:
    """A changed method shows its contract's roles beside those that count."""
    await policies.update(admin(), [rule(GET_MACHINE, Role.ADMIN)], etag="")

    methods = {m.contract.method: m for m in await policies.methods(admin(), after="", limit=999)}

    assert len(ALL_CONTRACTS) == len(methods)
    assert methods[GET_MACHINE].contract.any_principal
    assert not methods[GET_MACHINE].rule.any_principal
    assert frozenset({Role.ADMIN}) == methods[GET_MACHINE].rule.roles
    assert frozenset() == methods[LOGIN].allowed


@pytest.mark.parametrize(
    ("who", "method", "project_id", "reason"),
    [
        (Role.MEMBER, LEARN, "garden", ""),
        (Role.VIEWER, "/hanami.kyouko.v1.NetworkService/DeleteNetwork", "garden", "ROLE_"),
        (Role.DEVICE, LEARN, "garden", ""),
        (Role.DEVICE, GET_NETWORK, "garden", "ROLE_"),
        (Role.SERVICE, WATCH_ACCESS, "", ""),
        (Role.VIEWER, GET_MACHINE, "", ""),
        (Role.VIEWER, LOGIN, "", ""),
        ("alice", LEARN, "garden", ""),
        ("alice", LEARN, "kitchen", "RESOURCE_NOT_FOUND"),
        ("alice", CREATE_USER, "", "ROLE_"),
        ("eve", LEARN, "garden", "TOKEN_REVOKED"),
    ],
)
async def test_decision(
    policies: Policies,
    directory: InMemoryDirectory,
    who: str | Role,
    method: str,
    project_id: str,
    reason: str,
) -> None:
    """A question is answered as a call would be, with the reason that it would fail with."""
    await directory.create_project(factories.project("garden"))
    await directory.create_user(factories.user("alice"), "hash")
    await directory.create_user(factories.user("eve", disabled=True), "hash")
    for user_id in ("alice", "eve"):
        await directory.create_member(factories.member("garden", user_id), limit=9)

    decision = await policies.test(admin(), who, method=method, project_id=project_id)

    expected = "ROLE_INSUFFICIENT" if reason == "ROLE_" else reason
    assert (not reason, expected) == (decision.allowed, decision.reason)
    assert "contract" == decision.source
    assert decision.explanation


async def test_decision_tells_of_what_is_public(
    policies: Policies, directory: InMemoryDirectory
) -> None:
    """Somebody without any role reads what is public, and that is said; writing stays closed."""
    await directory.create_user(factories.user("joe"), "hash")
    delete = "/hanami.kyouko.v1.NetworkService/DeleteNetwork"

    reading, writing = [
        await policies.test(admin(), "joe", method=method, project_id="")
        for method in (GET_NETWORK, delete)
    ]

    assert reading.allowed
    assert "for what is public" in reading.explanation
    assert "ROLE_INSUFFICIENT" == writing.reason


async def test_decision_names_the_version(policies: Policies) -> None:
    """What the policy has changed is decided, and explained, by its version."""
    await policies.update(admin(), [rule(LEARN, Role.PROJECT_ADMIN)], etag="")

    decision = await policies.test(admin(), Role.MEMBER, method=LEARN, project_id="garden")

    assert ("policies/1", False) == (decision.source, decision.allowed)
    assert frozenset({Role.PROJECT_ADMIN}) == decision.needed
    assert frozenset({Role.MEMBER}) == decision.held


async def test_prototype_file_becomes_a_version(policies: Policies) -> None:
    """What the file denies is denied, what it allows stays as the contract has it."""
    content = """
[kyouko]
v1/cluster
- GET: admin, member
- DELETE: admin
v1/cluster/set_mode
- PUT: admin, member
[azuki]
v1/system_info
- GET: admin
"""

    policy, found = await policies.take_over(admin(), content, etag="", validate_only=False)

    only_admins = frozenset({Role.ADMIN})
    assert only_admins == policy.rules["/hanami.kyouko.v1.NetworkService/DeleteNetwork"]
    assert only_admins == policy.rules[GET_MACHINE]
    assert only_admins == policy.rules["/hanami.shiori.v1.DatasetService/UploadDataset"]
    assert not {GET_NETWORK, LEARN} & policy.rules.keys()
    assert policy == await policies.get(admin(), None)
    assert all(remark.line == 0 for remark in found.remarks)


async def test_prototype_file_gives_nothing_new(policies: Policies) -> None:
    """Members do not come to manage users because a file names them, and hear of it."""
    content = "[misaki]\nv1/user\n- POST: admin, member\n"

    policy, found = await policies.take_over(admin(), content, etag="", validate_only=True)

    assert CREATE_USER not in policy.rules
    assert (3, "- POST: admin, member") == (found.remarks[0].line, found.remarks[0].text)
    assert 0 == (await policies.get(admin(), None)).version


async def test_unknown_lines_are_told(policies: Policies) -> None:
    """Lines, endpoints and roles that are not known are named with their line."""
    content = "\n".join(
        [
            "[kyouko]",
            "v1/cluster",
            "- GET: admin, gardener",
            "- HEAD: admin",
            "v1/template/generate",
            "- GET: admin",
            "what is this",
        ]
    )

    _, found = await policies.take_over(admin(), content, etag="", validate_only=True)

    told = {remark.line: remark.problem for remark in found.remarks if remark.line}
    assert [3, 4, 6, 7] == sorted(told)
    assert "there is no role gardener" == told[3]


@pytest.mark.parametrize("content", ["nonsense", "[kyouko]\nv1/nothing\n- GET: admin\n"])
async def test_file_without_anything_known(policies: Policies, content: str) -> None:
    """A file of another kind denies nothing to anybody, but is refused."""
    with pytest.raises(InvalidArgument) as caught:
        await policies.take_over(admin(), content, etag="", validate_only=False)

    assert "content" == caught.value.metadata["field"]


def test_counterparts_are_methods_of_ours() -> None:
    """Every endpoint leads to methods that there are."""
    assert counterparts() <= {contract.method for contract in ALL_CONTRACTS}
