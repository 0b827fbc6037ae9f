"""Replay: hands out rows at the pace at which they were measured, or faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from hanami_sdk.cli.csv_rows import Row
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure

# Numbers are seconds since 1970 below the first bound, then milli-, micro-, nanoseconds.
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))


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


def parse_time(text: str) -> float:
    """Return seconds since 1970 of a number or an ISO 8601 time; UTC where it names no zone.

    Raises:
        ValueError: it is neither.
    """
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(number):
        raise ValueError(text)
    return number / next(unit for bound, unit in _UNITS if abs(number) < bound)


def paced(
    rows: Iterable[Row],
    pace: float,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Row]:
    """Yield each row when its time has come; one that is older than the last comes at once.

    Raises:
        CommandFailure: a row has no readable time.
    """
    if math.isinf(pace):
        yield from rows
        return
    began: tuple[float, float] | None = None
    for row in rows:
        try:
            measured = parse_time(row.time)
        except ValueError:
            raise CommandFailure(
                f"Line {row.line}: {row.time[:40]!r} is no time.",
                hint="Times are ISO 8601, or seconds, milli-, micro- or nanoseconds since 1970.",
            ) from None
        now = clock()
        due = now if began is None else began[1] + (measured - began[0]) / pace
        if began is None or measured < began[0]:
            began = (measured, now)
        elif due > now:
            sleep(due - now)
        yield row
