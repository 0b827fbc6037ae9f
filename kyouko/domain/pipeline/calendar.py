"""Times as numbers that a network can learn from: the phase of the day, the week and the year."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from kyouko.domain.pipeline.options import Calendar

__all__ = ["CalendarColumns", "find_time_zone"]

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

_NANOSECONDS: Final = 1_000_000_000
_DAY: Final = 86_400
_WEEK: Final = 7 * _DAY
# 1970-01-01 was a Thursday; weeks begin on Monday.
_FIRST_WEEKDAY: Final = 3 * _DAY
# Since 1972 all zones change their offsets at full quarters of an hour; rows from before may be
# taken for up to a quarter too early.
_QUARTER: Final = 900
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def find_time_zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        ValueError: There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name[:64]!r}") from error


class CalendarColumns:
    """Makes the columns of a calendar."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._zone = find_time_zone(calendar.time_zone)

    def columns_of(self, times: Int64) -> Float32:
        """Return sine and cosine of each chosen cycle, shape (rows, 2 * cycles).

        Args:
            times: nanoseconds since 1970-01-01 UTC.
        """
        # One number after the other: vectorised sines may differ in the last bit with the length
        # of the array, and then frames would matter.
        seconds = self._local_seconds(times)
        phases: list[list[float]] = []
        if self._calendar.hour_of_day:
            phases.append([(second % _DAY) / _DAY for second in seconds])
        if self._calendar.day_of_week:
            phases.append([(second + _FIRST_WEEKDAY) % _WEEK / _WEEK for second in seconds])
        if self._calendar.day_of_year:
            phases.append(_years(seconds))
        turns = [[2.0 * math.pi * phase for phase in cycle] for cycle in phases]
        columns = [
            [part(turn) for turn in cycle] for cycle in turns for part in (math.sin, math.cos)
        ]
        result: Float32 = np.array(columns, np.float32).T.reshape(len(times), -1)
        return result

    def _local_seconds(self, times: Int64) -> list[float]:
        seconds: list[float] = (times.astype(np.float64) / _NANOSECONDS).tolist()
        if self._calendar.time_zone == "UTC":
            return seconds
        offsets: dict[int, float] = {}
        for quarter in {int(second // _QUARTER) for second in seconds}:
            moment = _EPOCH + timedelta(seconds=quarter * _QUARTER)
            offset = moment.astimezone(self._zone).utcoffset()
            offsets[quarter] = offset.total_seconds() if offset is not None else 0.0
        return [second + offsets[int(second // _QUARTER)] for second in seconds]


def _years(seconds: Sequence[float]) -> list[float]:
    days: npt.NDArray[Any] = np.floor(np.array(seconds) / _DAY).astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    first = years.astype("datetime64[D]").astype(np.int64)
    length = (years + 1).astype("datetime64[D]").astype(np.int64) - first
    return [
        (second / _DAY - start) / count
        for second, start, count in zip(seconds, first.tolist(), length.tolist(), strict=True)
    ]
