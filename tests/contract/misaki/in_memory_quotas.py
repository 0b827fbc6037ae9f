"""Limits in a dictionary; obeys the same suite as SQL."""

from collections.abc import Awaitable, Callable, Sequence

from mesh.errors import NotFound
from misaki.domain.quota_record import QuotaRecord


class InMemoryQuotaStore:
    """Keeps limits in a dictionary."""

    def __init__(self, *, check: Callable[[str], Awaitable[None]]) -> None:
        """Take the function that raises NotFound for a project or user that does not exist."""
        self._check = check
        self._records: dict[str, QuotaRecord] = {}
        self._changes = 0

    async def quota(self, subject: str) -> QuotaRecord:
        """Return the limits of a project or a user."""
        return self._records.get(subject, QuotaRecord(subject))

    async def quotas(self) -> Sequence[QuotaRecord]:
        """Return the limits of all who have some of their own."""
        return [record for _, record in sorted(self._records.items())]

    async def replace_quota(self, record: QuotaRecord, *, before: str) -> bool:
        """Store limits if nobody else has changed them."""
        try:
            await self._check(record.subject)
        except NotFound:
            return False
        if (await self.quota(record.subject)).etag != before:
            return False
        self._records[record.subject] = record
        self._changes += 1
        return True

    async def quota_mark(self) -> str:
        """Return a text that differs as soon as anything of all this does."""
        return str(self._changes)

    def forget(self, subject: str) -> None:
        """Drop the limits of who is gone."""
        self._records.pop(subject, None)
        self._changes += 1
