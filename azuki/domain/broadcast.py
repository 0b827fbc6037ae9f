"""Hands every sample to all who watch, at the pace of each."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from azuki.domain.measurements import Sample
from mesh.errors import Unavailable


class Broadcast:
    """One writer, any number of readers.

    A reader that falls behind holds up nobody: it keeps the latest `backlog`
    samples and loses older ones, which the samples' times show.
    """

    def __init__(self, *, backlog: int = 32) -> None:
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

    async def samples(self) -> AsyncIterator[Sample]:
        """Yield the samples sent from now on.

        Raises:
            Unavailable: SHUTTING_DOWN, when the broadcast has been closed.
        """
        reader = _Reader(self._backlog)
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


class _Reader:
    def __init__(self, backlog: int) -> None:
        self.samples: deque[Sample] = deque(maxlen=backlog)
        self.wake = asyncio.Event()
