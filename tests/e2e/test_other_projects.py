"""Nobody learns of another project's resources, not even that they are there.

Every identifier of one project is tried by people of another one, in every field of every
RPC that names a resource, and has to be answered as one that does not exist.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from hanami.misaki.v1 import (
    client_service_pb2,
    client_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from hanami.shiori.v1 import error_service_pb2, error_service_pb2_grpc
from hanami.type.v1 import access_pb2

from hanami_sdk import Client
from tests.e2e.conftest import (
    PASSWORD,
    Metadata,
    RunningMesh,
    make_device,
    make_member,
    make_project,
    make_user,
    write,
)
from tests.e2e.doors import GATEWAY, SERVICE, Answer, Doors, Question, open_doors
from tests.e2e.flawed_tokens import MeshSigner
from tests.rpcs import (
    Reference,
    Rpc,
    every_rpc,
    names_of,
    references_of,
    request_for,
    resource_types,
    with_reference,
)

Ids = Mapping[str, str]
RPCS = every_rpc()
READING = ("Get", "List", "Watch", "Read", "Model", "Server")
# Whom a project admin wants to invite has to exist: users belong to no project.
INVITING = {("CreateMember", "user")}
# misaki takes every name of a network in the key's own project: it knows none of them.
UNREAD = {("CreateApiKey", "api_key.network")}
# Everybody has these in common.
SHARED = {"hanami.dev/Template", "hanami.dev/Policy", "hanami.dev/SigningKey"}
COMMON = {"template": "flat", "policy": "1", "signing_key": "k", "login_provider": "idp"}
# A watch has nothing more to say when it was silent for so long.
SILENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Stage:
    """Two projects: the ids of one that is hidden, and who tries them out of the other."""

    hidden: Ids
    own: Ids
    owner: Metadata
    callers: Mapping[str, Metadata]
    refresh_token: str

    @property
    def absent(self) -> Ids:
        """Ids that look like the hidden ones, and are nobody's."""
        return {kind: twin_of(value) for kind, value in self.hidden.items()}


@dataclass(frozen=True)
class Probe:
    """One hidden name in one field, and the same request with a name that does not exist."""

    rpc: Rpc
    reference: Reference
    hidden: Message
    absent: Message

    def __str__(self) -> str:
        return f"{self.rpc.path} {self.reference}"


def twin_of(value: str) -> str:
    """Return an id of the same form that nobody has; hexadecimal ones stay hexadecimal."""
    return value[:4] + "".join("1" if letter == "0" else "0" for letter in value[4:])


def new_id(prefix: str = "") -> str:
    """Return an id that is found again wherever it leaks."""
    return f"{prefix}{uuid.uuid4().hex[: 32 - len(prefix)]}"


