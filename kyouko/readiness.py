"""Tells on demand whether kyouko has all it needs; `mesh.health` tells it by itself."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from mesh.health import Dependency

# Anybody may ask, so the answer of a moment ago has to do.
_FRESH_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 2.0


class Readiness:
    """Checks the required ones of some dependencies, once a second at most."""

    def __init__(self, dependencies: Sequence[Dependency]) -> None:
        self._required = [dependency for dependency in dependencies if dependency.required]
        self._checking = asyncio.Lock()
        self._is_ready = False
        self._fresh_until = 0.0

    async def is_ready(self) -> bool:
        """Return whether all of them are there."""
        async with self._checking:
            if time.monotonic() >= self._fresh_until:
                found = await asyncio.gather(*map(_is_there, self._required))
                self._is_ready = all(found)
                self._fresh_until = time.monotonic() + _FRESH_SECONDS
            return self._is_ready


async def _is_there(dependency: Dependency) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await dependency.check()
    except Exception:
        # What is wrong with it is logged by the health monitor, which asks all the time.
        return False
    return True
