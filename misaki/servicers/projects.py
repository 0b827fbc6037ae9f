"""`hanami.misaki.v1.ProjectService`."""

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from hanami.misaki.v1 import project_service_pb2 as pb
from hanami.misaki.v1 import project_service_pb2_grpc

from mesh import names, pages
from mesh.calls import current_caller
from mesh.masks import check_mask
from misaki import convert
from misaki.domain.projects import Projects

Context = grpc.aio.ServicerContext[Any, Any]


class ProjectServicer(project_service_pb2_grpc.ProjectServiceServicer):
    """Manages projects and who works in them."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def CreateProject(self, request: pb.CreateProjectRequest, context: Context) -> pb.Project:
        """Create a project."""
        project = await self._projects.create(
            current_caller(), project_id=request.project_id, display_name=request.display_name
        )
        return convert.project_message(project)

    async def GetProject(self, request: pb.GetProjectRequest, context: Context) -> pb.Project:
        """Return a project."""
        (project_id,) = names.parse("projects/*", request.name)
        return convert.project_message(await self._projects.get(current_caller(), project_id))

    async def ListProjects(
        self, request: pb.ListProjectsRequest, context: Context
    ) -> pb.ListProjectsResponse:
        """Return a page of projects."""
        wanted = pages.page_request(request.page_size, request.page_token, listing="projects")
        projects = await self._projects.list(
            current_caller(), after=wanted.after, limit=wanted.limit + 1
        )
        page = pages.page_of(wanted, projects, lambda project: project.project_id)
        return convert.projects_message(page)

    async def UpdateProject(self, request: pb.UpdateProjectRequest, context: Context) -> pb.Project:
        """Change a project."""
        check_mask(request.update_mask, ["display_name"])
        (project_id,) = names.parse("projects/*", request.project.name, field="project.name")
        project = await self._projects.update(
            current_caller(),
            project_id,
            display_name=request.project.display_name,
            etag=request.project.etag,
        )
        return convert.project_message(project)

    async def DeleteProject(self, request: pb.DeleteProjectRequest, context: Context) -> Empty:
        """Delete a project."""
        (project_id,) = names.parse("projects/*", request.name)
        await self._projects.delete(current_caller(), project_id, etag=request.etag)
        return Empty()

    async def CreateMember(self, request: pb.CreateMemberRequest, context: Context) -> pb.Member:
        """Give a user a role in a project."""
        member = await self._projects.add_member(
            current_caller(),
            project_id=names.project_id(request.parent, field="parent"),
            user_id=names.parse("users/*", request.user, field="user")[0],
            role=convert.role_of(request.role),
        )
        return convert.member_message(member)

    async def UpdateMember(self, request: pb.UpdateMemberRequest, context: Context) -> pb.Member:
        """Give a member another role."""
        check_mask(request.update_mask, ["role"])
        name = request.member.name
        project_id, user_id = names.parse("projects/*/members/*", name, field="member.name")
        member = await self._projects.update_member(
            current_caller(),
            project_id,
            user_id,
            role=convert.role_of(request.member.role),
            etag=request.member.etag,
        )
        return convert.member_message(member)

    async def ListMembers(
        self, request: pb.ListMembersRequest, context: Context
    ) -> pb.ListMembersResponse:
        """Return a page of a project's members."""
        (project_id,) = names.parse("projects/*", request.parent, field="parent")
        listing = f"{request.parent}/members"
        wanted = pages.page_request(request.page_size, request.page_token, listing=listing)
        members = await self._projects.list_members(
            current_caller(), project_id, after=wanted.after, limit=wanted.limit + 1
        )
        page = pages.page_of(wanted, members, lambda member: member.user_id)
        return convert.members_message(page)

    async def DeleteMember(self, request: pb.DeleteMemberRequest, context: Context) -> Empty:
        """Take a user's role in a project away."""
        project_id, user_id = names.parse("projects/*/members/*", request.name)
        await self._projects.delete_member(current_caller(), project_id, user_id)
        return Empty()
