"""The policy over the wire: versions, questions, and what is refused."""

from pathlib import Path
from typing import Any

import grpc
from hanami.misaki.v1 import (
    access_service_pb2,
    access_service_pb2_grpc,
    policy_service_pb2_grpc,
    user_service_pb2,
)
from hanami.misaki.v1 import policy_service_pb2 as pb
from hanami.type.v1 import access_pb2
from structlog.testing import capture_logs

from mesh.access import Role
from mesh.database import Database
from mesh.revocations import Revocation
from misaki.domain.policy import PolicyVersion
from misaki.settings import MisakiSettings
from misaki.storage.access import SqlAccessStore
from tests import factories
from tests.integration.meshes import RunningMisaki, start_misaki
from tests.integration.statuses import refusal

GET_USER = "/hanami.misaki.v1.UserService/GetUser"


def stub(misaki: RunningMisaki) -> Any:
    """Return the stub of PolicyService."""
    return policy_service_pb2_grpc.PolicyServiceStub(misaki.channel)


async def add_policy(settings: MisakiSettings, policy: PolicyVersion) -> None:
    """Store a version as an earlier misaki may have left it."""
    database = Database(settings.effective_database_url, schema="misaki")
    announced: list[Revocation] = []
    await SqlAccessStore(database, recorded=announced.extend).add_policy(policy)
    await database.close()


def only_admins(method: str = GET_USER) -> pb.UpdatePolicyRequest:
    """Return a request that leaves a method to admins."""
    rule = access_service_pb2.MethodRoles(method=method, roles=[access_pb2.ROLE_ADMIN])
    return pb.UpdatePolicyRequest(rules=[rule])


async def test_policy_comes_back_as_made(misaki: RunningMisaki) -> None:
    """A version is read by its name, as the newest, and in the list."""
    admin = await misaki.admin()
    policies = stub(misaki)

    made = await policies.UpdatePolicy(only_admins(), metadata=admin)

    read = await policies.GetPolicy(pb.GetPolicyRequest(name="policies/1"), metadata=admin)
    newest = await policies.GetPolicy(pb.GetPolicyRequest(name="policies/current"), metadata=admin)
    listed = await policies.ListPolicies(pb.ListPoliciesRequest(page_size=1), metadata=admin)
    rest = await policies.ListPolicies(
        pb.ListPoliciesRequest(page_size=1, page_token=listed.next_page_token), metadata=admin
    )
    assert made == read == newest == listed.policies[0]
    assert ("policies/1", "users/root") == (made.name, made.author)
    assert ["policies/0"] == [policy.name for policy in rest.policies]
    assert "" == rest.next_page_token


async def test_rules_of_methods_that_are_no_more_are_told_at_the_start(tmp_path: Path) -> None:
    """The log names them; the other rules count, and a new version without them is taken."""
    gone = "/hanami.misaki.v1.UserService/ForgetUser"
    roles = frozenset({Role.ADMIN})
    async with start_misaki(tmp_path) as misaki:
        alice = await misaki.create_user("alice")
        stored = PolicyVersion(1, {gone: roles, GET_USER: roles}, "users/root", factories.NOON)
        await add_policy(misaki.settings, stored)

    with capture_logs() as logs:
        async with start_misaki(tmp_path) as misaki:
            admin = await misaki.admin()
            request = pb.GetPolicyRequest(name="policies/current")
            read = await stub(misaki).GetPolicy(request, metadata=admin)
            again = pb.UpdatePolicyRequest(rules=read.rules)
            told = await refusal(stub(misaki).UpdatePolicy(again, metadata=admin))
            own = user_service_pb2.GetUserRequest(name="users/me")
            of_alice = await refusal(misaki.users.GetUser(own, metadata=alice))
            await stub(misaki).UpdatePolicy(only_admins(), metadata=admin)
    with capture_logs() as later:
        async with start_misaki(tmp_path):
            pass

    warnings = [
        (entry["policy"], entry["methods"])
        for entry in logs
        if entry["log_level"] == "warning" and "methods" in entry
    ]
    assert [("policies/1", [gone])] == warnings
    assert {gone, GET_USER} == {rule.method for rule in read.rules}
    assert ("FIELD_INVALID", ("rules[0].method",)) == (told.reason, told.fields)
    assert "ROLE_INSUFFICIENT" == of_alice.reason
    assert [] == [entry for entry in later if "methods" in entry]


