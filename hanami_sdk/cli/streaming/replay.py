"""Replay: hands out rows at the pace at which they were measured, or faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.row_batches import Row


def parse_pace(text: str) -> float:
    """Return how many times faster than real time; infinite for `max`.

    Raises:
        CommandFailure: it is no such pace.
    """
    if text == "max":
        return math.inf
    try:
        pace = float(text.removesuffix("x"))
    except ValueError:
        pace = math.nan
    if not (pace > 0 and math.isfinite(pace)):
        raise CommandFailure(
            f"{text!r} is no pace; say 1x, 10x or max.", exit_code=EXIT_USAGE
        ) from None
    return pace


def paced(
    rows: Iterable[Row],
    pace: float,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Row]:
    """Yield each row when its time has come; one that is older than the last comes at once."""
    if math.isinf(pace):
        yield from rows
        return
    began: tuple[float, float] | None = None
    for row in rows:
        measured = (row.nanoseconds or 0) / 1e9
        now = clock()
        due = now if began is None else began[1] + (measured - began[0]) / pace
        if began is None or measured < began[0]:
            began = (measured, now)
        elif due > now:
            sleep(due - now)
        yield row
