"""Projects and memberships on a real misaki, role by role."""

from collections.abc import Callable
from typing import Any

import grpc
import jwt
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hanami.misaki.v1 import project_service_pb2 as pb
from hanami.type.v1 import access_pb2

from misaki.domain.rules import MAX_MEMBERSHIPS
from tests.integration.meshes import ADMIN_ID, Metadata, RunningMisaki, bearer
from tests.integration.statuses import refusal

REQUEST_ID = "0b0e9a52-7d0a-4b6c-9a4f-1c7ce0cfa9a1"
OK, DENIED, MISSING = (
    grpc.StatusCode.OK,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
)

# What each RPC is called with, for a project whose only member is Zoe.
REQUESTS: dict[str, Callable[[str], Any]] = {
    "GetProject": lambda project: pb.GetProjectRequest(name=project),
    "ListMembers": lambda project: pb.ListMembersRequest(parent=project),
    "CreateMember": lambda project: pb.CreateMemberRequest(
        parent=project, user="users/newcomer", role=access_pb2.ROLE_MEMBER
    ),
    "DeleteMember": lambda project: pb.DeleteMemberRequest(name=f"{project}/members/zoe"),
    "DeleteProject": lambda project: pb.DeleteProjectRequest(name=project),
    "CreateProject": lambda _: pb.CreateProjectRequest(project_id="shed"),
}
# Who may call it in the own project; in another one everybody but the admin is a stranger.
MATRIX = {
    "GetProject": {"admin": OK, "PROJECT_ADMIN": OK, "MEMBER": OK, "VIEWER": OK},
    "ListMembers": {"admin": OK, "PROJECT_ADMIN": OK, "MEMBER": OK, "VIEWER": OK},
    "CreateMember": {"admin": OK, "PROJECT_ADMIN": OK, "MEMBER": DENIED, "VIEWER": DENIED},
    "DeleteMember": {"admin": OK, "PROJECT_ADMIN": OK, "MEMBER": DENIED, "VIEWER": DENIED},
    "DeleteProject": {"admin": OK, "PROJECT_ADMIN": DENIED, "MEMBER": DENIED, "VIEWER": DENIED},
    "CreateProject": {"admin": OK, "PROJECT_ADMIN": DENIED, "MEMBER": DENIED, "VIEWER": DENIED},
}


async def _code(misaki: RunningMisaki, rpc: str, project: str, who: Metadata) -> grpc.StatusCode:
    code: grpc.StatusCode = await getattr(misaki.projects, rpc)(
        REQUESTS[rpc](project), metadata=who
    ).code()
    return code


async def _two_projects(misaki: RunningMisaki) -> None:
    for project_id in ("garden", "kitchen"):
        await misaki.create_project(project_id)
    await misaki.create_user("zoe", garden="VIEWER", kitchen="VIEWER")
    await misaki.create_user("newcomer")


async def _somebody(misaki: RunningMisaki, role: str) -> Metadata:
    if role == "admin":
        return await misaki.admin()
    return await misaki.create_user("alice", garden=role)


@pytest.mark.parametrize("role", ["admin", "PROJECT_ADMIN", "MEMBER", "VIEWER"])
@pytest.mark.parametrize("rpc", list(MATRIX))
async def test_role_matrix(misaki: RunningMisaki, rpc: str, role: str) -> None:
    """Each role may call in its own project what the contract says, and no more."""
    await _two_projects(misaki)
    who = await _somebody(misaki, role)

    code = await _code(misaki, rpc, "projects/garden", who)

    assert MATRIX[rpc][role] == code


@pytest.mark.parametrize("project", ["projects/kitchen", "projects/nowhere"])
@pytest.mark.parametrize(
    ("rpc", "role"),
    [
        ("GetProject", "PROJECT_ADMIN"),
        ("GetProject", "VIEWER"),
        ("ListMembers", "VIEWER"),
        ("CreateMember", "PROJECT_ADMIN"),
        ("DeleteMember", "PROJECT_ADMIN"),
    ],
)
async def test_other_projects_are_not_found(
    misaki: RunningMisaki, rpc: str, role: str, project: str
) -> None:
    """Another project answers exactly like one that does not exist."""
    await _two_projects(misaki)
    who = await _somebody(misaki, role)

    answer = await refusal(getattr(misaki.projects, rpc)(REQUESTS[rpc](project), metadata=who))

    assert (MISSING, "RESOURCE_NOT_FOUND") == (answer.code, answer.reason)
    assert f"{project} was not found, or you have no access to it" == answer.message


