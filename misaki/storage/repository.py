"""The directory in SQL; see `misaki.ports.Directory` for what each method promises."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Delete, Update, delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import QueryableAttribute, aliased
from sqlalchemy.sql.selectable import ForUpdateArg

from mesh.access import Role
from mesh.database import Database
from mesh.errors import AlreadyExists, DomainError, NotFound, stale_etag
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
from misaki.domain.projects import id_is_spent, too_many_memberships
from misaki.domain.users import last_admin
from misaki.ports import RevocationsOf, no_revocations
from misaki.storage.access import Revoking
from misaki.storage.models import CredentialRow, MemberRow, ProjectRow, SessionRow, UserRow
from misaki.storage.rows import member_in, project_in, user_in


class SqlDirectory:
    """Keeps users, projects and memberships in misaki's database."""

    def __init__(self, database: Database, revoking: Revoking) -> None:
        """Take the parts.

        Args:
            database: Where the tables are.
            revoking: For the changes that end tokens, instead of a session alone.
        """
        self._database = database
        self._revoking = revoking

    async def create_user(self, user: User, password_hash: str) -> None:
        """Store a new user."""
        row = UserRow(
            user_id=user.user_id,
            uid=user.uid,
            display_name=user.display_name,
            admin=user.admin,
            password_hash=password_hash,
            create_time=user.create_time,
            etag=user.etag,
            disabled=user.disabled,
        )
        await self._insert(row, user.name)

    async def get_user(self, user_id: str) -> User:
        """Return a user."""
        async with self._database.session() as session:
            row = await session.get(UserRow, user_id)
        if row is None:
            raise NotFound(user_name(user_id))
        return user_in(row)

    async def find_credentials(self, user_id: str) -> Credentials | None:
        """Return what a user logs in with."""
        async with self._database.session() as session:
            row = await session.get(UserRow, user_id)
        return None if row is None else Credentials(user_in(row), row.password_hash, row.epoch)

    async def list_users(self, *, after: str, limit: int) -> Sequence[User]:
        """Return users."""
        query = select(UserRow).where(UserRow.user_id > after).order_by(UserRow.user_id)
        async with self._database.session() as session:
            return [user_in(row) for row in await session.scalars(query.limit(limit))]

    async def has_admin(self) -> bool:
        """Tell whether any user is an admin."""
        query = select(exists().where(UserRow.admin, ~UserRow.disabled))
        async with self._database.session() as session:
            return bool(await session.scalar(query))

    async def delete_user(
        self, user_id: str, *, etag: str, revocations_of: RevocationsOf = no_revocations
    ) -> None:
        """Delete a user and the user's memberships."""
        statement = delete(UserRow).where(UserRow.user_id == user_id, _can_be_spared(user_id))
        if etag:
            statement = statement.where(UserRow.etag == etag)
        async with self._revoking(revocations_of) as (session, ended):
            await _lock_admins(session)
            if not await _finds(session, statement, UserRow.user_id):
                raise await _not_spared(session, user_id, etag)
            ended.append(user_name(user_id))

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
        values: dict[str, Any] = {
            field: value for field, value in asdict(change).items() if value is not None
        }
        if change.disabled:
            values["epoch"] = UserRow.epoch + 1
        statement = update(UserRow).where(UserRow.user_id == user_id)
        if change.takes_away:
            statement = statement.where(_can_be_spared(user_id))
        if etag:
            statement = statement.where(UserRow.etag == etag)
        async with self._revoking(revocations_of) as (session, ended):
            if change.takes_away:
                ended.append(user_name(user_id))
                await _lock_admins(session)
            statement = statement.values(etag=new_etag, **values)
            if not await _finds(session, statement, UserRow.user_id):
                raise await _not_spared(session, user_id, etag)
            if change.disabled:
                await session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))
            return user_in(await session.get_one(UserRow, user_id, populate_existing=True))

    async def set_password(
        self,
        user_id: str,
        password_hash: str,
        *,
        revocations_of: RevocationsOf,
        expected: Credentials | None = None,
    ) -> None:
        """Replace a user's password, and end all sessions of the user."""
        statement = update(UserRow).where(UserRow.user_id == user_id)
        if expected is not None:
            statement = statement.where(
                UserRow.uid == expected.user.uid, UserRow.epoch == expected.epoch
            )
        statement = statement.values(password_hash=password_hash, epoch=UserRow.epoch + 1)
        async with self._revoking(revocations_of) as (session, ended):
            if not await _finds(session, statement, UserRow.user_id):
                raise NotFound(user_name(user_id)) if expected is None else not_the_old_password()
            ended.append(user_name(user_id))
            await session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))

    async def replace_hash(self, user_id: str, *, before: str, after: str) -> bool:
        """Store another hash of the same password."""
        statement = (
            update(UserRow)
            .where(UserRow.user_id == user_id, UserRow.password_hash == before)
            .values(password_hash=after)
        )
        async with self._database.session() as session:
            return await _finds(session, statement, UserRow.user_id)

    async def create_project(self, project: Project) -> None:
        """Store a new project."""
        row = ProjectRow(
            project_id=project.project_id,
            display_name=project.display_name,
            creator_id=project.creator_id,
            create_time=project.create_time,
            etag=project.etag,
        )
        try:
            await self._insert(row, project.name)
        except AlreadyExists:
            async with self._database.session() as session:
                there = await session.get(ProjectRow, project.project_id)
            if there is not None and there.delete_time is not None:
                raise id_is_spent(project.project_id) from None
            raise

    async def get_project(self, project_id: str) -> Project:
        """Return a project."""
        async with self._database.session() as session:
            return project_in(await existing_project(session, project_id))

    async def list_projects(
        self, *, after: str, limit: int, among: Collection[str] | None = None
    ) -> Sequence[Project]:
        """Return projects."""
        query = select(ProjectRow).where(
            ProjectRow.project_id > after, ProjectRow.delete_time.is_(None)
        )
        if among is not None:
            query = query.where(ProjectRow.project_id.in_(among))
        query = query.order_by(ProjectRow.project_id).limit(limit)
        async with self._database.session() as session:
            return [project_in(row) for row in await session.scalars(query)]

    async def update_project(
        self, project_id: str, *, display_name: str, etag: str, new_etag: str
    ) -> Project:
        """Change the name that people read of a project."""
        statement = (
            update(ProjectRow)
            .where(ProjectRow.project_id == project_id, ProjectRow.delete_time.is_(None))
            .values(display_name=display_name, etag=new_etag)
        )
        if etag:
            statement = statement.where(ProjectRow.etag == etag)
        async with self._database.session() as session:
            if not await _finds(session, statement, ProjectRow.project_id):
                await existing_project(session, project_id)
                raise stale_etag(project_name(project_id), etag)
            return project_in(await session.get_one(ProjectRow, project_id, populate_existing=True))

    async def delete_project(
        self,
        project_id: str,
        *,
        etag: str,
        delete_time: datetime,
        revocations_of: RevocationsOf = no_revocations,
    ) -> None:
        """Delete a project and what gives access to it; a row without content keeps the id."""
        statement = (
            update(ProjectRow)
            .where(ProjectRow.project_id == project_id, ProjectRow.delete_time.is_(None))
            .values(delete_time=delete_time, display_name="", creator_id="")
        )
        if etag:
            statement = statement.where(ProjectRow.etag == etag)
        async with self._revoking(revocations_of) as (session, ended):
            if not await _finds(session, statement, ProjectRow.project_id):
                await existing_project(session, project_id)
                raise stale_etag(project_name(project_id), etag)
            members = delete(MemberRow).where(MemberRow.project_id == project_id)
            removed = await session.scalars(members.returning(MemberRow.user_id))
            ended += [user_name(user_id) for user_id in removed]
            sessions = delete(SessionRow).where(SessionRow.project_id == project_id)
            narrowed = await session.scalars(sessions.returning(SessionRow.session_id))
            ended += [f"sessions/{session_id}" for session_id in narrowed]
            credentials = delete(CredentialRow).where(CredentialRow.project_id == project_id)
            gone = await session.execute(
                credentials.returning(CredentialRow.kind, CredentialRow.uid)
            )
            ended += [f"{kind}/{uid}" for kind, uid in gone]

    async def create_member(self, member: Member, *, limit: int) -> None:
        """Store a new membership."""
        row = MemberRow(
            project_id=member.project_id,
            user_id=member.user_id,
            role=member.role.value,
            create_time=member.create_time,
            etag=member.etag,
        )
        try:
            async with self._database.session() as session:
                session.add(row)
                await session.flush()
                # Last, and locked: a delete at the same time comes before or after all of this.
                await existing_project(session, member.project_id, lock=ForUpdateArg(read=True))
                if await _memberships(session, member.user_id) > limit:
                    raise too_many_memberships(member.user_id, limit)
        except IntegrityError as error:
            # The database says only that some key does not fit; find out which.
            await self.get_project(member.project_id)
            await self.get_user(member.user_id)
            raise AlreadyExists(member.name) from error

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
        name = f"{project_name(project_id)}/members/{user_id}"
        statement = (
            update(MemberRow)
            .where(MemberRow.project_id == project_id, MemberRow.user_id == user_id)
            .values(role=role.value, etag=new_etag)
        )
        if etag:
            statement = statement.where(MemberRow.etag == etag)
        async with self._revoking(revocations_of) as (session, ended):
            if not await _finds(session, statement, MemberRow.user_id):
                if await session.get(MemberRow, (project_id, user_id)) is None:
                    raise NotFound(name)
                raise stale_etag(name, etag)
            ended.append(user_name(user_id))
            key = (project_id, user_id)
            return member_in(await session.get_one(MemberRow, key, populate_existing=True))

    async def list_members(self, project_id: str, *, after: str, limit: int) -> Sequence[Member]:
        """Return the members of a project."""
        query = (
            select(MemberRow)
            .where(MemberRow.project_id == project_id, MemberRow.user_id > after)
            .order_by(MemberRow.user_id)
            .limit(limit)
        )
        async with self._database.session() as session:
            await existing_project(session, project_id)
            return [member_in(row) for row in await session.scalars(query)]

    async def delete_member(
        self, project_id: str, user_id: str, *, revocations_of: RevocationsOf = no_revocations
    ) -> None:
        """Delete a membership."""
        statement = delete(MemberRow).where(
            MemberRow.project_id == project_id, MemberRow.user_id == user_id
        )
        async with self._revoking(revocations_of) as (session, ended):
            if not await _finds(session, statement, MemberRow.user_id):
                raise NotFound(f"{project_name(project_id)}/members/{user_id}")
            ended.append(user_name(user_id))

    async def roles_of(self, user_id: str) -> Mapping[str, Role]:
        """Return a user's role in each project."""
        query = select(MemberRow.project_id, MemberRow.role).where(MemberRow.user_id == user_id)
        async with self._database.session() as session:
            return {project_id: Role(role) for project_id, role in await session.execute(query)}

    async def _insert(self, row: Any, name: str) -> None:
        try:
            async with self._database.session() as session:
                session.add(row)
        except IntegrityError as error:
            raise AlreadyExists(name) from error


