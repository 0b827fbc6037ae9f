"""Every RPC of every service refuses who must not call it, at the gateway and at its own port.

Which RPCs there are, how they are asked and whom they let in is read from the contracts.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hanami.kyouko.v1 import network_service_pb2, network_service_pb2_grpc
from hanami.misaki.v1 import (
    api_key_service_pb2,
    api_key_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)

from mesh.access import Role
from tests.e2e.conftest import (
    PASSWORD,
    Login,
    Metadata,
    RunningMesh,
    make_device,
    make_member,
    make_project,
    make_user,
)
from tests.e2e.doors import GATEWAY, SERVICE, Question, open_doors
from tests.e2e.flawed_tokens import MeshSigner
from tests.rpcs import Names, Rpc, every_rpc, names_of, references_of, request_for

RPCS = every_rpc()
NETWORK = "fresh"
PUSH_SECONDS = 60.0
Ending = tuple[str, str]
UNKNOWN_TOKEN: Ending = ("UNAUTHENTICATED", "TOKEN_INVALID")
REVOKED: Ending = ("UNAUTHENTICATED", "TOKEN_REVOKED")
DENIED: Ending = ("PERMISSION_DENIED", "ROLE_INSUFFICIENT")
OUT_OF_SCOPE: Ending = ("PERMISSION_DENIED", "SCOPE_INSUFFICIENT")
NOT_FOUND: Ending = ("NOT_FOUND", "RESOURCE_NOT_FOUND")
# The gateway knows no methods that services keep to themselves.
HIDDEN: Ending = ("UNIMPLEMENTED", "")
# By its contract this one answers that there is no such model, instead of failing.
READY = "/inference.GRPCInferenceService/ModelReady"
# It names a stream, which ends with its owner's call: nobody has one of that id.
SEND = "/hanami.kyouko.v1.LearningService/SendLearning"
# What belongs to a person, and not to a project.
PERSONAL = {
    "hanami.dev/User",
    "hanami.dev/UserQuota",
    "hanami.dev/Session",
    "hanami.dev/ErrorRecord",
}


@dataclass(frozen=True)
class Stage:
    """A project with a network, and what everybody who must not call comes with."""

    names: Names
    callers: Mapping[str, Metadata]


@pytest.fixture(scope="module")
def stage(mesh: RunningMesh) -> Stage:
    """Make a project, the people around it, and their tokens."""
    project = make_project(mesh)
    project_id = project.removeprefix("projects/")
    member = make_member(mesh, project, "MEMBER")
    network_service_pb2_grpc.NetworkServiceStub(mesh.channel).CreateNetwork(
        network_service_pb2.CreateNetworkRequest(
            parent=project, network_id=NETWORK, template="templates/flat", channels=4
        ),
        metadata=member.metadata,
    )
    ids = {"project": project_id, "network": NETWORK, "user": member.user_id}
    ids |= {"member": member.user_id, "task": "t1", "dataset": "d1", "template": "flat"}
    ids |= {"api_key": "k1", "client": "c1", "policy": "1", "signing_key": "k"}
    ids |= {"login_provider": "idp"}
    names = names_of(ids | {"session": "0b" * 16, "incident": "0c" * 16})
    callers = flawed(mesh, member, project_id) | taken_back(mesh, project)
    callers |= out_of_scope(mesh, project) | {
        "stranger": make_member(mesh, make_project(mesh), "PROJECT_ADMIN").metadata,
        "viewer": make_member(mesh, project, "VIEWER").metadata,
    }
    until_revoked(mesh, [callers[case] for case in CASES if CASES[case] is revoked])
    return Stage(names, callers)


def flawed(mesh: RunningMesh, member: Login, project_id: str) -> dict[str, Metadata]:
    """Return tokens that are wrong in themselves."""
    signer, subject = MeshSigner(mesh.home), f"users/{member.user_id}"
    grants = {"adm": True, "roles": {project_id: "PROJECT_ADMIN"}}
    return {
        "no token": (),
        "no JWT": (("authorization", "Bearer nonsense"),),
        "expired": signer.expired(subject, **grants),
        "wrong audience": signer.bearer(subject, **grants, aud="somebody-else"),
        "wrong issuer": signer.bearer(subject, **grants, iss="somebody-else"),
        "wrong signature": signer.forged(subject, **grants),
        "refresh token": signer.bearer(subject, **grants, typ="refresh"),
    }


def out_of_scope(mesh: RunningMesh, project: str) -> dict[str, Metadata]:
    """Return tokens of devices whose keys are for something else."""
    both = ("LEARN", "PREDICT")
    devices = {
        "device of another project": make_device(mesh, make_project(mesh), "", both),
        "device of another network": make_device(mesh, project, "other", both),
        "device that only learns": make_device(mesh, project, NETWORK, ["LEARN"]),
        "device that only predicts": make_device(mesh, project, NETWORK, ["PREDICT"]),
    }
    return {case: device.metadata for case, device in devices.items()}


def taken_back(mesh: RunningMesh, project: str) -> dict[str, Metadata]:
    """Return tokens that were good a moment ago: project admins', an admin's and a device's."""
    tokens = token_service_pb2_grpc.TokenServiceStub(mesh.channel)
    users = user_service_pb2_grpc.UserServiceStub(mesh.channel)
    gone = {case: make_member(mesh, project, "PROJECT_ADMIN") for case in ("logged out", "deleted")}
    disabled = make_user(mesh)
    user = user_service_pb2.User(name=f"users/{disabled.user_id}", admin=True, disabled=True)

    def change(field: str) -> None:
        users.UpdateUser(
            user_service_pb2.UpdateUserRequest(user=user, update_mask=FieldMask(paths=[field])),
            metadata=mesh.admin.metadata,
        )

    change("admin")
    answer = tokens.Login(
        token_service_pb2.LoginRequest(user_id=disabled.user_id, password=PASSWORD)
    )
    change("disabled")
    tokens.Logout(token_service_pb2.LogoutRequest(), metadata=gone["logged out"].metadata)
    users.DeleteUser(
        user_service_pb2.DeleteUserRequest(name=f"users/{gone['deleted'].user_id}"),
        metadata=mesh.admin.metadata,
    )
    gone["disabled"] = Login(disabled.user_id, answer.access_token)
    gone["deleted key"] = make_device(mesh, project, "", ("LEARN", "PREDICT"))
    api_key_service_pb2_grpc.ApiKeyServiceStub(mesh.channel).DeleteApiKey(
        api_key_service_pb2.DeleteApiKeyRequest(
            name=f"{project}/apiKeys/{gone['deleted key'].user_id}"
        ),
        metadata=mesh.admin.metadata,
    )
    return {case: login.metadata for case, login in gone.items()}