async def test_misaki_obeys_its_own_policy(misaki: RunningMisaki) -> None:
    """With the answer the change counts, and with the way back it counts no more."""
    request = user_service_pb2.GetUserRequest(name="users/me")
    alice = await misaki.create_user("alice")
    admin = await misaki.admin()

    await stub(misaki).UpdatePolicy(only_admins(), metadata=admin)
    answer = await refusal(misaki.users.GetUser(request, metadata=alice))
    await stub(misaki).RollbackPolicy(
        pb.RollbackPolicyRequest(name="policies/0", etag="1"), metadata=admin
    )
    user = await misaki.users.GetUser(request, metadata=alice)

    assert (grpc.StatusCode.PERMISSION_DENIED, "ROLE_INSUFFICIENT") == (answer.code, answer.reason)
    assert "users/alice" == user.name


async def test_policy_outlives_a_restart(tmp_path: Path) -> None:
    """A misaki that starts again obeys the newest version from the first call on."""
    async with start_misaki(tmp_path) as first:
        alice = await first.create_user("alice")
        await stub(first).UpdatePolicy(only_admins(), metadata=await first.admin())
    async with start_misaki(tmp_path) as second:
        request = user_service_pb2.GetUserRequest(name="users/me")
        answer = await refusal(second.users.GetUser(request, metadata=alice))

    assert "ROLE_INSUFFICIENT" == answer.reason


async def test_unknown_method_is_named(misaki: RunningMisaki) -> None:
    """The path of the wrong field tells which rule is meant."""
    answer = await refusal(
        stub(misaki).UpdatePolicy(only_admins("/x/Y"), metadata=await misaki.admin())
    )

    assert (grpc.StatusCode.INVALID_ARGUMENT, ("rules[0].method",)) == (answer.code, answer.fields)


async def test_question_is_answered(misaki: RunningMisaki) -> None:
    """Somebody's right is told with roles and words."""
    await misaki.create_project("garden")
    await misaki.create_user("alice", garden="VIEWER")
    request = pb.TestPolicyRequest(
        user="users/alice",
        method="/hanami.kyouko.v1.NetworkService/DeleteNetwork",
        project="projects/garden",
    )

    answer = await stub(misaki).TestPolicy(request, metadata=await misaki.admin())

    assert (False, "ROLE_INSUFFICIENT", "contract") == (
        answer.allowed,
        answer.reason,
        answer.source,
    )
    assert [access_pb2.ROLE_VIEWER] == list(answer.held_roles)
    assert access_pb2.ROLE_MEMBER in answer.needed_roles


async def test_file_of_the_prototype_is_taken_over(misaki: RunningMisaki) -> None:
    """A dry run tells what would come of it, the real one makes a version."""
    admin = await misaki.admin()
    content = "[azuki]\nv1/system_info\n- GET: admin\n- PUT: admin\n"
    request = pb.ImportPolicyRequest(content=content, validate_only=True)

    dry = await stub(misaki).ImportPolicy(request, metadata=admin)
    real = await stub(misaki).ImportPolicy(pb.ImportPolicyRequest(content=content), metadata=admin)

    assert ("", "policies/1") == (dry.policy.name, real.policy.name)
    assert list(dry.policy.rules) == list(real.policy.rules)
    assert 4 == real.remarks[0].line


async def test_policy_is_for_admins(misaki: RunningMisaki) -> None:
    """Nobody else reads or changes it, a service neither."""
    await misaki.create_project("garden")
    alice = await misaki.create_user("alice", garden="PROJECT_ADMIN")

    answers = [
        await refusal(call)
        for metadata in (alice, await misaki.service())
        for call in (
            stub(misaki).UpdatePolicy(only_admins(), metadata=metadata),
            stub(misaki).GetPolicy(pb.GetPolicyRequest(name="policies/0"), metadata=metadata),
            stub(misaki).ListMethodRules(pb.ListMethodRulesRequest(), metadata=metadata),
        )
    ]

    assert {"ROLE_INSUFFICIENT"} == {answer.reason for answer in answers}


async def test_watching_access_is_for_services(misaki: RunningMisaki) -> None:
    """An admin is no service, and does not hear who is shut out."""
    watch: Any = access_service_pb2_grpc.AccessServiceStub(misaki.channel)
    call = watch.WatchAccess(access_service_pb2.WatchAccessRequest(), metadata=await misaki.admin())
    answer = await refusal(call.read())

    assert "ROLE_INSUFFICIENT" == answer.reason