async def _finds(
    session: AsyncSession, statement: Delete | Update, key: QueryableAttribute[str]
) -> bool:
    found = await session.execute(
        statement.returning(key), execution_options={"synchronize_session": False}
    )
    return found.first() is not None


def _can_be_spared(user_id: str) -> ColumnElement[bool]:
    """Return the condition that a user is not the last admin who can log in."""
    other = aliased(UserRow)
    another_admin = exists().where(other.admin, ~other.disabled, other.user_id != user_id)
    return ~UserRow.admin | UserRow.disabled | another_admin


async def _lock_admins(session: AsyncSession) -> None:
    """Let two admins who take each other away wait for one another (PostgreSQL)."""
    await session.execute(
        select(UserRow.user_id).where(UserRow.admin).order_by(UserRow.user_id).with_for_update()
    )


async def _not_spared(session: AsyncSession, user_id: str, etag: str) -> DomainError:
    """Return why a statement about a user has found no row."""
    row = await session.get(UserRow, user_id)
    if row is None:
        return NotFound(user_name(user_id))
    if etag and row.etag != etag:
        return stale_etag(user_name(user_id), etag)
    return last_admin(user_id)


async def existing_project(
    session: AsyncSession, project_id: str, *, lock: ForUpdateArg | None = None
) -> ProjectRow:
    """Return the row of a project, locked if wanted.

    Raises:
        NotFound: RESOURCE_NOT_FOUND.
    """
    row = await session.get(ProjectRow, project_id, with_for_update=lock)
    if row is None or row.delete_time is not None:
        raise NotFound(project_name(project_id))
    return row


async def _memberships(session: AsyncSession, user_id: str) -> int:
    """Count a user's memberships; who adds another one at the same time has to wait."""
    await session.get(UserRow, user_id, with_for_update=ForUpdateArg(key_share=True))
    query = select(func.count()).where(MemberRow.user_id == user_id)
    return (await session.scalars(query)).one()