def until_revoked(mesh: RunningMesh, callers: list[Metadata]) -> None:
    """Wait until every service has heard which tokens were taken back."""
    probes = {rpc.service: rpc for rpc in RPCS if not (rpc.rule.public or rpc.rule.internal)}
    questions = [
        Question(rpc, rpc.request_type(), caller, SERVICE)
        for rpc in probes.values()
        for caller in callers
    ]
    deadline = time.monotonic() + PUSH_SECONDS
    with open_doors(mesh) as doors:
        while {REVOKED} != {answer.ending for answer in doors.ask_all(questions)}:
            assert time.monotonic() < deadline, "a revocation has not reached every service"


def unknown_token(rpc: Rpc) -> Ending | None:
    """Tell how a call with a token that never was one ends; None where it may not be refused."""
    return None if rpc.rule.public else UNKNOWN_TOKEN


def revoked(rpc: Rpc) -> Ending | None:
    """Tell how a call with a token that was taken back ends."""
    return None if rpc.rule.public else REVOKED


def stranger(rpc: Rpc) -> Ending | None:
    """Tell how a call of another project's admin ends: what is not theirs is not there."""
    if rpc.rule.public:
        return None
    if rpc.rule.any_principal:
        mentioned = {item.resource_type for item in references_of(rpc) if len(item.path) == 1}
        about = mentioned | ({"hanami.dev/User"} if rpc.method.name == "UpdateUser" else set())
        return NOT_FOUND if about & PERSONAL else None
    if Role.PROJECT_ADMIN not in rpc.rule.roles:
        return DENIED
    return ("OK", "") if rpc.path == READY else NOT_FOUND