async def test_user_without_roles_finds_no_project(misaki: RunningMisaki) -> None:
    """Somebody without any role lists nothing."""
    await _two_projects(misaki)
    alice = await misaki.create_user("alice")

    answer = await misaki.projects.ListProjects(pb.ListProjectsRequest(), metadata=alice)

    assert [] == list(answer.projects)


async def test_lists_hold_own_projects(misaki: RunningMisaki) -> None:
    """A member lists the own projects, an admin all of them."""
    await _two_projects(misaki)
    alice = await misaki.create_user("alice", kitchen="VIEWER")

    own = await misaki.projects.ListProjects(pb.ListProjectsRequest(), metadata=alice)
    everything = await misaki.projects.ListProjects(
        pb.ListProjectsRequest(), metadata=await misaki.admin()
    )

    assert ["projects/kitchen"] == [project.name for project in own.projects]
    assert ["projects/garden", "projects/kitchen"] == [p.name for p in everything.projects]


async def test_created_project_can_be_read(misaki: RunningMisaki) -> None:
    """What CreateProject answers is what GetProject knows."""
    admin = await misaki.admin()

    created = await misaki.projects.CreateProject(
        pb.CreateProjectRequest(project_id="garden", display_name="The garden"), metadata=admin
    )

    read = await misaki.projects.GetProject(
        pb.GetProjectRequest(name="projects/garden"), metadata=admin
    )
    assert created == read
    assert ("The garden", f"users/{ADMIN_ID}") == (read.display_name, read.creator)


async def test_pages_hold_every_project_once(misaki: RunningMisaki) -> None:
    """Following the page tokens gives all projects in order."""
    for project_id in ("cc", "aa", "bb"):
        await misaki.create_project(project_id)
    admin = await misaki.admin()

    first = await misaki.projects.ListProjects(pb.ListProjectsRequest(page_size=2), metadata=admin)
    second = await misaki.projects.ListProjects(
        pb.ListProjectsRequest(page_size=2, page_token=first.next_page_token), metadata=admin
    )

    names = [project.name for project in [*first.projects, *second.projects]]
    assert ["projects/aa", "projects/bb", "projects/cc"] == names
    assert "" == second.next_page_token


async def test_page_token_of_another_project_is_refused(misaki: RunningMisaki) -> None:
    """A token goes with the listing that it came from."""
    await _two_projects(misaki)
    await misaki.create_user("alice", garden="MEMBER", kitchen="MEMBER")
    admin = await misaki.admin()
    first = await misaki.projects.ListMembers(
        pb.ListMembersRequest(parent="projects/garden", page_size=1), metadata=admin
    )

    answer = await refusal(
        misaki.projects.ListMembers(
            pb.ListMembersRequest(parent="projects/kitchen", page_token=first.next_page_token),
            metadata=admin,
        )
    )

    assert (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID") == (
        answer.code,
        answer.reason,
    )


async def test_members_come_and_go(misaki: RunningMisaki) -> None:
    """A role given is listed, and taken away is gone."""
    await misaki.create_project("garden")
    manager = await misaki.create_user("manager", garden="PROJECT_ADMIN")
    await misaki.create_user("alice")

    created = await misaki.projects.CreateMember(
        pb.CreateMemberRequest(
            parent="projects/garden", user="users/alice", role=access_pb2.ROLE_VIEWER
        ),
        metadata=manager,
    )
    listed = await misaki.projects.ListMembers(
        pb.ListMembersRequest(parent="projects/garden"), metadata=manager
    )
    await misaki.projects.DeleteMember(pb.DeleteMemberRequest(name=created.name), metadata=manager)
    left = await misaki.projects.ListMembers(
        pb.ListMembersRequest(parent="projects/garden"), metadata=manager
    )

    assert "projects/garden/members/alice" == created.name
    assert created == listed.members[0]
    assert ["users/manager"] == [member.user for member in left.members]


async def test_member_has_one_role(misaki: RunningMisaki) -> None:
    """A second role in the same project is ALREADY_EXISTS."""
    await _two_projects(misaki)
    request = pb.CreateMemberRequest(
        parent="projects/garden", user="users/zoe", role=access_pb2.ROLE_PROJECT_ADMIN
    )

    answer = await refusal(misaki.projects.CreateMember(request, metadata=await misaki.admin()))

    assert (grpc.StatusCode.ALREADY_EXISTS, "RESOURCE_EXISTS") == (answer.code, answer.reason)


