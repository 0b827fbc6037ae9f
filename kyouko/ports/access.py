"""Who callers are, and what they may do at this moment."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from mesh.access import Caller, Principal

VerifyToken = Callable[[str], Awaitable[Principal]]
# Raises an error for a caller who was let in, and would not be let in any more.
CheckCaller = Callable[[Caller], None]


class Standings(Protocol):
    """What users and programs may do at this moment."""

    async def of(self, name: str) -> Principal:
        """Return somebody as they are now, by name.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is none, or they may do nothing any more.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