def viewer(rpc: Rpc) -> Ending | None:
    """Tell how a call of a viewer ends: streams let viewers predict, and this one is to learn."""
    allowed = rpc.rule.public or rpc.rule.any_principal or Role.VIEWER in rpc.rule.roles
    return DENIED if not allowed or rpc.rule.renews_token else None


def foreign_device(rpc: Rpc) -> Ending | None:
    """Tell how a call of a device ends that has no business with the network."""
    if rpc.rule.public:
        return None
    if Role.DEVICE not in rpc.rule.roles:
        return DENIED
    return ("OK", "") if rpc.path == READY else NOT_FOUND


def learning_device(rpc: Rpc) -> Ending | None:
    """Tell how a call of a device ends that may learn, and not predict."""
    if not is_for_devices(rpc):
        return foreign_device(rpc)
    return OUT_OF_SCOPE if rpc.rule.method.startswith("/inference.") else None


def predicting_device(rpc: Rpc) -> Ending | None:
    """Tell how a call of a device ends that may predict, and not learn."""
    if not is_for_devices(rpc):
        return foreign_device(rpc)
    return OUT_OF_SCOPE if rpc.rule.renews_token else None


def is_for_devices(rpc: Rpc) -> bool:
    """Whether devices may call it, for a network that is theirs."""
    return Role.DEVICE in rpc.rule.roles and rpc.path != SEND


# Who calls, and how that ends at the service itself.
CASES: Mapping[str, Callable[[Rpc], Ending | None]] = {
    "no token": unknown_token,
    "no JWT": unknown_token,
    "expired": unknown_token,
    "wrong audience": unknown_token,
    "wrong issuer": unknown_token,
    "wrong signature": unknown_token,
    "refresh token": unknown_token,
    "logged out": revoked,
    "disabled": revoked,
    "deleted": revoked,
    "deleted key": revoked,
    "stranger": stranger,
    "viewer": viewer,
    "device of another project": foreign_device,
    "device of another network": foreign_device,
    "device that only learns": learning_device,
    "device that only predicts": predicting_device,
}
# The gateway sees for itself what is wrong with these.
SEEN_AT_THE_GATEWAY = tuple(CASES)[:6]


def expected_ending(rpc: Rpc, case: str, door: str) -> Ending | None:
    """Return how a call has to be refused; None where it need not be."""
    ending = CASES[case](rpc)
    if door == GATEWAY and rpc.rule.internal and ending is not None:
        return UNKNOWN_TOKEN if case in SEEN_AT_THE_GATEWAY else HIDDEN
    return ending


@pytest.mark.parametrize("door", [GATEWAY, SERVICE])
@pytest.mark.parametrize("case", CASES)
def test_every_rpc_refuses(mesh: RunningMesh, stage: Stage, case: str, door: str) -> None:
    """Each RPC that the caller may not call ends with the right status and reason."""
    endings = {rpc: expected_ending(rpc, case, door) for rpc in RPCS}
    refusing = [rpc for rpc in RPCS if endings[rpc] is not None]
    caller = stage.callers[case]

    with open_doors(mesh) as doors:
        answers = doors.ask_all(
            Question(rpc, request_for(rpc, stage.names), caller, door) for rpc in refusing
        )

    actual = dict(zip(refusing, (answer.ending for answer in answers), strict=True))
    assert {rpc.path: endings[rpc] for rpc in refusing} == {r.path: e for r, e in actual.items()}
    assert actual


@pytest.mark.parametrize("door", [GATEWAY, SERVICE])
def test_only_public_rpcs_answer_without_a_token(
    mesh: RunningMesh, stage: Stage, door: str
) -> None:
    """Who brings no token is asked for one, everywhere but where the contract says public."""
    with open_doors(mesh) as doors:
        answers = doors.ask_all(
            Question(rpc, request_for(rpc, stage.names), (), door) for rpc in RPCS
        )

    open_to_all = {
        rpc.path for rpc, answer in zip(RPCS, answers, strict=True) if not answer.wants_a_token
    }
    assert {rpc.path for rpc in RPCS if rpc.rule.public} == open_to_all
