"""Templates of users are read one at a time: reading is slow, and others work meanwhile."""

import asyncio

from kyouko.domain.template import NetworkTemplate
from kyouko.templates.reading import read_template
from mesh.errors import ResourceExhausted


class TemplateTurns:
    """Reads one template after the other, in a thread; few may wait."""

    def __init__(self, *, most_waiting: int = 16) -> None:
        self._most_waiting = most_waiting
        self._waiting = 0
        self._turn = asyncio.Lock()

    async def read(self, text: str) -> NetworkTemplate:
        """Read a template as `read_template` does.

        Raises:
            InvalidArgument: TEMPLATE_INVALID.
            ResourceExhausted: LIMIT_REACHED: too many templates wait already.
        """
        if self._waiting >= self._most_waiting:
            raise ResourceExhausted(
                f"{self._waiting} templates wait to be read; try again in a moment",
                reason="LIMIT_REACHED",
                metadata={"limit": str(self._most_waiting)},
            )
        self._waiting += 1
        try:
            async with self._turn:
                return await _read_to_the_end(text)
        finally:
            self._waiting -= 1


async def _read_to_the_end(text: str) -> NetworkTemplate:
    reading = asyncio.create_task(asyncio.to_thread(read_template, text))
    try:
        return await asyncio.shield(reading)
    finally:
        # A caller may leave; the thread cannot, and the turn is over when it is done.
        await asyncio.wait({reading})