@pytest.fixture(scope="module")
def stage(mesh: RunningMesh, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Fill one project with everything there is, and another with people and a network."""
    folder = tmp_path_factory.mktemp("rows")
    hidden, owner = filled_project(mesh, folder)
    own_project = make_project(mesh)
    project_id = own_project.removeprefix("projects/")
    roles = ("PROJECT_ADMIN", "MEMBER", "VIEWER")
    logins = {role: make_member(mesh, own_project, role) for role in roles}
    admin = logins["PROJECT_ADMIN"].user_id
    with Client(mesh.url, project=project_id, user=admin, password=PASSWORD) as client:
        client.networks.create("meadow", template="flat", channels=2)
    own = dict(hidden) | {"project": project_id, "network": "meadow", "user": admin}
    own |= {"member": admin, "dataset": "none", "task": "none"}
    callers = {role: login.metadata for role, login in logins.items()}
    callers["DEVICE"] = make_device(mesh, own_project, "", ("LEARN", "PREDICT")).metadata
    callers["nobody"] = make_user(mesh).metadata
    return Stage(hidden, own, owner, callers, log_in_as(mesh, admin).refresh_token)


def filled_project(mesh: RunningMesh, folder: Path) -> tuple[Ids, Metadata]:
    """Make one resource of every type; return their ids, and the token of their owner."""
    ids = {kind: new_id(f"{kind[0]}-") for kind in ("project", "network", "dataset", "task")}
    project = make_project(mesh, ids["project"])
    login = make_member(mesh, project, "PROJECT_ADMIN", new_id("u-"))
    with Client(mesh.url, project=ids["project"], user=login.user_id, password=PASSWORD) as client:
        rows = write(folder / "rows.csv", "a,b,kind\n" + "0.5,1.5,x\n2.5,0.25,y\n" * 50)
        client.datasets.upload_csv(ids["dataset"], rows, target_column="kind", visibility="PRIVATE")
        client.networks.create(ids["network"], template="flat", channels=2, visibility="PRIVATE")
        task = client.tasks.create(
            ids["network"], "LEARN", ids["dataset"], epochs=1, task_id=ids["task"]
        )
        client.tasks.wait(task.name)
        client.networks.snapshot(ids["network"])
    ids |= {"api_key": new_id("k-"), "client": new_id("c-")}
    make_device(mesh, project, ids["network"], ["LEARN"], ids["api_key"])
    client_service_pb2_grpc.ClientServiceStub(mesh.channel).CreateClient(
        client_service_pb2.CreateClientRequest(
            parent=project,
            client_id=ids["client"],
            client=client_service_pb2.Client(role=access_pb2.ROLE_MEMBER),
        ),
        metadata=login.metadata,
    )
    pair = log_in_as(mesh, login.user_id)
    ids |= {"user": login.user_id, "member": login.user_id} | COMMON
    ids |= {"session": pair.session.rpartition("/")[2], "incident": new_id()}
    record_error(mesh, ids)
    return ids, login.metadata


def log_in_as(mesh: RunningMesh, user_id: str) -> token_service_pb2.TokenPair:
    """Log a user in."""
    return token_service_pb2_grpc.TokenServiceStub(mesh.channel).Login(
        token_service_pb2.LoginRequest(user_id=user_id, password=PASSWORD)
    )


def record_error(mesh: RunningMesh, ids: Ids) -> None:
    """Record an error of the project's owner, as services do."""
    service = MeshSigner(mesh.home).bearer("services/kyouko")
    record = error_service_pb2.ErrorRecord(
        name=f"errorRecords/{ids['incident']}",
        project=f"projects/{ids['project']}",
        principal=f"users/{ids['user']}",
        service="kyouko",
    )
    record.time.GetCurrentTime()
    address = next(c.address for c in mesh.state.components if c.name == "shiori")
    with grpc.insecure_channel(address) as channel:
        error_service_pb2_grpc.ErrorServiceStub(channel).RecordErrors(
            error_service_pb2.RecordErrorsRequest(errors=[record]), metadata=service
        )


def private_ids(stage: Stage) -> Mapping[str, Ids]:
    """Return the ids of what is private, by the type of resource that they name."""
    network = {"network": stage.hidden["network"]}
    return {
        "hanami.dev/Network": network,
        "hanami.dev/Task": {**network, "task": stage.hidden["task"]},
        "hanami.dev/Dataset": {"dataset": stage.hidden["dataset"]},
    }


def mixes_of(stage: Stage) -> Iterator[tuple[Ids, Ids]]:
    """Yield ids to try, each with those of the same form that do not exist.

    All of the other project; its project, and in it what is not there; and what it has, as
    if that were in one's own project or one's own self.
    """
    own_places = {kind: stage.own[kind] for kind in ("project", "user")}
    yield stage.hidden, stage.absent
    yield {**stage.absent, "project": stage.hidden["project"]}, stage.absent
    yield {**stage.hidden, **own_places}, {**stage.absent, **own_places}


def probes_of(stage: Stage) -> Iterator[Probe]:
    """Yield every field that names a resource with every hidden name that it can hold."""
    for rpc in RPCS:
        request = credentials_in(request_for(rpc, names_of(stage.own)), stage)
        for reference in references_of(rpc):
            field = (rpc.method.name, str(reference))
            if reference.resource_type in SHARED or field in INVITING:
                continue
            for hidden, absent in mixes_of(stage):
                name = names_of(hidden)[reference.resource_type]
                twin = names_of(absent)[reference.resource_type]
                is_own = field in UNREAD and hidden["project"] == stage.own["project"]
                if name != twin and not is_own:
                    yield Probe(
                        rpc,
                        reference,
                        with_reference(request, reference, name),
                        with_reference(request, reference, twin),
                    )


def credentials_in(request: Message, stage: Stage) -> Message:
    """Return the request; one for tokens with good credentials of somebody outside."""
    if isinstance(request, token_service_pb2.LoginRequest):
        request.user_id, request.password = stage.own["user"], PASSWORD
    if isinstance(request, token_service_pb2.RefreshTokenRequest):
        request.refresh_token = stage.refresh_token
    return request


def blurred(text: str, stage: Stage) -> str:
    """Return a text with each hidden id replaced by the one that does not exist."""
    for kind, value in stage.hidden.items():
        if kind not in COMMON:
            text = text.replace(value, stage.absent[kind])
    return text


def told(answer: Answer, stage: Stage) -> tuple[str, ...]:
    """Return all that an answer says, with hidden ids replaced."""
    texts = (answer.code, answer.reason, answer.message, *answer.details, *answer.responses)
    return tuple(blurred(text, stage) for text in texts)


def differences(
    doors: Doors, stage: Stage, probes: Iterable[Probe], caller: Metadata, door: str
) -> tuple[int, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]]:
    """Make each call twice; return how many, and which told the difference."""
    asked = [probe for probe in probes if not (door == GATEWAY and probe.rpc.rule.internal)]
    hidden = doors.ask_all(Question(p.rpc, p.hidden, caller, door) for p in asked)
    absent = doors.ask_all(Question(p.rpc, p.absent, caller, door) for p in asked)
    differing = {
        str(probe): (told(one, stage), told(other, stage))
        for probe, one, other in zip(asked, hidden, absent, strict=True)
        if told(one, stage) != told(other, stage)
    }
    return len(asked), differing


def test_hidden_project_has_something_of_every_type(stage: Stage) -> None:
    """No type of resource is forgotten here: a new one needs an example in the project."""
    variables = {
        part.strip("{}")
        for pattern in resource_types().values()
        for part in pattern.split("/")
        if part.startswith("{")
    }

    assert variables == set(stage.hidden)


