"""What services are told of limits: those that count and are not the defaults."""

from collections.abc import Mapping

from mesh.quotas import Limits, QuotaDefaults
from misaki.domain.quota_record import differing
from misaki.ports import QuotaStore


class StoredQuotaNews:
    """See `misaki.domain.access_news.QuotaNews`."""

    def __init__(self, store: QuotaStore, defaults: QuotaDefaults) -> None:
        self.defaults = defaults
        self._store = store

    async def mark(self) -> str:
        """Return a text that differs as soon as any limit does."""
        return await self._store.quota_mark()

    async def differing(self) -> Mapping[str, Limits]:
        """Return the limits that differ from the defaults, by project and user."""
        records = await self._store.quotas()
        found = {record.subject: differing(record, self.defaults) for record in records}
        return {subject: limits for subject, limits in found.items() if limits}
