"""Revocations and versions of the policy, in misaki's database."""

import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from sqlalchemy import case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mesh.access import Role
from mesh.database import Database
from mesh.errors import NotFound, stale_etag
from mesh.revocations import Revocation
from misaki.domain.policy import PolicyVersion
from misaki.ports import RevocationsOf
from misaki.storage.models import PolicyRow, ProjectRow, RevocationRow

# Opens a session whose transaction records revocations at its end, and a list to be filled with
# the subjects. Every change that ends tokens is made in one, so that neither comes without the
# other.
Revoking = Callable[[RevocationsOf], AbstractAsyncContextManager[tuple[AsyncSession, list[str]]]]


class SqlAccessStore:
    """Keeps revocations and the policy, and knows of deleted projects."""

    def __init__(
        self, database: Database, *, recorded: Callable[[Sequence[Revocation]], None]
    ) -> None:
        """Take the parts.

        Args:
            database: Where the tables are.
            recorded: Told of revocations as soon as they are committed.
        """
        self._database = database
        self._recorded = recorded

    @asynccontextmanager
    async def revoking(
        self, revocations_of: RevocationsOf
    ) -> AsyncIterator[tuple[AsyncSession, list[str]]]:
        """Open a session in one transaction that ends with recording revocations."""
        ended: list[str] = []
        async with self._database.session() as session:
            yield session, ended
            # Dated only now, when the transaction has waited for all who hold its rows.
            revocations = revocations_of(ended) if ended else ()
            await _record(session, revocations)
        if revocations:
            self._recorded(revocations)

    async def record_revocations(self, revocations: Sequence[Revocation]) -> None:
        """Record revocations that no other change goes with."""
        async with self._database.session() as session:
            await _record(session, revocations)
        if revocations:
            self._recorded(revocations)

    async def last_revocation(self, subjects: Collection[str]) -> datetime | None:
        """Return the latest `issued_before` of any of these subjects."""
        query = (
            select(RevocationRow.issued_before)
            .where(RevocationRow.subject.in_(subjects))
            .order_by(RevocationRow.issued_before.desc())
            .limit(1)
        )
        async with self._database.session() as session:
            return await session.scalar(query)

    async def revocations(self, *, now: datetime) -> Sequence[Revocation]:
        """Return the revocations that have not expired."""
        query = (
            select(RevocationRow)
            .where(RevocationRow.expire_time > now)
            .order_by(RevocationRow.subject)
        )
        async with self._database.session() as session:
            return [
                Revocation(row.subject, row.issued_before, row.expire_time)
                for row in await session.scalars(query)
            ]

    async def forget_revocations(self, *, now: datetime) -> None:
        """Delete the revocations that have expired."""
        async with self._database.session() as session:
            await session.execute(delete(RevocationRow).where(RevocationRow.expire_time <= now))

    async def deleted_projects(self) -> frozenset[str]:
        """Return the ids of all projects that have ever been deleted."""
        query = select(ProjectRow.project_id).where(ProjectRow.delete_time.is_not(None))
        async with self._database.session() as session:
            return frozenset(await session.scalars(query))

    async def mark(self) -> str:
        """Return a text that differs as soon as anything of all this does."""
        # The highest number alone would not do: on PostgreSQL a lower one can commit later.
        sequence = RevocationRow.sequence
        query = select(
            func.count(),
            func.max(sequence),
            func.sum(sequence),
            # SQLite gives the numbers of forgotten rows again.
            func.max(RevocationRow.expire_time),
            select(func.max(PolicyRow.version)).scalar_subquery(),
            select(func.count(ProjectRow.delete_time)).scalar_subquery(),
        )
        async with self._database.session() as session:
            return " ".join(str(value) for value in (await session.execute(query)).one())

    async def policy(self, version: int | None = None) -> PolicyVersion:
        """Return a version of the policy."""
        query = select(PolicyRow).order_by(PolicyRow.version.desc()).limit(1)
        if version is not None:
            query = query.where(PolicyRow.version == version)
        async with self._database.session() as session:
            row = await session.scalar(query)
        if row is not None:
            return _policy(row)
        if version:
            raise NotFound(f"policies/{version}")
        return PolicyVersion(0)

    async def list_policies(self, *, before: int | None, limit: int) -> Sequence[PolicyVersion]:
        """Return versions of the policy, newest first."""
        query = select(PolicyRow).order_by(PolicyRow.version.desc()).limit(limit)
        if before is not None:
            query = query.where(PolicyRow.version < before)
        async with self._database.session() as session:
            return [_policy(row) for row in await session.scalars(query)]

    async def add_policy(self, policy: PolicyVersion) -> None:
        """Store the next version of the policy."""
        row = PolicyRow(
            version=policy.version,
            document=_document(policy),
            author=policy.author,
            create_time=policy.create_time,
        )
        try:
            async with self._database.session() as session:
                newest = await session.scalar(select(func.max(PolicyRow.version))) or 0
                if policy.version != newest + 1:
                    raise stale_etag("policy", str(policy.version - 1))
                session.add(row)
        except IntegrityError as error:  # Somebody else was faster.
            raise stale_etag("policy", str(policy.version - 1)) from error


async def _record(session: AsyncSession, revocations: Sequence[Revocation]) -> None:
    if not revocations:
        return
    table = RevocationRow.__table__
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    new = (postgresql if is_postgresql else sqlite).insert(RevocationRow.__table__)
    further = new.excluded.issued_before > table.c.issued_before
    statement = new.on_conflict_do_update(
        index_elements=[table.c.subject],
        set_={
            "sequence": new.excluded.sequence,  # So that the mark tells of it.
            **{
                key: case((further, new.excluded[key]), else_=table.c[key])
                for key in ("issued_before", "expire_time")
            },
        },
    )
    # In one order, so that two who wait for rows of one another do not wait for ever.
    rows = sorted(revocations, key=lambda revocation: revocation.subject)
    await session.execute(statement, [_values(revocation) for revocation in rows])


def _values(revocation: Revocation) -> dict[str, object]:
    return {
        "subject": revocation.subject,
        "issued_before": revocation.issued_before,
        "expire_time": revocation.expire_time,
    }


def _document(policy: PolicyVersion) -> str:
    rules = {method: sorted(roles) for method, roles in sorted(policy.rules.items())}
    return json.dumps({"rules": rules})


def _policy(row: PolicyRow) -> PolicyVersion:
    rules = json.loads(row.document)["rules"]
    return PolicyVersion(
        version=row.version,
        rules={method: frozenset(map(Role, roles)) for method, roles in rules.items()},
        author=row.author,
        create_time=row.create_time,
    )
