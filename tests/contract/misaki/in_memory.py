"""The directory in dictionaries, for tests of the domain; obeys the same suite as SQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from mesh.access import Role
from mesh.errors import AlreadyExists, NotFound, stale_etag
from misaki.domain.model import Credentials, Member, Project, User, project_name, user_name
from misaki.domain.projects import id_is_spent, too_many_memberships
from misaki.domain.users import last_admin


class InMemoryDirectory:
    """Keeps users, projects and memberships in dictionaries."""

    def __init__(self) -> None:
        self._users: dict[str, Credentials] = {}
        self._projects: dict[str, Project] = {}
        self._deleted: dict[str, datetime] = {}
        self._members: dict[tuple[str, str], Member] = {}

    async def create_user(self, user: User, password_hash: str) -> None:
        """Store a new user."""
        if user.user_id in self._users:
            raise AlreadyExists(user.name)
        self._users[user.user_id] = Credentials(user, password_hash)

    async def get_user(self, user_id: str) -> User:
        """Return a user."""
        if user_id not in self._users:
            raise NotFound(user_name(user_id))
        return self._users[user_id].user

    async def find_credentials(self, user_id: str) -> Credentials | None:
        """Return what a user logs in with."""
        return self._users.get(user_id)

    async def list_users(self, *, after: str, limit: int) -> Sequence[User]:
        """Return users."""
        ids = [user_id for user_id in sorted(self._users) if user_id > after]
        return [self._users[user_id].user for user_id in ids[:limit]]

    async def has_admin(self) -> bool:
        """Tell whether any user is an admin."""
        return any(credentials.user.admin for credentials in self._users.values())

    async def delete_user(self, user_id: str, *, etag: str) -> None:
        """Delete a user and the user's memberships."""
        user = await self.get_user(user_id)
        if etag and user.etag != etag:
            raise stale_etag(user.name, etag)
        others = [c.user for c in self._users.values() if c.user.user_id != user_id]
        if user.admin and not any(other.admin for other in others):
            raise last_admin(user_id)
        del self._users[user_id]
        self._members = {key: m for key, m in self._members.items() if key[1] != user_id}

    async def create_project(self, project: Project) -> None:
        """Store a new project."""
        if project.project_id in self._projects:
            raise AlreadyExists(project.name)
        if project.project_id in self._deleted:
            raise id_is_spent(project.project_id)
        self._projects[project.project_id] = project

    async def get_project(self, project_id: str) -> Project:
        """Return a project."""
        if project_id not in self._projects:
            raise NotFound(project_name(project_id))
        return self._projects[project_id]

    async def list_projects(
        self, *, after: str, limit: int, among: Collection[str] | None = None
    ) -> Sequence[Project]:
        """Return projects."""
        ids = [
            project_id
            for project_id in sorted(self._projects)
            if project_id > after and (among is None or project_id in among)
        ]
        return [self._projects[project_id] for project_id in ids[:limit]]

    async def delete_project(self, project_id: str, *, etag: str, delete_time: datetime) -> None:
        """Delete a project and its memberships."""
        project = await self.get_project(project_id)
        if etag and project.etag != etag:
            raise stale_etag(project.name, etag)
        del self._projects[project_id]
        self._deleted[project_id] = delete_time
        self._members = {key: m for key, m in self._members.items() if key[0] != project_id}

    async def create_member(self, member: Member, *, limit: int) -> None:
        """Store a new membership."""
        await self.get_project(member.project_id)
        await self.get_user(member.user_id)
        key = (member.project_id, member.user_id)
        if key in self._members:
            raise AlreadyExists(member.name)
        if len(await self.roles_of(member.user_id)) >= limit:
            raise too_many_memberships(member.user_id, limit)
        self._members[key] = member

    async def list_members(self, project_id: str, *, after: str, limit: int) -> Sequence[Member]:
        """Return the members of a project."""
        await self.get_project(project_id)
        keys = [key for key in sorted(self._members) if key[0] == project_id and key[1] > after]
        return [self._members[key] for key in keys[:limit]]

    async def delete_member(self, project_id: str, user_id: str) -> None:
        """Delete a membership."""
        if self._members.pop((project_id, user_id), None) is None:
            raise NotFound(f"{project_name(project_id)}/members/{user_id}")

    async def roles_of(self, user_id: str) -> Mapping[str, Role]:
        """Return a user's role in each project."""
        return {key[0]: m.role for key, m in self._members.items() if key[1] == user_id}
