"""The audit log: takes entries of services, and lets people read what they may."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from mesh.access import Caller
from mesh.errors import Unavailable
from mesh.pages import Page, page_of, page_request
from shiori.domain.logs.records import AuditEntry, EntryFilter, Position, Retention
from shiori.domain.logs.sight import position_in, sight_of, since_birth
from shiori.domain.turns import Turns
from shiori.ports import AuditRepository, Clock

# So many entries are read for a watch at a time.
_WATCH_ENTRIES = 500


class AuditLog:
    """Who did what, on what, from where, and how it ended."""

    def __init__(
        self,
        repository: AuditRepository,
        *,
        clock: Clock,
        retention: Retention,
        max_watches: int,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._retention = retention
        self._watches = Turns(max_watches, what="watches of the audit log")
        self._storing = asyncio.Lock()
        self._arrived = asyncio.Event()
        self._closed = False

    async def record(self, service: str, entries: Sequence[AuditEntry]) -> None:
        """Store entries of a service; those that are there already are left alone.

        Args:
            service: Who wrote them, whatever they say themselves.
            entries: What it wrote.
        """
        # One after the other: a watch would miss a sequence that shows up after a higher one.
        async with self._storing:
            await self._repository.add([replace(entry, service=service) for entry in entries])
        self._wake()

    async def list(
        self, caller: Caller, wanted: EntryFilter, *, page_size: int, page_token: str
    ) -> Page[AuditEntry]:
        """Return a page of entries, newest first.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: the project is none of the caller's.
            PermissionDenied: ROLE_INSUFFICIENT: somebody else's entries.
            InvalidArgument: PAGE_TOKEN_INVALID.
        """
        own = sight_of(caller, user=wanted.user, project_id=wanted.project_id)
        wanted = since_birth(caller, wanted, own=own)
        listing = f"audit {caller.principal.name} {wanted}"
        request = page_request(page_size, page_token, listing=listing)
        found = await self._repository.newest(
            wanted, own=own, after=position_in(request), limit=request.limit + 1
        )
        return page_of(request, found, lambda entry: str(Position(entry.time, entry.entry_id)))

    async def watch(
        self, caller: Caller, wanted: EntryFilter, *, after: int | None
    ) -> AsyncGenerator[AuditEntry, None]:
        """Yield entries in the order in which they arrive.

        Args:
            caller: Who watches.
            wanted: Which entries.
            after: The sequence of the last entry known; None for those to come.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: the project is none of the caller's.
            PermissionDenied: ROLE_INSUFFICIENT: somebody else's entries.
            ResourceExhausted: LIMIT_REACHED: the caller watches too often.
            Unavailable: SHUTTING_DOWN.
        """
        own = sight_of(caller, user=wanted.user, project_id=wanted.project_id)
        wanted = since_birth(caller, wanted, own=own)
        with self._watches.taken(caller.principal):
            position = await self._repository.last_sequence() if after is None else after
            while not self._closed:
                arrived = self._arrived
                newest = await self._repository.last_sequence()
                found = await self._repository.arrived(
                    wanted, own=own, after=position, until=newest, limit=_WATCH_ENTRIES
                )
                for entry in found:
                    yield entry
                if len(found) == _WATCH_ENTRIES:
                    position = found[-1].sequence
                    continue
                position = max(position, newest)
                await arrived.wait()
        raise Unavailable(
            "shiori is stopping; watch again after the last sequence",
            reason="SHUTTING_DOWN",
            metadata={"service": "shiori"},
        )

    async def sweep(self) -> int:
        """Remove what is too old, and the oldest of what is too much.

        Returns:
            The number of entries removed.
        """
        old = await self._repository.remove_before(self._clock() - self._retention.age)
        return old + await self._repository.remove_oldest(self._retention.max_bytes)

    def close(self) -> None:
        """End all watches."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = asyncio.Event()
