"""Remembers answers by `request_id`, so that a repeated call has one effect.

The first call with an id stores its answer; the same call again, for 24 hours,
gets the stored answer. The same id with another request is refused.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Column, LargeBinary, MetaData, String, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mesh.database import Database, UtcTimestamp
from mesh.errors import AlreadyExists

RETENTION = timedelta(hours=24)
# A call that has not stored its answer by then has died with its process.
ABANDONED_AFTER = timedelta(minutes=2)
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class RequestKey:
    """What makes a call the same call: who, which method, which id."""

    principal: str
    method: str
    request_id: str


class IdempotencyStore(Protocol):
    """Keeps answers by request key."""

    async def begin(self, key: RequestKey, fingerprint: str) -> bytes | None:
        """Claim a key; returns the stored answer if the call was made before.

        Waits while another call with the same key is at work.

        Raises:
            AlreadyExists: REQUEST_ID_REUSED: the key belongs to another request.
        """

    async def complete(self, key: RequestKey, answer: bytes) -> None:
        """Store the answer of a claimed key."""

    async def abandon(self, key: RequestKey) -> None:
        """Free a claimed key; the call failed and may be repeated."""


def idempotency_table(metadata: MetaData) -> Table:
    """Add the table of stored answers to a service's tables."""
    return Table(
        "idempotency_keys",
        metadata,
        Column("principal", String(160), primary_key=True),
        Column("method", String(160), primary_key=True),
        Column("request_id", String(36), primary_key=True),
        Column("fingerprint", String(64), nullable=False),
        Column("answer", LargeBinary, nullable=True),
        Column("create_time", UtcTimestamp, nullable=False, index=True),
    )


class SqlIdempotencyStore:
    """Keeps answers in the service's database."""

    def __init__(
        self,
        database: Database,
        table: Table,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._table = table
        self._now = now

    async def begin(self, key: RequestKey, fingerprint: str) -> bytes | None:
        """Claim a key; see `IdempotencyStore.begin`."""
        while not await self._claim(key, fingerprint):
            stored = await self._stored(key)
            if stored is None:
                continue
            stored_fingerprint, answer, create_time = stored
            if stored_fingerprint != fingerprint:
                raise request_id_reused(key)
            if answer is not None:
                return answer
            if create_time < self._now() - ABANDONED_AFTER:
                await self.abandon(key)
            else:
                await asyncio.sleep(_POLL_SECONDS)
        return None

    async def complete(self, key: RequestKey, answer: bytes) -> None:
        """Store the answer of a claimed key."""
        async with self._database.session() as session:
            await session.execute(update(self._table).where(self._is(key)).values(answer=answer))

    async def abandon(self, key: RequestKey) -> None:
        """Free a claimed key."""
        async with self._database.session() as session:
            await session.execute(delete(self._table).where(self._is(key)))

    async def _claim(self, key: RequestKey, fingerprint: str) -> bool:
        now = self._now()
        try:
            async with self._database.session() as session:
                await session.execute(
                    delete(self._table).where(self._table.c.create_time < now - RETENTION)
                )
                await session.execute(
                    insert(self._table).values(
                        principal=key.principal,
                        method=key.method,
                        request_id=key.request_id,
                        fingerprint=fingerprint,
                        create_time=now,
                    )
                )
        except IntegrityError:
            return False
        return True

    async def _stored(self, key: RequestKey) -> tuple[str, bytes | None, datetime] | None:
        columns = (self._table.c.fingerprint, self._table.c.answer, self._table.c.create_time)
        async with self._database.session() as session:
            row = (await session.execute(select(*columns).where(self._is(key)))).first()
        return None if row is None else (row[0], row[1], row[2])

    def _is(self, key: RequestKey):  # type: ignore[no-untyped-def]  # SQLAlchemy's own clause type
        columns = self._table.c
        return (
            (columns.principal == key.principal)
            & (columns.method == key.method)
            & (columns.request_id == key.request_id)
        )


def request_id_reused(key: RequestKey) -> AlreadyExists:
    """Return the error of an id that came with another request."""
    return AlreadyExists(
        key.request_id,
        message=f"request_id {key.request_id} was used for another request; make a new one",
        reason="REQUEST_ID_REUSED",
        metadata={"request_id": key.request_id},
    )
