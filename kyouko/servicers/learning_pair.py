"""LearningService for clients that cannot send streams: one call that answers, many that send."""

from typing import Any

from hanami.kyouko.v1 import learning_service_pb2 as pb

from kyouko.convert.streams import opened_message, opening_of
from kyouko.domain.streams.pairs import Pair, Pairs
from kyouko.domain.streams.protocol import out_of_turn
from kyouko.domain.streams.streams import Streams
from kyouko.servicers.learning import LearningServicer, take, write
from mesh.calls import current_caller, current_note


class PairedLearningServicer(LearningServicer):
    """Serves learning streams, in one piece and in two halves."""

    def __init__(self, streams: Streams, pairs: Pairs) -> None:
        super().__init__(streams)
        self._pairs = pairs

    async def OpenLearning(  # type: ignore[override]  # the stub knows generators only
        self, request: pb.OpenLearningRequest, context: Any
    ) -> None:
        """Serve the half that answers."""
        caller = current_caller()
        async with (
            self._streams.opened(caller, opening_of(request.open)) as stream,
            self._pairs.paired(caller, stream) as pair,
        ):
            current_note().opened(request.open.network)
            message = opened_message(stream)
            message.opened.stream_id = pair.stream_id
            await context.write(message)
            await write(context, stream)

    async def SendLearning(
        self, request: pb.SendLearningRequest, context: Any
    ) -> pb.SendLearningResponse:
        """Take one message."""
        pair = self._pairs.find(current_caller(), request.stream_id)
        async with pair.turn(request.number, request.ByteSize()) as is_new:
            if is_new:
                await _take(request.message, pair)
        return pb.SendLearningResponse(last_number=pair.last_number)


async def _take(message: pb.LearnRequest, pair: Pair) -> None:
    if pair.is_closed:
        # The stream goes on to its good end.
        raise out_of_turn("nothing after close", message.WhichOneof("message") or "nothing")
    try:
        pair.is_closed = not await take(message, pair.stream)
    except Exception as error:
        pair.stream.break_off(error)
        raise
