"""One network's stream: messages go in, and are acknowledged once no crash can take them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hanami_sdk.bridge.configuration import Route
from hanami_sdk.bridge.errors import MessageUnreadable
from hanami_sdk.bridge.mapping import frame_of
from hanami_sdk.bridge.messages import Message, Tell
from hanami_sdk.errors import FrameRefused
from hanami_sdk.frames import Frame
from hanami_sdk.results import Result
from hanami_sdk.streams import LearnStream

# A message that is delivered again and again while the mesh is away: its broker is
# content with the acknowledgement of one of the last deliveries.
_MOST_DELIVERIES = 4


@dataclass
class Counts:
    """What has happened to messages.

    Attributes:
        learned: rows of them were learned and are durable.
        known: they had been learned before.
        again: they came again while they were under way.
        unreadable: they were not sent.
        refused: the network refused them.
    """

    learned: int = 0
    known: int = 0
    again: int = 0
    unreadable: int = 0
    refused: int = 0


@dataclass
class _Sent:
    """A message under way."""

    message_id: str
    deliveries: deque[Callable[[], Awaitable[None]]]
    answer: asyncio.Future[Result] | None = None


@dataclass
class Feed:
    """Sends messages into a stream and acknowledges them in order.

    Attributes:
        counts: what has happened.
    """

    route: Route
    stream: LearnStream
    tell: Tell
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._under_way: dict[str, _Sent] = {}
        self._room = asyncio.Semaphore(self.route.max_under_way)
        self._sent: asyncio.Queue[_Sent] = asyncio.Queue()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    @property
    def under_way(self) -> int:
        """Messages that are not yet durable."""
        return len(self._under_way)

    async def deliver(self, message: Message) -> None:
        """Send a message; waits while too many are under way."""
        try:
            frame = frame_of(message, self.route)
        except MessageUnreadable as error:
            self.counts.unreadable += 1
            self.tell(f"{self.route.network}: left out a message of {message.topic}: {error}")
            await message.acknowledge()
            return
        if (known := self._under_way.get(frame.message_id)) is not None:
            self.counts.again += 1
            known.deliveries.append(message.acknowledge)
            return
        sent = _Sent(frame.message_id, deque([message.acknowledge], _MOST_DELIVERIES))
        self._under_way[sent.message_id] = sent
        self._is_empty.clear()
        try:
            await self._send(sent, frame)
        except BaseException:
            self._forget(sent)
            raise

    async def acknowledge(self) -> None:
        """Acknowledge what is durable, for as long as the stream lives.

        Raises:
            HanamiError: the stream has ended.
        """
        while True:
            sent = await self._sent.get()
            if sent.answer is not None:
                await self._settle(sent.answer)
            for acknowledge in sent.deliveries:
                await acknowledge()
            self._forget(sent)
            self._room.release()

    async def emptied(self) -> None:
        """Wait until nothing is under way."""
        await self._is_empty.wait()

    async def _send(self, sent: _Sent, frame: Frame) -> None:
        await self._room.acquire()
        try:
            sent.answer = await self.stream.submit(
                frame.inputs,
                frame.labels,
                frame.targets,
                message_id=frame.message_id,
                event_times=frame.event_times,
            )
        except BaseException:
            self._room.release()
            raise
        self._sent.put_nowait(sent)

    async def _settle(self, answer: asyncio.Future[Result]) -> None:
        """Wait until what was answered is durable."""
        try:
            result = await answer
        except FrameRefused as error:
            # To deliver it again would change nothing.
            self.counts.refused += 1
            self.tell(f"{self.route.network}: refused a message: {error}")
            return
        await self.stream.durable(result.sequence)
        if result.is_duplicate:
            self.counts.known += 1
        else:
            self.counts.learned += 1

    def _forget(self, sent: _Sent) -> None:
        self._under_way.pop(sent.message_id, None)
        if not self._under_way:
            self._is_empty.set()
