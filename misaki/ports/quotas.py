"""Keeps limits."""

from collections.abc import Sequence
from typing import Protocol

from misaki.domain.quota_record import QuotaRecord


class QuotaStore(Protocol):
    """Keeps the limits of projects and users that differ from the defaults."""

    async def quota(self, subject: str) -> QuotaRecord:
        """Return the limits of a project or a user; an empty record if it has none of its own."""

    async def quotas(self) -> Sequence[QuotaRecord]:
        """Return the limits of all who have some of their own, in the order of their names."""

    async def replace_quota(self, record: QuotaRecord, *, before: str) -> bool:
        """Store limits if those there still have a certain etag; tells whether they had.

        No limits are stored for who does not exist (any more).
        """

    async def quota_mark(self) -> str:
        """Return a text that differs as soon as anything of all this does; cheap to ask for."""