async def test_unknown_user_cannot_be_a_member(misaki: RunningMisaki) -> None:
    """A membership of nobody names the user that is missing."""
    await misaki.create_project("garden")
    request = pb.CreateMemberRequest(
        parent="projects/garden", user="users/nobody", role=access_pb2.ROLE_MEMBER
    )

    answer = await refusal(misaki.projects.CreateMember(request, metadata=await misaki.admin()))

    assert (MISSING, {"resource": "users/nobody"}) == (answer.code, answer.metadata)


@pytest.mark.parametrize(
    "role", [access_pb2.ROLE_UNSPECIFIED, access_pb2.ROLE_ADMIN, access_pb2.ROLE_SERVICE, 99]
)
async def test_other_roles_cannot_be_given(
    misaki: RunningMisaki, role: "access_pb2.Role.ValueType"
) -> None:
    """Roles of the installation are no roles of a project."""
    await _two_projects(misaki)
    request = pb.CreateMemberRequest(parent="projects/garden", user="users/newcomer", role=role)

    answer = await refusal(misaki.projects.CreateMember(request, metadata=await misaki.admin()))

    assert ("FIELD_INVALID", ("role",)) == (answer.reason, answer.fields)


async def test_stale_etag_is_aborted(misaki: RunningMisaki) -> None:
    """A delete by an old etag is ABORTED and keeps the project."""
    project = await misaki.create_project("garden")
    admin = await misaki.admin()

    answer = await refusal(
        misaki.projects.DeleteProject(
            pb.DeleteProjectRequest(name=project.name, etag="before"), metadata=admin
        )
    )
    read = await misaki.projects.GetProject(pb.GetProjectRequest(name=project.name), metadata=admin)

    assert (grpc.StatusCode.ABORTED, "ETAG_MISMATCH") == (answer.code, answer.reason)
    assert project == read


async def test_deleted_project_is_gone(misaki: RunningMisaki) -> None:
    """After the delete admins and members find nothing; members' tokens in use are void."""
    project = await misaki.create_project("garden")
    alice = await misaki.create_user("alice", garden="MEMBER")
    admin = await misaki.admin()
    get = pb.GetProjectRequest(name=project.name)

    await misaki.projects.DeleteProject(
        pb.DeleteProjectRequest(name=project.name, etag=project.etag), metadata=admin
    )

    for_admin = await refusal(misaki.projects.GetProject(get, metadata=admin))
    with_old_token = await refusal(misaki.projects.GetProject(get, metadata=alice))
    alice = bearer((await misaki.log_in("alice", "password-of-alice")).access_token)
    for_member = await refusal(misaki.projects.GetProject(get, metadata=alice))
    assert "TOKEN_REVOKED" == with_old_token.reason
    assert (MISSING, DENIED) == (for_admin.code, for_member.code)


async def test_deleted_project_leaves_nothing_to_the_next(misaki: RunningMisaki) -> None:
    """Its id cannot be had again, so neither data nor tokens of its time find a new owner."""
    project = await misaki.create_project("garden")
    admin = await misaki.admin()
    await misaki.projects.DeleteProject(pb.DeleteProjectRequest(name=project.name), metadata=admin)

    answer = await refusal(
        misaki.projects.CreateProject(pb.CreateProjectRequest(project_id="garden"), metadata=admin)
    )

    assert (grpc.StatusCode.ALREADY_EXISTS, "RESOURCE_EXISTS") == (answer.code, answer.reason)
    assert "ids of projects are never used again" in answer.message


async def test_token_with_the_most_roles_is_good(misaki: RunningMisaki) -> None:
    """256 roles in projects with long ids fit into a token and a call; one more is refused."""
    admin = await misaki.admin()
    ids = [f"p{number:03}-{'x' * 58}" for number in range(MAX_MEMBERSHIPS + 1)]
    await misaki.create_user("alice")

    async def add(project_id: str) -> Any:
        create = pb.CreateProjectRequest(project_id=project_id)
        member = pb.CreateMemberRequest(
            parent=f"projects/{project_id}",
            user="users/alice",
            role=access_pb2.ROLE_PROJECT_ADMIN,
        )
        await misaki.projects.CreateProject(create, metadata=admin)
        return await misaki.projects.CreateMember(member, metadata=admin)

    for project_id in ids[:-1]:
        await add(project_id)
    answer = await refusal(add(ids[-1]))
    alice = bearer((await misaki.log_in("alice", "password-of-alice")).access_token)
    get = pb.GetProjectRequest(name=f"projects/{ids[-2]}")
    project = await misaki.projects.GetProject(get, metadata=alice)

    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_REACHED") == (answer.code, answer.reason)
    assert {"resource": "users/alice", "limit": "256"} == answer.metadata
    assert get.name == project.name
    assert len(alice[0][1]) < 30_000


