"""LearningService: reads and writes at the same time, and lets the stream do the rest."""

import asyncio
from typing import Any

import grpc
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import learning_service_pb2_grpc

from kyouko.convert.streams import event_message, frame_of, opened_message, opening_of, rows_in
from kyouko.domain.streams.protocol import out_of_turn
from kyouko.domain.streams.stream import LearnStream
from kyouko.domain.streams.streams import Opening, Streams
from mesh import validation
from mesh.calls import current_caller, current_note


class LearningServicer(learning_service_pb2_grpc.LearningServiceServicer):
    """Serves learning streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def Learn(  # type: ignore[override]  # the stub knows generators only
        self, request_iterator: Any, context: Any
    ) -> None:
        """Serve one stream. No generator: reading ahead needs `context.read`."""
        opening = _opening(await context.read())
        note = current_note()
        note.resource = opening.network
        async with self._streams.opened(current_caller(), opening) as stream:
            note.opened(opening.network)
            await context.write(opened_message(stream))
            reading = asyncio.create_task(_read(context, stream))
            try:
                await write(context, stream)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


def _opening(message: Any) -> Opening:
    kind = _kind_of(message)
    if kind != "open":
        raise out_of_turn("open", kind)
    validation.check(message.open, prefix="open.")
    return opening_of(message.open)


async def write(context: Any, stream: LearnStream) -> None:
    """Write what happens on a stream until it ends."""
    return_outputs = stream.terms.return_outputs
    note = current_note()
    async for events in stream.events():
        for event in events:
            note.row_count += rows_in(event)
            await context.write(event_message(event, return_outputs=return_outputs))


async def _read(context: Any, stream: LearnStream) -> None:
    try:
        more = True
        while more:
            await stream.room()
            more = await take(await context.read(), stream)
    except Exception as error:
        stream.break_off(error)


async def take(message: Any, stream: LearnStream) -> bool:
    """Hand a message to the stream; returns whether to read on."""
    kind = _kind_of(message)
    if kind == "frame":
        stream.offer(frame_of(message.frame, stream.terms))
    elif kind == "authentication":
        await stream.authenticate(message.authentication.access_token)
    elif kind == "close":
        stream.close()
    elif kind == "open":
        stream.open_again()
    elif kind == "the end":
        stream.hang_up()
    else:
        raise out_of_turn("frame, authentication or close", kind)
    return kind not in ("close", "the end")


def _kind_of(message: "pb.LearnRequest | Any") -> str:
    if message is grpc.aio.EOF:
        return "the end"
    return message.WhichOneof("message") or "nothing"
