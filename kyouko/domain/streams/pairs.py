"""Streams in two halves: answers leave by one call, messages come by many others.

The calls may overtake one another and may be repeated; a `Pair` puts their
messages in order and takes each once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from kyouko.domain.streams.stream import LearnStream
from kyouko.ports import NewId
from mesh.access import Caller, Principal
from mesh.errors import DeadlineExceeded, NotFound, ResourceExhausted

# Messages that may wait for their turn or for room.
_MOST_WAITING: Final = 64


class Pair:
    """The sending half of a stream.

    Attributes:
        stream_id: by which its calls find it; unguessable.
        last_number: of the last message that was taken.
        is_closed: whether the last message was the stream's last word.
    """

    def __init__(self, stream_id: str, owner: Principal, stream: LearnStream) -> None:
        self.stream_id = stream_id
        self._owner = owner
        self.stream = stream
        self.last_number = 0
        self.is_closed = False
        self.is_over = False
        self._changed = asyncio.Event()
        self._taking = asyncio.Lock()
        self._waiting: list[int] = []
        self._touched = asyncio.get_running_loop().time()

    @asynccontextmanager
    async def turn(self, number: int, byte_count: int) -> AsyncIterator[bool]:
        """Wait for the turn of a message and for room in the window.

        Yields whether the message is new; a new one counts as taken unless the
        block fails.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: the stream has ended.
            ResourceExhausted: LIMIT_REACHED: too much waits already.
        """
        with self._place(number, byte_count):
            await self._until(lambda: number <= self.last_number + 1)
            async with self._taking:
                is_new = number > self.last_number
                if is_new:
                    await self._unless_over(self.stream.room)
                yield is_new
                if is_new:
                    self.last_number = number
                    self._tell()

    def belongs_to(self, principal: Principal) -> bool:
        """Tell whether somebody may send: who opened the stream, with the same scope."""
        return principal.is_same_as(self._owner) and principal.scope == self._owner.scope

    def end(self) -> None:
        """Let everybody go who still waits."""
        self.is_over = True
        self._tell()

    def idle_seconds(self) -> float:
        """Return for how long nothing has been sent."""
        return 0.0 if self._waiting else asyncio.get_running_loop().time() - self._touched

    @contextmanager
    def _place(self, number: int, byte_count: int) -> Iterator[None]:
        limit = self.stream.terms.window_bytes
        is_early = number > self.last_number + _MOST_WAITING
        is_full = bool(self._waiting) and sum(self._waiting) + byte_count > limit
        if is_early or is_full or len(self._waiting) >= _MOST_WAITING:
            raise _too_much_waits(limit)
        self._waiting.append(byte_count)
        try:
            yield
        finally:
            self._waiting.remove(byte_count)
            self._touched = asyncio.get_running_loop().time()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, is_time: Callable[[], bool]) -> None:
        while not self.is_over and not is_time():
            await self._changed.wait()
        if self.is_over:
            raise stream_not_found(self.stream_id)

    async def _unless_over(self, wait: Callable[[], Awaitable[None]]) -> None:
        waiting = asyncio.ensure_future(wait())
        try:
            while not waiting.done():
                if self.is_over:
                    raise stream_not_found(self.stream_id)
                change = asyncio.ensure_future(self._changed.wait())
                try:
                    await asyncio.wait((waiting, change), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
            await waiting
        finally:
            waiting.cancel()


class Pairs:
    """All streams in two halves."""

    def __init__(self, *, new_id: NewId, idle_seconds: float) -> None:
        """Take the parts.

        Args:
            new_id: Makes ids that nobody can guess.
            idle_seconds: How long nothing may be sent before a stream ends.
        """
        self._new_id = new_id
        self._idle_seconds = idle_seconds
        self._pairs: dict[str, Pair] = {}

    @asynccontextmanager
    async def paired(self, caller: Caller, stream: LearnStream) -> AsyncIterator[Pair]:
        """Let messages for a stream come by other calls, as long as the context lasts."""
        pair = Pair(self._new_id(), caller.principal, stream)
        self._pairs[pair.stream_id] = pair
        watching = asyncio.create_task(self._watch(pair))
        try:
            yield pair
        finally:
            watching.cancel()
            del self._pairs[pair.stream_id]
            pair.end()

    def find(self, caller: Caller, stream_id: str) -> Pair:
        """Return the caller's stream of an id.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: it has ended, never was, or is somebody else's.
        """
        pair = self._pairs.get(stream_id)
        if pair is None or not pair.belongs_to(caller.principal):
            raise stream_not_found(stream_id)
        return pair

    async def _watch(self, pair: Pair) -> None:
        left = self._idle_seconds
        while left > 0:
            await asyncio.sleep(left)
            left = self._idle_seconds - pair.idle_seconds()
        pair.stream.break_off(_too_quiet(self._idle_seconds))


def stream_not_found(stream_id: str) -> NotFound:
    """Return the error of a stream that does not exist (any more)."""
    return NotFound(f"learning stream {stream_id}")


def _too_much_waits(limit: int) -> ResourceExhausted:
    return ResourceExhausted(
        f"too much waits for this stream: {_MOST_WAITING} messages of {limit} bytes together are "
        "the most; wait for answers",
        reason="LIMIT_REACHED",
        metadata={"limit": str(_MOST_WAITING), "limit_bytes": str(limit)},
    )


def _too_quiet(seconds: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"nothing was sent on this stream for {seconds:g} seconds; open another one",
        reason="DEADLINE_EXCEEDED",
        metadata={"timeout_seconds": f"{seconds:g}"},
    )
