"""Memory for the rows under way of all streams together."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class StreamMemory:
    """Counts bytes against a bound; for the event loop alone.

    While the bound is reached, only streams that hold nothing may take more: those that hold
    much are held up, and none stands still for ever.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._waiting: set[asyncio.Event] = set()
        self.taken_bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether the bound is not reached."""
        return self.taken_bytes < self._most_bytes

    @contextmanager
    def watched(self, event: asyncio.Event) -> Iterator[None]:
        """Set an event when there is room again."""
        self._waiting.add(event)
        try:
            yield
        finally:
            self._waiting.discard(event)

    def add(self, byte_count: int) -> None:
        """Count bytes, or fewer of them."""
        was_full = not self.has_room
        self.taken_bytes += byte_count
        if was_full and self.has_room:
            for event in self._waiting:
                event.set()


class Share:
    """What one stream holds."""

    def __init__(self, memory: StreamMemory) -> None:
        self._memory = memory
        self._held_bytes = 0
        self._is_closed = False

    @property
    def may_grow(self) -> bool:
        """Whether the stream may take another frame."""
        return self._held_bytes == 0 or self._memory.has_room

    def add(self, byte_count: int) -> None:
        """Count bytes that came, or negative ones that went."""
        if not self._is_closed:
            self._held_bytes += byte_count
            self._memory.add(byte_count)

    def close(self) -> None:
        """Give all back, for good."""
        self.add(-self._held_bytes)
        self._is_closed = True

    async def changed(self, event: asyncio.Event) -> None:
        """Wait for an event, which is set as well when there is room again."""
        with self._memory.watched(event):
            await event.wait()
