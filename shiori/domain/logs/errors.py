"""The error log: what went wrong inside the services, by incident."""

from collections.abc import Sequence
from dataclasses import replace

from mesh.access import Caller, Role
from mesh.errors import NotFound
from mesh.pages import Page, page_of, page_request
from shiori.domain.logs.records import ErrorFilter, ErrorRecord, Position, Retention
from shiori.domain.logs.sight import born_at, position_in, runs_installation, sight_of, since_birth
from shiori.ports import Clock, ErrorRepository

# Stack traces are long, and a page has to stay far below the largest message.
_MAX_PAGE_SIZE = 100


class ErrorLog:
    """Errors that services logged."""

    def __init__(self, repository: ErrorRepository, *, clock: Clock, retention: Retention) -> None:
        self._repository = repository
        self._clock = clock
        self._retention = retention

    async def record(self, service: str, errors: Sequence[ErrorRecord]) -> None:
        """Store records of a service; those that are there already are left alone."""
        await self._repository.add([replace(error, service=service) for error in errors])

    async def get(self, caller: Caller, incident: str) -> ErrorRecord:
        """Return one record, as much of it as the caller may see.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for those who may not know of it.
        """
        found = await self._repository.get(incident)
        if found is None or not _may_see(caller, found):
            raise NotFound(f"errorRecords/{incident}")
        return _shown(caller, found)

    async def list(
        self, caller: Caller, wanted: ErrorFilter, *, page_size: int, page_token: str
    ) -> Page[ErrorRecord]:
        """Return a page of records, newest first, as much of them as the caller may see.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: the project is none of the caller's.
            PermissionDenied: ROLE_INSUFFICIENT: somebody else's records.
            InvalidArgument: PAGE_TOKEN_INVALID.
        """
        own = sight_of(caller, user=wanted.user, project_id=wanted.project_id)
        wanted = since_birth(caller, wanted, own=own)
        listing = f"errors {caller.principal.name} {wanted}"
        request = page_request(page_size, page_token, listing=listing)
        request = replace(request, limit=min(request.limit, _MAX_PAGE_SIZE))
        found = await self._repository.newest(
            wanted, own=own, after=position_in(request), limit=request.limit + 1
        )
        shown = [_shown(caller, record) for record in found]
        return page_of(request, shown, lambda record: str(Position(record.time, record.incident)))

    async def sweep(self) -> int:
        """Remove what is too old, and the oldest of what is too much.

        Returns:
            The number of records removed.
        """
        old = await self._repository.remove_before(self._clock() - self._retention.age)
        return old + await self._repository.remove_oldest(self._retention.max_bytes)


def _may_see(caller: Caller, record: ErrorRecord) -> bool:
    principal = caller.principal
    born = born_at(principal)
    own = bool(record.principal) and record.principal == principal.name
    own = own and (born is None or record.time >= born)
    manages = bool(record.project_id) and Role.PROJECT_ADMIN in principal.roles_in(
        record.project_id
    )
    return runs_installation(caller) or own or manages


def _shown(caller: Caller, record: ErrorRecord) -> ErrorRecord:
    return record if runs_installation(caller) else record.without_details()
