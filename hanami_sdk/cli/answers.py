"""Batches of rows through a stream, and what came of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.row_batches import RowBatch

if TYPE_CHECKING:
    from hanami_sdk.blocking_streams import BlockingLearnStream
    from hanami_sdk.results import Result


def exchange(
    stream: BlockingLearnStream,
    source: Iterator[RowBatch | None],
    before: Callable[[RowBatch], None] | None = None,
) -> Iterator[tuple[RowBatch, Result]]:
    """Send batches ahead and yield the answers, all of them whenever the source pauses.

    Args:
        stream: the stream.
        source: batches; `None` whenever it pauses.
        before: is told of each batch before it is sent.
    """
    under_way: deque[tuple[RowBatch, Future[Result]]] = deque()

    def take() -> tuple[RowBatch, Result]:
        batch, answer = under_way.popleft()
        return batch, _answer(batch, answer)

    for batch in source:
        if batch is None:
            while under_way:
                yield take()
            continue
        if before is not None:
            before(batch)
        under_way.append(
            (
                batch,
                stream.submit(
                    batch.inputs, batch.labels, batch.targets, event_times=batch.event_times
                ),
            )
        )
        while under_way and under_way[0][1].done():
            yield take()
    while under_way:
        yield take()


def _answer(batch: RowBatch, answer: Future[Result]) -> Result:
    from hanami_sdk.cli.wording import sentence
    from hanami_sdk.errors import FrameRefused

    try:
        return answer.result()
    except FrameRefused as error:
        first, last = batch.rows[0].line, batch.rows[-1].line
        where = f"Lines {first} to {last}" if first < last else f"Line {first}"
        if error.row is not None and error.row < len(batch.rows):
            where = f"Line {batch.rows[error.row].line}"
        raise CommandFailure(f"{where}: {sentence(error)}") from error
