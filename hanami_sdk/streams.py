"""A learning stream: rows in, predictions and scores out, over one living call.

`LearnStream` is the asynchronous one; `hanami_sdk.blocking_streams` has its twin
without `await`. Frames are pipelined: several are under way at once, as many
rows as the server grants.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Self

from hanami.kyouko.v1 import network_service_pb2
from numpy.typing import ArrayLike

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

# Answers that `results` keeps for a slow consumer before it stops sending.
_MOST_ANSWERS_WAITING = 256


class StreamView:
    """What is known about a stream, to asynchronous and blocking callers alike."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def network(self) -> network_service_pb2.Network:
        """The network as the stream found it; after `close`, as it left it."""
        return self._exchange.network

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels known so far, in the order of the outputs (classes)."""
        return self._exchange.labels

    @property
    def max_outstanding_rows(self) -> int:
        """The most rows that may be under way unanswered, as the server granted."""
        return self._exchange.max_outstanding_rows

    @property
    def max_frame_rows(self) -> int:
        """The most rows in one frame."""
        return self._exchange.max_frame_rows

    @property
    def outstanding_rows(self) -> int:
        """Rows that are under way unanswered."""
        return self._exchange.outstanding_rows

    @property
    def learned_rows(self) -> int:
        """Rows that the network has learned in its life."""
        return self._exchange.learned_rows

    @property
    def kept_rows(self) -> int:
        """Of the learned rows, those that no crash can take."""
        return self._exchange.kept_rows

    @property
    def last_sequence(self) -> int:
        """The newest frame of the session."""
        return self._exchange.last_sequence

    @property
    def durable_sequence(self) -> int:
        """The last frame of the session that no crash can take."""
        return self._exchange.durable_sequence

    @property
    def resume_token(self) -> str:
        """Names the session, for another stream to go on with it; keep it like a password."""
        return self._exchange.resume_token

    @property
    def breaks(self) -> int:
        """How often the stream was lost and opened again."""
        return self._exchange.breaks


class LearnStream(StreamView):
    """A stream of rows into one network; made by `AsyncClient.learn`.

    Use it as an asynchronous context manager: leaving it in good order closes
    the stream, which waits until no crash can take what was learned.
    """

    async def submit(
        self,
        inputs: ArrayLike,
        labels: Labels | None = None,
        targets: ArrayLike | None = None,
        *,
        message_id: str = "",
        event_times: ArrayLike | None = None,
    ) -> asyncio.Future[Result]:
        """Send a frame without waiting for its answer, only for room in the window.

        A message of the source that has a `message_id` and is delivered again is not
        learned again.

        Returns:
            A future of the answer. It raises FrameRefused if the frame cannot be
            learned; the stream lives on.
        """
        return await self._submit(Frame(inputs, labels, targets, message_id, event_times))

    async def submit_targets(
        self, sequence: int, labels: Labels | None = None, targets: ArrayLike | None = None
    ) -> asyncio.Future[Result]:
        """Send the labels or targets of a frame that was sent before without any.

        That frame's result told its `sequence`. The stream has to be opened with
        `label_horizon_rows`.
        """
        return await self._submit(LateTargets(sequence, labels, targets))

    async def durable(self, sequence: int | None = None) -> None:
        """Wait until no crash can take a frame, and all before it; without one, all sent so far."""
        await self._exchange.wait_until_durable(sequence)

    async def _submit(self, frame: Frame | LateTargets) -> asyncio.Future[Result]:
        message = self._exchange.prepare(frame)
        await self._exchange.wait_for_room(row_count(message))
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._exchange.post(message, future)
        return future

    async def send(
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
        return await (await self.submit(inputs, labels, targets, event_times=event_times))

    async def results(
        self, frames: Iterable[Frame | ArrayLike] | AsyncIterable[Frame | ArrayLike]
    ) -> AsyncIterator[Result]:
        """Send frames ahead and yield their answers in order.

        Raises:
            FrameRefused: a frame cannot be learned. The frames before it are
                answered, those after it may have been learned.
        """
        answers: asyncio.Queue[asyncio.Future[Result] | Exception | None]
        answers = asyncio.Queue(maxsize=_MOST_ANSWERS_WAITING)
        feeder = asyncio.create_task(self._feed(frames, answers))
        try:
            while (answer := await answers.get()) is not None:
                if isinstance(answer, Exception):
                    raise answer
                yield await answer
        finally:
            feeder.cancel()
            while not answers.empty():
                if isinstance(left := answers.get_nowait(), asyncio.Future):
                    left.cancel()

    async def learn_rows(
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
        async for result in self.results(frames):
            score.add(result)
            if progress is not None:
                progress(score)
        return score

    async def close(self) -> network_service_pb2.Network:
        """Close the stream and return the network with all that it was taught.

        Waits until everything sent is learned and no crash can take it.
        """
        return await self._exchange.close()

    async def cancel(self) -> None:
        """Drop the stream at once; what was sent may or may not be learned."""
        await self._exchange.cancel()

    async def __aenter__(self) -> Self:
        """Open the stream.

        Raises:
            NotFound: there is no such network (RESOURCE_NOT_FOUND).
        """
        await self._exchange.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close in good order, or drop the stream when an exception passes by."""
        await self._exchange.leave(in_good_order=kind is None)

    async def _feed(
        self,
        frames: Iterable[Frame | ArrayLike] | AsyncIterable[Frame | ArrayLike],
        answers: asyncio.Queue[asyncio.Future[Result] | Exception | None],
    ) -> None:
        try:
            async for item in _iterate(frames):
                frame = as_frame(item)
                await answers.put(await self._submit(frame))
        except Exception as error:
            await answers.put(error)
        else:
            await answers.put(None)


async def _iterate(
    items: Iterable[Frame | ArrayLike] | AsyncIterable[Frame | ArrayLike],
) -> AsyncIterator[Frame | ArrayLike]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
