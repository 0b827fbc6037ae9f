"""Misaki's stores in dictionaries, for tests of the domain; obey the same suites as SQL."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime

from mesh.access import Role
from mesh.errors import AlreadyExists, NotFound, stale_etag
from mesh.quotas import SHIPPED_DEFAULTS
from mesh.revocations import Revocation
from misaki.domain.model import (
    Credentials,
    Member,
    Project,
    User,
    UserChange,
    project_name,
    user_name,
)
from misaki.domain.password_changes import not_the_old_password
from misaki.domain.policy import PolicyVersion
from misaki.domain.projects import id_is_spent, too_many_memberships
from misaki.domain.quota_news import StoredQuotaNews
from misaki.domain.users import last_admin
from misaki.ports import RevocationsOf, no_revocations
from tests.contract.misaki.in_memory_credentials import InMemoryCredentialStore
from tests.contract.misaki.in_memory_identities import InMemoryIdentityStore
from tests.contract.misaki.in_memory_logins import InMemorySessionStore, era_of
from tests.contract.misaki.in_memory_quotas import InMemoryQuotaStore


class InMemoryAccessStore:
    """Keeps revocations and the policy in lists."""

    def __init__(self) -> None:
        self.recorded: list[Revocation] = []
        self._policies: list[PolicyVersion] = []
        self._changes = 0
        self.deleted: set[str] = set()

    async def record_revocations(self, revocations: Sequence[Revocation]) -> None:
        """Record revocations."""
        self.recorded.extend(revocations)
        self._changes += 1

    async def last_revocation(self, subjects: Collection[str]) -> datetime | None:
        """Return the latest `issued_before` of any of these subjects."""
        return max((r.issued_before for r in self.recorded if r.subject in subjects), default=None)

    async def revocations(self, *, now: datetime) -> Sequence[Revocation]:
        """Return the revocations that have not expired."""
        furthest = {r.subject: r for r in sorted(self.recorded, key=lambda r: r.issued_before)}
        return [r for _, r in sorted(furthest.items()) if r.expire_time > now]

    async def forget_revocations(self, *, now: datetime) -> None:
        """Delete the revocations that have expired."""
        self.recorded = [r for r in self.recorded if r.expire_time > now]
        self._changes += 1

    async def mark(self) -> str:
        """Return a text that differs as soon as anything of all this does."""
        return f"{self._changes} {len(self._policies)} {len(self.deleted)}"

    async def deleted_projects(self) -> frozenset[str]:
        """Return the ids of all projects that have ever been deleted."""
        return frozenset(self.deleted)

    async def policy(self, version: int | None = None) -> PolicyVersion:
        """Return a version of the policy."""
        versions = [PolicyVersion(0), *self._policies]
        if version is None:
            return versions[-1]
        if not 0 <= version < len(versions):
            raise NotFound(f"policies/{version}")
        return versions[version]

    async def list_policies(self, *, before: int | None, limit: int) -> Sequence[PolicyVersion]:
        """Return versions of the policy, newest first."""
        found = [p for p in reversed(self._policies) if before is None or p.version < before]
        return found[:limit]

    async def add_policy(self, policy: PolicyVersion) -> None:
        """Store the next version of the policy."""
        if policy.version != len(self._policies) + 1:
            raise stale_etag("policy", str(policy.version - 1))
        self._policies.append(policy)


class InMemoryDirectory:
    """Keeps users, projects and memberships in dictionaries."""

    def __init__(self, access: "InMemoryAccessStore | None" = None) -> None:
        self.access = access or InMemoryAccessStore()
        self._users: dict[str, Credentials] = {}
        self._projects: dict[str, Project] = {}
        self._deleted: dict[str, datetime] = {}
        self._members: dict[tuple[str, str], Member] = {}
        self.identities = InMemoryIdentityStore(
            get_user=self.get_user, create_user=self.create_user
        )
        self.credentials = InMemoryCredentialStore(self.access, get_project=self.get_project)
        self.sessions = InMemorySessionStore(self.access, credentials_of=self._users.get)
        self.quotas = InMemoryQuotaStore(check=self._check_subject)
        self.quota_news = StoredQuotaNews(self.quotas, SHIPPED_DEFAULTS)

    async def _check_subject(self, subject: str) -> None:
        kind, _, subject_id = subject.partition("/")
        await (self.get_user if kind == "users" else self.get_project)(subject_id)

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
        return any(c.user.admin and not c.user.disabled for c in self._users.values())

    async def update_user(
        self,
        user_id: str,
        change: UserChange,
        *,
        etag: str,
        new_etag: str,
        revocations_of: RevocationsOf = no_revocations,
    ) -> User:
        """Change a user; who is disabled by it loses all sessions."""
        user = await self.get_user(user_id)
        if etag and user.etag != etag:
            raise stale_etag(user.name, etag)
        if change.takes_away:
            self._check_can_be_spared(user)
        values = {field: value for field, value in asdict(change).items() if value is not None}
        changed = replace(user, etag=new_etag, **values)
        if change.takes_away:
            await self.access.record_revocations(revocations_of([user.name]))
        before = self._users[user_id]
        epoch = before.epoch + bool(change.disabled)
        self._users[user_id] = replace(before, user=changed, epoch=epoch)
        if change.disabled:
            self.sessions.drop(lambda session: session.user_id == user_id)
        return changed

    async def set_password(
        self,
        user_id: str,
        password_hash: str,
        *,
        revocations_of: RevocationsOf,
        expected: Credentials | None = None,
    ) -> None:
        """Replace a user's password, and end all sessions of the user."""
        before = self._users.get(user_id)
        if expected is not None and (before is None or era_of(before) != era_of(expected)):
            raise not_the_old_password()
        user = await self.get_user(user_id)
        await self.access.record_revocations(revocations_of([user.name]))
        epoch = self._users[user_id].epoch + 1
        self._users[user_id] = Credentials(user, password_hash, epoch)
        self.sessions.drop(lambda session: session.user_id == user_id)

    async def replace_hash(self, user_id: str, *, before: str, after: str) -> bool:
        """Store another hash of the same password."""
        credentials = self._users.get(user_id)
        if credentials is None or credentials.password_hash != before:
            return False
        self._users[user_id] = replace(credentials, password_hash=after)
        return True

    def _check_can_be_spared(self, user: User) -> None:
        others = (c.user for c in self._users.values() if c.user.user_id != user.user_id)
        is_needed = user.admin and not user.disabled
        if is_needed and not any(other.admin and not other.disabled for other in others):
            raise last_admin(user.user_id)

    async def delete_user(
        self, user_id: str, *, etag: str, revocations_of: RevocationsOf = no_revocations
    ) -> None:
        """Delete a user and the user's memberships."""
        user = await self.get_user(user_id)
        if etag and user.etag != etag:
            raise stale_etag(user.name, etag)
        self._check_can_be_spared(user)
        await self.access.record_revocations(revocations_of([user.name]))
        del self._users[user_id]
        self.quotas.forget(user_name(user_id))
        self.identities.drop_user(user_id)
        self.sessions.drop(lambda session: session.user_id == user_id)
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

    async def update_project(
        self, project_id: str, *, display_name: str, etag: str, new_etag: str
    ) -> Project:
        """Change the name that people read of a project."""
        project = await self.get_project(project_id)
        if etag and project.etag != etag:
            raise stale_etag(project.name, etag)
        changed = replace(project, display_name=display_name, etag=new_etag)
        self._projects[project_id] = changed
        return changed

    async def delete_project(
        self,
        project_id: str,
        *,
        etag: str,
        delete_time: datetime,
        revocations_of: RevocationsOf = no_revocations,
    ) -> None:
        """Delete a project and what gives access to it."""
        project = await self.get_project(project_id)
        if etag and project.etag != etag:
            raise stale_etag(project.name, etag)
        del self._projects[project_id]
        self._deleted[project_id] = delete_time
        self.access.deleted.add(project_id)
        subjects = [user_name(key[1]) for key in self._members if key[0] == project_id]
        ended = self.sessions.drop(lambda session: session.project_id == project_id)
        subjects += [f"sessions/{session_id}" for session_id in ended]
        subjects += self.credentials.drop_project(project_id)
        await self.access.record_revocations(revocations_of(subjects))
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

    async def update_member(
        self,
        project_id: str,
        user_id: str,
        *,
        role: Role,
        etag: str,
        new_etag: str,
        revocations_of: RevocationsOf,
    ) -> Member:
        """Give a member another role."""
        member = self._members.get((project_id, user_id))
        if member is None:
            raise NotFound(f"{project_name(project_id)}/members/{user_id}")
        if etag and member.etag != etag:
            raise stale_etag(member.name, etag)
        changed = replace(member, role=role, etag=new_etag)
        await self.access.record_revocations(revocations_of([user_name(user_id)]))
        self._members[project_id, user_id] = changed
        return changed

    async def list_members(self, project_id: str, *, after: str, limit: int) -> Sequence[Member]:
        """Return the members of a project."""
        await self.get_project(project_id)
        keys = [key for key in sorted(self._members) if key[0] == project_id and key[1] > after]
        return [self._members[key] for key in keys[:limit]]

    async def delete_member(
        self, project_id: str, user_id: str, *, revocations_of: RevocationsOf = no_revocations
    ) -> None:
        """Delete a membership."""
        if self._members.pop((project_id, user_id), None) is None:
            raise NotFound(f"{project_name(project_id)}/members/{user_id}")
        await self.access.record_revocations(revocations_of([user_name(user_id)]))

    async def roles_of(self, user_id: str) -> Mapping[str, Role]:
        """Return a user's role in each project."""
        return {key[0]: m.role for key, m in self._members.items() if key[1] == user_id}
