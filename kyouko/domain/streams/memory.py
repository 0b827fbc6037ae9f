"""Memory for the rows under way of all streams together."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext


class StreamMemory:
    """Counts bytes against a bound; for the event loop alone.

    While the bound is reached, only streams that hold nothing may take more: those that hold
    much are held up, and none stands still for ever.
    """

    def __init__(self, most_bytes: int, *, within: "StreamMemory | None" = None) -> None:
        """Take the bound; with `within` this is a part of another one, and counts there too."""
        self._most_bytes = most_bytes
        self._within = within
        self._waiting: set[asyncio.Event] = set()
        self.taken_bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether the bound is not reached, nor that of the whole."""
        has_own = self.taken_bytes < self._most_bytes
        return has_own and (self._within is None or self._within.has_room)

    @contextmanager
    def watched(self, event: asyncio.Event) -> Iterator[None]:
        """Set an event when there is room again."""
        self._waiting.add(event)
        try:
            with nullcontext() if self._within is None else self._within.watched(event):
                yield
        finally:
            self._waiting.discard(event)

    def add(self, byte_count: int) -> None:
        """Count bytes, or fewer of them."""
        if self._within is not None:
            self._within.add(byte_count)
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
