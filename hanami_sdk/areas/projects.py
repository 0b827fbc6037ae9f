"""Projects, and who works in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

from google.protobuf import empty_pb2, field_mask_pb2
from hanami.misaki.v1 import project_service_pb2 as pb
from hanami.misaki.v1 import project_service_pb2_grpc
from hanami.type.v1 import access_pb2

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.names import member_name, project_name, user_name

MemberRole = Literal["PROJECT_ADMIN", "MEMBER", "VIEWER"]


class Projects:
    """Creates, reads, changes and deletes projects and their members."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = project_service_pb2_grpc.ProjectServiceStub(connection.channel)

    async def create(self, project_id: str, *, display_name: str = "") -> pb.Project:
        """Create a project.

        Raises:
            AlreadyExists: the id is taken (RESOURCE_EXISTS).
        """
        request = pb.CreateProjectRequest(project_id=project_id, display_name=display_name)
        return await self._connection.unary(self._stub.CreateProject, request, pb.Project)

    async def get(self, project: str) -> pb.Project:
        """Return one project, by id or name."""
        request = pb.GetProjectRequest(name=project_name(project))
        return await self._connection.unary(self._stub.GetProject, request, pb.Project)

    def list(self) -> AsyncIterator[pb.Project]:
        """Iterate over the projects that the user works in; all, for admins."""
        return walk_pages(
            self._connection,
            self._stub.ListProjects,
            pb.ListProjectsRequest(page_size=1000),
            pb.ListProjectsResponse,
            lambda page: page.projects,
        )

    async def update(self, project: str, *, display_name: str, etag: str = "") -> pb.Project:
        """Change the name people read; with an etag, only if it is still the same."""
        request = pb.UpdateProjectRequest(
            project=pb.Project(name=project_name(project), display_name=display_name, etag=etag),
            update_mask=field_mask_pb2.FieldMask(paths=["display_name"]),
        )
        return await self._connection.unary(self._stub.UpdateProject, request, pb.Project)

    async def delete(self, project: str, *, etag: str = "") -> None:
        """Delete a project; with an etag, only if nobody changed it since."""
        request = pb.DeleteProjectRequest(name=project_name(project), etag=etag)
        await self._connection.unary(self._stub.DeleteProject, request, empty_pb2.Empty)

    async def add_member(self, project: str, user: str, role: MemberRole = "MEMBER") -> pb.Member:
        """Give a user a role in a project; the user's next token carries it."""
        request = pb.CreateMemberRequest(
            parent=project_name(project),
            user=user_name(user),
            role=access_pb2.Role.Value(f"ROLE_{role}"),
        )
        return await self._connection.unary(self._stub.CreateMember, request, pb.Member)

    def list_members(self, project: str) -> AsyncIterator[pb.Member]:
        """Iterate over the members of a project."""
        return walk_pages(
            self._connection,
            self._stub.ListMembers,
            pb.ListMembersRequest(parent=project_name(project), page_size=1000),
            pb.ListMembersResponse,
            lambda page: page.members,
        )

    async def update_member(
        self, project: str, user: str, role: MemberRole, *, etag: str = ""
    ) -> pb.Member:
        """Give a member another role, at once; with an etag, only if it is still the same."""
        request = pb.UpdateMemberRequest(
            member=pb.Member(
                name=member_name(project, user),
                role=access_pb2.Role.Value(f"ROLE_{role}"),
                etag=etag,
            ),
            update_mask=field_mask_pb2.FieldMask(paths=["role"]),
        )
        return await self._connection.unary(self._stub.UpdateMember, request, pb.Member)

    async def remove_member(self, project: str, user: str) -> None:
        """Take a user's role in a project away."""
        request = pb.DeleteMemberRequest(name=member_name(project, user))
        await self._connection.unary(self._stub.DeleteMember, request, empty_pb2.Empty)