@pytest.mark.parametrize("door", [GATEWAY, SERVICE])
@pytest.mark.parametrize("who", ["PROJECT_ADMIN", "MEMBER", "VIEWER", "DEVICE", "nobody"])
def test_what_is_hidden_answers_as_what_is_not_there(
    mesh: RunningMesh, stage: Stage, who: str, door: str
) -> None:
    """Status, reason, message and details are the same for a hidden name and an absent one."""
    probes = list(probes_of(stage))

    with open_doors(mesh) as doors:
        asked, differing = differences(doors, stage, probes, stage.callers[who], door)

    assert {} == differing
    assert asked > len(RPCS)


@pytest.mark.parametrize("door", [GATEWAY, SERVICE])
@pytest.mark.parametrize("who", ["MEMBER", "VIEWER"])
def test_what_is_private_is_hidden_within_its_project_too(
    mesh: RunningMesh, stage: Stage, who: str, door: str
) -> None:
    """Its members cannot tell a private network or data set from one that does not exist."""
    caller = make_member(mesh, f"projects/{stage.hidden['project']}", who).metadata
    here = {**stage.absent, "project": stage.hidden["project"]}
    probes = [
        Probe(
            rpc,
            reference,
            with_reference(request, reference, names_of({**here, **private})[kind]),
            with_reference(request, reference, names_of(here)[kind]),
        )
        for rpc in RPCS
        for request in [request_for(rpc, names_of({**here, "user": stage.own["user"]}))]
        for reference in references_of(rpc)
        for kind, private in private_ids(stage).items()
        if reference.resource_type == kind and (rpc.method.name, str(reference)) not in UNREAD
    ]

    with open_doors(mesh) as doors:
        asked, differing = differences(doors, stage, probes, caller, door)

    assert {} == differing
    assert asked > 20


@pytest.mark.parametrize("door", [GATEWAY, SERVICE])
def test_project_admin_of_another_project_finds_nothing(
    mesh: RunningMesh, stage: Stage, door: str
) -> None:
    """Where a project's admin may call at all, a name of another project is NOT_FOUND."""
    names = names_of(stage.hidden)
    asked = [rpc for rpc in RPCS if "PROJECT_ADMIN" in rpc.rule.roles]
    caller = stage.callers["PROJECT_ADMIN"]

    with open_doors(mesh) as doors:
        answers = doors.ask_all(
            Question(rpc, request_for(rpc, names), caller, door) for rpc in asked
        )

    endings = {rpc.path: a.ending for rpc, a in zip(asked, answers, strict=True)}
    # By its contract this one says no instead of failing.
    ready = endings.pop("/inference.GRPCInferenceService/ModelReady")
    assert ("OK", "") == ready
    assert {("NOT_FOUND", "RESOURCE_NOT_FOUND")} == set(endings.values())


@pytest.mark.parametrize("door", [GATEWAY, SERVICE])
def test_nothing_that_is_listed_is_hidden(mesh: RunningMesh, stage: Stage, door: str) -> None:
    """No listing, watch or other reading of somebody who never named it tells of it."""
    project = make_project(mesh)
    caller = make_member(mesh, project, "PROJECT_ADMIN")
    own = {"project": project.removeprefix("projects/"), "user": caller.user_id}
    names = names_of({**stage.absent, **own, "member": caller.user_id, **COMMON})
    rpcs = [rpc for rpc in RPCS if rpc.method.name.startswith(READING) and not rpc.rule.internal]

    with open_doors(mesh) as doors:
        answers = doors.ask_all(
            (Question(rpc, request_for(rpc, names), caller.metadata, door) for rpc in rpcs),
            seconds=SILENCE_SECONDS,
        )

    secrets = [value for kind, value in stage.hidden.items() if kind not in COMMON]
    said = {rpc.path: str(answer) for rpc, answer in zip(rpcs, answers, strict=True)}
    assert {} == {p: text for p, text in said.items() if any(s in text for s in secrets)}
    assert any(own["project"] in text for text in said.values())


def test_all_that_was_tried_is_still_there(mesh: RunningMesh, stage: Stage) -> None:
    """After every RPC was called with the hidden names, their owner finds them as they were."""
    names = names_of(stage.hidden)
    getters = [
        rpc
        for rpc in RPCS
        if rpc.method.name.startswith(("Get", "List"))
        and not rpc.rule.internal
        and {item.resource_type for item in references_of(rpc)} - SHARED
    ]
    probes = list(probes_of(stage))

    with open_doors(mesh) as doors:
        differences(doors, stage, probes, stage.callers["PROJECT_ADMIN"], SERVICE)
        answers = doors.ask_all(
            Question(rpc, request_for(rpc, names), stage.owner, SERVICE) for rpc in getters
        )

    assert {"OK"} == {answer.code for answer in answers}
    listed = " ".join(str(answer) for answer in answers)
    kept = {kind: value for kind, value in stage.hidden.items() if kind not in COMMON}
    assert [] == [kind for kind, value in kept.items() if value not in listed]
