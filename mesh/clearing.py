"""Removes what belongs to projects that have been deleted.

misaki tells which projects are gone (see `mesh.access_feed`): each one as it goes, and all that
ever went whenever a service begins to listen. So nothing is missed by who was away, and to
remove again what has been removed does nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Set

import structlog

from mesh.access_state import AccessState

_log = structlog.get_logger(__name__)
# After a failure; and for what came in while a project was being deleted.
_AGAIN_SECONDS = 5.0
_REGULARLY_SECONDS = 60.0


class Clearing:
    """Clears deleted projects out of one service."""

    def __init__(
        self,
        access: AccessState,
        *,
        projects: Callable[[], Awaitable[Set[str]]],
        clear: Callable[[str], Awaitable[None]],
        again_seconds: float = _AGAIN_SECONDS,
    ) -> None:
        """Take the parts.

        Args:
            access: Knows which projects are gone.
            projects: Returns the projects that have anything here.
            clear: Removes all that a project has here.
            again_seconds: How long to wait after a failure.
        """
        self._access = access
        self._projects = projects
        self._clear = clear
        self._again_seconds = again_seconds

    async def run(self) -> None:
        """Clear until cancelled."""
        changed = asyncio.Event()
        with self._access.listening(changed.set):
            while True:
                changed.clear()
                pause = _REGULARLY_SECONDS if await self.clear_all() else self._again_seconds
                try:
                    async with asyncio.timeout(pause):
                        await changed.wait()
                except TimeoutError:
                    continue

    async def clear_all(self) -> bool:
        """Clear every project that is gone; returns whether nothing of them is left."""
        try:
            return await self._clear_known()
        except Exception as error:  # Whatever it is: it is tried again.
            _log.warning("deleted projects cannot be cleared away yet", error=repr(error))
            return False

    async def _clear_known(self) -> bool:
        deleted = self._access.deleted_projects
        if not deleted:
            return True
        is_clear = True
        for project_id in sorted(deleted & await self._projects()):
            try:
                await self._clear(project_id)
                _log.info("deleted project cleared away", project=project_id)
            except Exception as error:  # The other projects go on being cleared.
                _log.exception("cannot clear a project", project=project_id, error=repr(error))
                is_clear = False
        return is_clear
