"""Hands every sample to all who watch, at the pace of each."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from azuki.domain.measurements import Sample
from mesh.errors import ResourceExhausted, Unavailable


class Broadcast:
    """One writer, many readers, of which each name may have so many.

    A reader that falls behind holds up nobody: it keeps the latest `backlog`
    samples and loses older ones, which the samples' times show.
    """

    def __init__(self, *, max_readers_each: int, backlog: int = 32) -> None:
        self._max_readers_each = max_readers_each
        self._backlog = backlog
        self._readers: set[_Reader] = set()
        self._closed = False

    def send(self, sample: Sample) -> None:
        """Hand a sample to every reader; never waits."""
        for reader in self._readers:
            reader.samples.append(sample)
            reader.wake.set()

    def close(self) -> None:
        """End every reader's stream, those to come included."""
        self._closed = True
        for reader in self._readers:
            reader.wake.set()

    @property
    def reader_count(self) -> int:
        """How many read now."""
        return len(self._readers)

    async def samples(self, name: str) -> AsyncIterator[Sample]:
        """Yield the samples sent from now on.

        Args:
            name: Who reads.

        Raises:
            ResourceExhausted: LIMIT_REACHED: as many of that name read already.
            Unavailable: SHUTTING_DOWN, when the broadcast has been closed.
        """
        self._check_share(name)
        reader = _Reader(name, self._backlog)
        self._readers.add(reader)
        try:
            while not self._closed:
                while reader.samples:
                    yield reader.samples.popleft()
                reader.wake.clear()
                if not self._closed:
                    await reader.wake.wait()
            raise Unavailable(
                "azuki is stopping; watch again in a moment",
                reason="SHUTTING_DOWN",
                metadata={"service": "azuki"},
            )
        finally:
            self._readers.discard(reader)

    def _check_share(self, name: str) -> None:
        count = 1 + sum(reader.name == name for reader in self._readers)
        if count > self._max_readers_each:
            raise ResourceExhausted(
                f"{name} watches {self._max_readers_each} times already, which is the most "
                "that one may; end one first",
                reason="LIMIT_REACHED",
                metadata={"limit": str(self._max_readers_each), "actual": str(count)},
            )


class _Reader:
    def __init__(self, name: str, backlog: int) -> None:
        self.name = name
        self.samples: deque[Sample] = deque(maxlen=backlog)
        self.wake = asyncio.Event()
