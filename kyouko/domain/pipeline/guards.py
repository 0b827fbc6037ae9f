"""What does not look right about rows: late ones, stuck channels; and the counts of both."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.pipeline.options import Lateness, LatePolicy
from mesh.errors import InvalidArgument

__all__ = [
    "CAUSES",
    "MOST_TIME",
    "Counts",
    "Newest",
    "StuckGuard",
    "StuckState",
    "check_times",
    "refuse_late",
]

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Why a value was set aside, in the order of the rows of `Counts.values`.
CAUSES: Final = ("missing", "non_finite", "stuck", "absent")
# Nanoseconds from 1970 that a time may be away: 1700 to 2239. Leaves room for any tolerance.
MOST_TIME: Final = 8_500_000_000_000_000_000
_NANOSECONDS: Final = 1_000_000_000
_NEVER: Final = -(2**63)


@dataclass(frozen=True)
class Counts:
    """What was set aside in the network's life.

    Attributes:
        values: int64, shape (causes, channels).
        late_rows: rows that were older than the newest one.
        skipped_rows: rows left out, the late ones included.
    """

    values: Int64
    late_rows: int = 0
    skipped_rows: int = 0

    @property
    def non_finite(self) -> int:
        """Values that were missing or infinite."""
        return int(self.values[: CAUSES.index("stuck")].sum())


@dataclass(frozen=True)
class Newest:
    """The newest time of all rows so far, nanoseconds."""

    time: int = _NEVER

    def find_late(self, times: Int64, lateness: Lateness, *, apart: bool) -> Flags:
        """Return which rows are too old; `apart` takes each as if it came next."""
        tolerance = round(lateness.tolerance_seconds * _NANOSECONDS)
        before = np.full(len(times), self.time, np.int64)
        if not apart and len(times) > 1:
            before[1:] = np.maximum(np.maximum.accumulate(times[:-1]), self.time)
        oldest = np.where(before == _NEVER, _NEVER, np.maximum(before, -MOST_TIME) - tolerance)
        late: Flags = times < oldest
        return late

    def after(self, times: Int64) -> "Newest":
        """Return the newest time once these rows have come."""
        return Newest(max(self.time, int(times.max()))) if len(times) else self


def check_times(times: Int64 | None, rows: int, place: str) -> Int64:
    """Refuse rows whose times are lacking or wrong.

    Raises:
        InvalidArgument: FIELD_INVALID, with the row where it is one.
    """
    field = f"{place}event_times"
    if times is None:
        raise InvalidArgument.for_field(
            field, "the network's pipeline needs the time of each row, and none came"
        )
    if times.shape != (rows,):
        raise InvalidArgument.for_field(
            field,
            f"there are {times.size} of them for {rows} rows",
            metadata={"expected": str(rows), "actual": str(times.size)},
        )
    # Not np.abs: the smallest int64 has no positive twin.
    outside = (times > MOST_TIME) | (times < -MOST_TIME)
    if outside.any():
        row = int(np.argmax(outside))
        problem = f"row {row} is of {times[row]} nanoseconds, not of the years 1700 to 2239"
        raise InvalidArgument.for_field(field, problem, metadata={"row": str(row)})
    return times


def refuse_late(late: Flags, lateness: Lateness, place: str) -> None:
    """Refuse rows that are too late where that is not allowed.

    Raises:
        InvalidArgument: FIELD_INVALID, with the row.
    """
    if lateness.policy is LatePolicy.SKIP or not late.any():
        return
    row = int(np.argmax(late))
    raise InvalidArgument.for_field(
        f"{place}event_times",
        f"row {row} is more than {lateness.tolerance_seconds:g} s older than a row before it",
        metadata={"row": str(row)},
    )


@dataclass(frozen=True)
class StuckState:
    """The last value of each channel and for how many rows it has been that.

    Attributes:
        last: float32, shape (channels,), NaN before the first value.
        rows: int64, shape (channels,).
    """

    last: Float32
    rows: Int64

    def widen(self, channels: int) -> "StuckState":
        """Return the state with more channels, of which nothing has come."""
        more = channels - len(self.last)
        return StuckState(
            np.append(self.last, np.full(more, np.nan, np.float32)),
            np.append(self.rows, np.zeros(more, np.int64)),
        )


class StuckGuard:
    """Finds channels that say one and the same for too many rows."""

    def __init__(self, limits: Int64) -> None:
        """Watch channels.

        Args:
            limits: rows from which on a channel is stuck, shape (channels,); 0 for never.
        """
        self._limits = limits
        self._is_watched = limits > 0

    def find(self, values: Float32, state: StuckState, *, apart: bool) -> tuple[Flags, StuckState]:
        """Return which values are stuck, and the state after them; missing values change nothing.

        Args:
            values: as they came, shape (rows, channels).
            state: before these rows.
            apart: whether to take each row as if it came next.
        """
        stuck = np.zeros(values.shape, np.bool_)
        if not self._is_watched.any():
            return stuck, state
        now = state
        for row, row_values in enumerate(values):
            now = _follow(state if apart else now, row_values)
            here = np.isfinite(row_values) & self._is_watched
            stuck[row] = here & (now.rows >= self._limits)
        return stuck, state if apart else now


def _follow(state: StuckState, values: Float32) -> StuckState:
    is_known = np.isfinite(values)
    is_same = is_known & (values == state.last)
    rows = np.where(is_known, np.where(is_same, state.rows + 1, 1), state.rows)
    return replace(state, last=np.where(is_known, values, state.last), rows=rows)
