"""Limits that differ from the defaults, in misaki's database."""

from collections.abc import Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mesh.database import Database
from mesh.quotas import Limits, Quota
from misaki.domain.quota_record import UNCHANGED, QuotaRecord
from misaki.storage.models import QuotaRow


class SqlQuotaStore:
    """Keeps limits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def quota(self, subject: str) -> QuotaRecord:
        """Return the limits of a project or a user."""
        async with self._database.session() as session:
            row = await session.get(QuotaRow, subject)
        return QuotaRecord(subject) if row is None else _record(row)

    async def quotas(self) -> Sequence[QuotaRecord]:
        """Return the limits of all who have some of their own."""
        async with self._database.session() as session:
            rows = await session.scalars(select(QuotaRow).order_by(QuotaRow.subject))
            return [_record(row) for row in rows]

    async def replace_quota(self, record: QuotaRecord, *, before: str) -> bool:
        """Store limits if nobody else has changed them."""
        kind, _, subject_id = record.subject.partition("/")
        values = {
            "granted": _document(record.granted),
            "chosen": _document(record.chosen),
            "etag": record.etag,
            "update_time": record.update_time,
        }
        if before == UNCHANGED:
            keys = {"subject": record.subject, "version": 1}
            owner = {"user_id" if kind == "users" else "project_id": subject_id}
            try:
                async with self._database.session() as session:
                    await session.execute(insert(QuotaRow).values(**keys, **owner, **values))
            except IntegrityError:  # Somebody was faster, or the subject is gone.
                return False
            return True
        change = (
            update(QuotaRow)
            .where(QuotaRow.subject == record.subject, QuotaRow.etag == before)
            .values(version=QuotaRow.version + 1, **values)
            .returning(QuotaRow.subject)
        )
        async with self._database.session() as session:
            return await session.scalar(change) is not None

    async def quota_mark(self) -> str:
        """Return a text that differs as soon as anything of all this does."""
        query = select(func.count(), func.sum(QuotaRow.version), func.max(QuotaRow.update_time))
        async with self._database.session() as session:
            return " ".join(str(value) for value in (await session.execute(query)).one())


def _document(limits: Limits) -> dict[str, int]:
    return {quota.value: limit for quota, limit in sorted(limits.items())}


def _limits(document: dict[str, int]) -> Limits:
    # A limit that only a newer version knows is left alone.
    known = {quota.value for quota in Quota}
    return {Quota(name): limit for name, limit in document.items() if name in known}


def _record(row: QuotaRow) -> QuotaRecord:
    return QuotaRecord(
        subject=row.subject,
        granted=_limits(row.granted),
        chosen=_limits(row.chosen),
        etag=row.etag,
        update_time=row.update_time,
    )
