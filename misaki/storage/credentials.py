"""Credentials of projects in SQL; see `misaki.ports.CredentialStore`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.selectable import ForUpdateArg

from mesh.access import Action, Role
from mesh.database import Database
from mesh.errors import AlreadyExists, NotFound, stale_etag
from misaki.domain.model import CredentialKind, ProjectCredential, credential_name
from misaki.domain.project_credentials import too_many_credentials
from misaki.ports import RevocationsOf
from misaki.storage.access import Revoking
from misaki.storage.models import CredentialRow
from misaki.storage.repository import existing_project


class SqlCredentialStore:
    """Keeps credentials of projects in misaki's database."""

    def __init__(self, database: Database, revoking: Revoking) -> None:
        self._database = database
        self._revoking = revoking

    async def create_credential(
        self, credential: ProjectCredential, digest: str, *, limit: int
    ) -> None:
        """Store a new credential."""
        row = CredentialRow(
            kind=credential.kind.value,
            project_id=credential.project_id,
            credential_id=credential.credential_id,
            uid=credential.uid,
            digest=digest,
            display_name=credential.display_name,
            creator=credential.creator,
            role=credential.role.value if credential.role else "",
            network_id=credential.network_id,
            actions=" ".join(sorted(credential.actions)),
            create_time=credential.create_time,
            expire_time=credential.expire_time,
            last_use_time=credential.last_use_time,
            etag=credential.etag,
        )
        of_project = and_(
            CredentialRow.kind == credential.kind.value,
            CredentialRow.project_id == credential.project_id,
        )
        try:
            async with self._database.session() as session:
                session.add(row)
                await session.flush()
                # Locked: a delete at the same time comes before or after all of this, and who
                # makes another credential waits, so that both are counted.
                lock = ForUpdateArg(key_share=True)
                await existing_project(session, credential.project_id, lock=lock)
                count = await session.scalar(
                    select(func.count()).select_from(CredentialRow).where(of_project)
                )
                if (count or 0) > limit:
                    raise too_many_credentials(credential.project_id, credential.kind, limit)
        except IntegrityError as error:
            # The database says only that some key does not fit; find out which.
            async with self._database.session() as session:
                await existing_project(session, credential.project_id)
            raise AlreadyExists(credential.name) from error

    async def get_credential(
        self, kind: CredentialKind, project_id: str, credential_id: str
    ) -> ProjectCredential:
        """Return a credential."""
        key = (kind.value, project_id, credential_id)
        async with self._database.session() as session:
            row = await session.get(CredentialRow, key)
        if row is None:
            raise NotFound(credential_name(kind, project_id, credential_id))
        return _credential(row)

    async def find_credential(self, kind: CredentialKind, digest: str) -> ProjectCredential | None:
        """Return the credential that a digest belongs to, or None."""
        query = select(CredentialRow).where(
            CredentialRow.digest == digest, CredentialRow.kind == kind.value
        )
        async with self._database.session() as session:
            row = await session.scalar(query)
        return None if row is None else _credential(row)

    async def list_credentials(
        self, kind: CredentialKind, project_id: str, *, after: str, limit: int
    ) -> Sequence[ProjectCredential]:
        """Return the credentials of a project."""
        query = (
            select(CredentialRow)
            .where(CredentialRow.kind == kind.value, CredentialRow.project_id == project_id)
            .where(CredentialRow.credential_id > after)
            .order_by(CredentialRow.credential_id)
            .limit(limit)
        )
        async with self._database.session() as session:
            await existing_project(session, project_id)
            return [_credential(row) for row in await session.scalars(query)]

    async def delete_credential(
        self, credential: ProjectCredential, *, etag: str, revocations_of: RevocationsOf
    ) -> None:
        """Delete a credential."""
        statement = delete(CredentialRow).where(_is(credential))
        if etag:
            statement = statement.where(CredentialRow.etag == etag)
        async with self._revoking(revocations_of) as (session, ended):
            deleted = await session.scalars(statement.returning(CredentialRow.uid))
            if deleted.first() is None:
                there = await session.scalar(select(CredentialRow.uid).where(_is(credential)))
                if there is None:
                    raise NotFound(credential.name)
                raise stale_etag(credential.name, etag)
            ended.append(credential.subject)

    async def note_use(self, credential: ProjectCredential, *, now: datetime) -> None:
        """Note when a credential was used last."""
        statement = update(CredentialRow).where(_is(credential)).values(last_use_time=now)
        async with self._database.session() as session:
            await session.execute(statement)


def _is(credential: ProjectCredential) -> ColumnElement[bool]:
    return CredentialRow.uid == credential.uid


def _credential(row: CredentialRow) -> ProjectCredential:
    return ProjectCredential(
        kind=CredentialKind(row.kind),
        project_id=row.project_id,
        credential_id=row.credential_id,
        uid=row.uid,
        display_name=row.display_name,
        creator=row.creator,
        role=Role(row.role) if row.role else None,
        network_id=row.network_id,
        actions=frozenset(Action(action) for action in row.actions.split()),
        create_time=row.create_time,
        expire_time=row.expire_time,
        last_use_time=row.last_use_time,
        etag=row.etag,
    )
