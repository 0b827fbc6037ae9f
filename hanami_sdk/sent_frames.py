"""Frames that were sent: which wait for their answers, and which a crash could still take."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass

from hanami.kyouko.v1 import learning_service_pb2 as pb

from hanami_sdk.errors import DataLost
from hanami_sdk.results import Result

AnyFuture = asyncio.Future[Result] | ThreadFuture[Result]


@dataclass
class SentFrame:
    """A frame on its way.

    Attributes:
        rows: how many rows it is about.
        is_answered: whether its future has its answer.
    """

    message: pb.LearnFrame
    rows: int
    future: AnyFuture
    is_answered: bool = False

    @property
    def sequence(self) -> int:
        """Its place in the session."""
        return self.message.sequence


class SentFrames:
    """Keeps frames until they are answered and, in a session, durable.

    Args:
        in_session: whether answered frames are kept until no crash can take them.
    """

    def __init__(self, *, in_session: bool) -> None:
        self._in_session = in_session
        self._kept: deque[SentFrame] = deque()
        # In the order in which the server will answer.
        self._waiting: deque[SentFrame] = deque()

    @property
    def last_sequence(self) -> int:
        """The newest frame; 0 without any."""
        return self._kept[-1].sequence if self._kept else 0

    def add(self, frame: SentFrame) -> None:
        """Note a frame that is sent now."""
        self._kept.append(frame)
        self._waiting.append(frame)

    def answered(self, sequence: int) -> tuple[SentFrame, bool]:
        """Return the frame that an answer belongs to, and whether it had one before.

        Raises:
            DataLost: it is not the one whose turn it is.
        """
        if not self._waiting or self._waiting[0].sequence != sequence:
            raise DataLost(f"The server answered frame {sequence} out of order.")
        frame = self._waiting.popleft()
        was_answered, frame.is_answered = frame.is_answered, True
        if not self._in_session:
            self._kept.popleft()
        return frame, was_answered

    def durable(self, sequence: int) -> None:
        """Let go of frames that no crash can take any more."""
        while self._kept and self._kept[0].is_answered and self._kept[0].sequence <= sequence:
            self._kept.popleft()

    def to_send_again(self, last_sequence: int) -> list[SentFrame]:
        """Return, after a break, what the server does not have or has not answered."""
        again = [
            frame for frame in self._kept if not frame.is_answered or frame.sequence > last_sequence
        ]
        self._waiting = deque(again)
        return again

    def give_up(self) -> list[SentFrame]:
        """Forget all; returns those that wait for their answers."""
        waiting = [frame for frame in self._kept if not frame.is_answered]
        self._kept.clear()
        self._waiting.clear()
        return waiting
