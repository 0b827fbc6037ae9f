"""When the rows of a data set were measured: numbers or texts of a column as nanoseconds."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.ports import ColumnValues
from mesh.errors import InvalidArgument

__all__ = ["times_of"]

Int64 = npt.NDArray[np.int64]

# Numbers are seconds since 1970 below the first bound, then milli-, micro-, nanoseconds.
_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST: Final = 2**63


def times_of(column: ColumnValues, start_row: int) -> Int64:
    """Return nanoseconds since 1970-01-01 UTC, shape (rows,).

    Args:
        column: numbers since 1970, or ISO 8601 times, UTC where they name no zone.
        start_row: number of the first row in the data set.

    Raises:
        InvalidArgument: FIELD_INVALID, with the row: one is missing, or no time.
    """
    if column.numbers is not None:
        return _all_times(column.numbers[:, 0].tolist(), _of_number, start_row)
    return _all_times(column.texts or (), _of_text, start_row)


def _all_times(values: Sequence[Any], of: Callable[[Any], int], start_row: int) -> Int64:
    times = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        try:
            times[row] = of(value)
        except (ValueError, OverflowError):
            raise _no_time(start_row + row, value) from None
    return times


def _of_text(text: str) -> int:
    if text.removeprefix("-").isdecimal():
        return _of_number(int(text))
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _START) // timedelta(microseconds=1) * 1000
    return _of_number(number)


def _of_number(number: float) -> int:
    if not math.isfinite(number):
        raise ValueError(number)
    unit = next((unit for bound, unit in _UNITS if abs(number) < bound), 1)
    # Apart: a float of nanoseconds could not hold the digits that one of seconds has.
    whole, part = divmod(number, 1)
    found = int(whole) * unit + int(part * unit)
    if abs(found) >= _MOST:
        raise ValueError(number)
    return found


def _no_time(row: int, value: object) -> InvalidArgument:
    is_missing = value == "" or value != value
    problem = "has no time" if is_missing else f"holds {str(value)[:64]!r}, which is no time"
    return InvalidArgument.for_field(
        "time_column",
        f"row {row} {problem}; times are ISO 8601, or seconds, milli-, micro- or nanoseconds "
        "since 1970",
        metadata={"row": str(row)},
    )