async def test_repeated_request_id_has_one_effect(misaki: RunningMisaki) -> None:
    """A repeated CreateProject and CreateMember get their first answers."""
    admin = await misaki.admin()
    await misaki.create_user("alice")
    create = pb.CreateProjectRequest(project_id="garden", request_id=REQUEST_ID)
    add = pb.CreateMemberRequest(
        parent="projects/garden",
        user="users/alice",
        role=access_pb2.ROLE_MEMBER,
        request_id=REQUEST_ID,
    )

    projects = [await misaki.projects.CreateProject(create, metadata=admin) for _ in range(2)]
    members = [await misaki.projects.CreateMember(add, metadata=admin) for _ in range(2)]

    assert projects[0] == projects[1]
    assert members[0] == members[1]


@pytest.mark.parametrize(
    "name", ["", "garden", "projects/", "projects/Garden", "projects/a/b", "users/garden"]
)
async def test_malformed_name_is_refused(misaki: RunningMisaki, name: str) -> None:
    """What is no project's name is INVALID_ARGUMENT, not NOT_FOUND."""
    answer = await refusal(
        misaki.projects.GetProject(pb.GetProjectRequest(name=name), metadata=await misaki.admin())
    )

    assert ("FIELD_INVALID", ("name",)) == (answer.reason, answer.fields)


async def test_updated_project_is_read_back(misaki: RunningMisaki) -> None:
    """A project admin renames the project; members may not."""
    await misaki.create_project("garden")
    alice = await misaki.create_user("alice", garden="PROJECT_ADMIN")
    bob = await misaki.create_user("bob", garden="MEMBER")
    request = pb.UpdateProjectRequest(
        project=pb.Project(name="projects/garden", display_name="Park"),
        update_mask=FieldMask(paths=["display_name"]),
    )

    refused = await refusal(misaki.projects.UpdateProject(request, metadata=bob))
    changed = await misaki.projects.UpdateProject(request, metadata=alice)

    read = await misaki.projects.GetProject(
        pb.GetProjectRequest(name="projects/garden"), metadata=bob
    )
    assert grpc.StatusCode.PERMISSION_DENIED == refused.code
    assert ("Park", changed) == (read.display_name, read)


async def test_updated_member_has_the_new_role(misaki: RunningMisaki) -> None:
    """The next token carries it; a stale etag changes nothing."""
    await misaki.create_project("garden")
    alice = await misaki.create_user("alice", garden="PROJECT_ADMIN")
    await misaki.create_user("bob", garden="VIEWER")

    def update(etag: str) -> pb.UpdateMemberRequest:
        member = pb.Member(
            name="projects/garden/members/bob", role=access_pb2.ROLE_MEMBER, etag=etag
        )
        return pb.UpdateMemberRequest(member=member, update_mask=FieldMask(paths=["role"]))

    (member,) = [
        member
        for member in (
            await misaki.projects.ListMembers(
                pb.ListMembersRequest(parent="projects/garden"), metadata=alice
            )
        ).members
        if member.user == "users/bob"
    ]
    changed = await misaki.projects.UpdateMember(update(member.etag), metadata=alice)
    stale = await refusal(misaki.projects.UpdateMember(update(member.etag), metadata=alice))

    token = (await misaki.log_in("bob", "password-of-bob")).access_token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert access_pb2.ROLE_MEMBER == changed.role
    assert {"garden": "MEMBER"} == claims["roles"]
    assert (grpc.StatusCode.ABORTED, "ETAG_MISMATCH") == (stale.code, stale.reason)


@pytest.mark.parametrize("role", ["UNSPECIFIED", "ADMIN", "SERVICE", "DEVICE"])
async def test_member_gets_no_other_role_by_update(misaki: RunningMisaki, role: str) -> None:
    """Roles that are none of a project are refused by the contract."""
    request = pb.UpdateMemberRequest(
        member=pb.Member(
            name="projects/garden/members/bob", role=access_pb2.Role.Value(f"ROLE_{role}")
        ),
        update_mask=FieldMask(paths=["role"]),
    )

    answer = await refusal(misaki.projects.UpdateMember(request, metadata=await misaki.admin()))

    assert (grpc.StatusCode.INVALID_ARGUMENT, ("member",)) == (answer.code, answer.fields)
