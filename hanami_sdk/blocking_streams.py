"""A learning stream for ordinary code: `LearnStream` without `await`.

Frames are built in the calling thread and handed to the client's thread; that
costs some microseconds a frame, and no answer is waited for in between.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from hanami.kyouko.v1 import network_service_pb2
from numpy.typing import ArrayLike

from hanami_sdk.blocking import LoopThread
from hanami_sdk.exchange import Exchange
from hanami_sdk.frames import (
    DEFAULT_FRAME_ROWS,
    Frame,
    Labels,
    LateTargets,
    as_frame,
    row_count,
    split_rows,
)
from hanami_sdk.results import Result, Score
from hanami_sdk.streams import StreamView


class BlockingLearnStream(StreamView):
    """A stream of rows into one network; made by `Client.learn`.

    Use it as a context manager: leaving it in good order closes the stream,
    which waits until no crash can take what was learned.
    """

    def __init__(self, exchange: Exchange, thread: LoopThread) -> None:
        super().__init__(exchange)
        self._thread = thread
        self._outstanding_rows = 0
        self._room = threading.Condition()

    def submit(
        self,
        inputs: ArrayLike,
        labels: Labels | None = None,
        targets: ArrayLike | None = None,
        *,
        message_id: str = "",
        event_times: ArrayLike | None = None,
    ) -> Future[Result]:
        """Send a frame without waiting for its answer, only for room in the window.

        A message of the source that has a `message_id` and is delivered again is not
        learned again.

        Returns:
            A future of the answer. It raises FrameRefused if the frame cannot be
            learned; the stream lives on.
        """
        return self._submit(Frame(inputs, labels, targets, message_id, event_times))

    def submit_targets(
        self, sequence: int, labels: Labels | None = None, targets: ArrayLike | None = None
    ) -> Future[Result]:
        """Send the labels or targets of a frame that was sent before without any.

        That frame's result told its `sequence`. The stream has to be opened with
        `label_horizon_rows`.
        """
        return self._submit(LateTargets(sequence, labels, targets))

    def durable(self, sequence: int | None = None) -> None:
        """Wait until no crash can take a frame, and all before it; without one, all sent so far."""
        self._thread.run(self._exchange.wait_until_durable(sequence))

    def _submit(self, frame: Frame | LateTargets) -> Future[Result]:
        message = self._exchange.prepare(frame)
        rows = row_count(message)
        limit = self.max_outstanding_rows
        with self._room:
            self._room.wait_for(lambda: not limit or self._outstanding_rows + rows <= limit)
            self._outstanding_rows += rows
        future: Future[Result] = Future()
        future.add_done_callback(lambda _: self._release(rows))
        self._thread.loop.call_soon_threadsafe(self._exchange.post, message, future)
        return future

    def send(
        self,
        inputs: ArrayLike,
        labels: Labels | None = None,
        targets: ArrayLike | None = None,
        *,
        event_times: ArrayLike | None = None,
    ) -> Result:
        """Send a frame and wait for its answer.

        Raises:
            FrameRefused: the frame cannot be learned; the stream lives on.
        """
        return self.submit(inputs, labels, targets, event_times=event_times).result()

    def results(self, frames: Iterable[Frame | ArrayLike]) -> Iterator[Result]:
        """Send frames ahead and yield their answers in order.

        An answer is yielded as soon as the next frame is on its way; where frames
        come slowly and every answer is wanted at once, use `send`.

        Raises:
            FrameRefused: a frame cannot be learned. The frames before it are
                answered, those after it may have been learned.
        """
        under_way: deque[Future[Result]] = deque()
        for item in frames:
            frame = as_frame(item)
            under_way.append(self._submit(frame))
            while under_way and under_way[0].done():
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()

    def learn_rows(
        self,
        inputs: ArrayLike,
        labels: Labels | None = None,
        targets: ArrayLike | None = None,
        *,
        event_times: ArrayLike | None = None,
        frame_rows: int = DEFAULT_FRAME_ROWS,
        progress: Callable[[Score], None] | None = None,
    ) -> Score:
        """Learn long arrays row by row and return how well they were predicted."""
        score = Score()
        frames = split_rows(inputs, labels, targets, event_times=event_times, frame_rows=frame_rows)
        for result in self.results(frames):
            score.add(result)
            if progress is not None:
                progress(score)
        return score

    def close(self) -> network_service_pb2.Network:
        """Close the stream and return the network with all that it was taught.

        Waits until everything sent is learned and no crash can take it.
        """
        return self._thread.run(self._exchange.close())

    def cancel(self) -> None:
        """Drop the stream at once; what was sent may or may not be learned."""
        self._thread.run(self._exchange.cancel())

    def __enter__(self) -> Self:
        """Open the stream."""
        self._thread.run(self._exchange.open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close in good order, or drop the stream when an exception passes by."""
        self._thread.run(self._exchange.leave(in_good_order=kind is None))

    def _release(self, rows: int) -> None:
        with self._room:
            self._outstanding_rows -= rows
            self._room.notify_all()
