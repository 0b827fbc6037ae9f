"""From the rows of a frame to those that the network takes: guards, policies, counts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kyouko.domain.pipeline.guards import (
    CAUSES,
    Counts,
    Newest,
    StuckGuard,
    StuckState,
    check_times,
    refuse_late,
)
from kyouko.domain.pipeline.options import PipelineOptions
from kyouko.domain.pipeline.policies import ChannelPolicies, Findings
from kyouko.domain.pipeline.state import PipelineState, array_in, count_in, time_in
from kyouko.domain.pipeline.statistics import MOST_SHOWN

__all__ = ["Cleaner", "CleanerState", "Ready"]

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CleanerState:
    """What is remembered of earlier rows.

    Attributes:
        held: float32, shape (channels,), the last good value of each channel.
        is_stuck: which channels were stuck in the newest row.
    """

    held: Float32
    is_stuck: Flags
    stuck: StuckState
    newest: Newest
    counts: Counts

    @classmethod
    def of(cls, channels: int) -> "CleanerState":
        """Return the state before the first row."""
        nothing = np.full(channels, np.nan, np.float32)
        return cls(
            held=nothing,
            is_stuck=np.zeros(channels, np.bool_),
            stuck=StuckState(nothing.copy(), np.zeros(channels, np.int64)),
            newest=Newest(),
            counts=Counts(np.zeros((len(CAUSES), channels), np.int64)),
        )

    @property
    def channels(self) -> int:
        """Channels of which something is known."""
        return len(self.held)

    def widen(self, channels: int) -> "CleanerState":
        """Return the state with more channels."""
        more = channels - self.channels
        if more == 0:
            return self
        counts = np.concatenate([self.counts.values, np.zeros((len(CAUSES), more), np.int64)], 1)
        return replace(
            self,
            held=np.append(self.held, np.full(more, np.nan, np.float32)),
            is_stuck=np.append(self.is_stuck, np.zeros(more, np.bool_)),
            stuck=self.stuck.widen(channels),
            counts=replace(self.counts, values=counts),
        )

    def stuck_channels(self) -> tuple[int, ...]:
        """Return the first channels that are stuck now."""
        return tuple(np.flatnonzero(self.is_stuck)[:MOST_SHOWN].tolist())

    def export(self) -> PipelineState:
        """Return the state as a snapshot holds it."""
        return PipelineState(
            {
                "held": self.held.copy(),
                "is_stuck": self.is_stuck.astype(np.uint8),
                "last": self.stuck.last.copy(),
                "same_rows": self.stuck.rows.copy(),
                "counts": self.counts.values.copy(),
            },
            {
                "newest": self.newest.time,
                "late_rows": self.counts.late_rows,
                "skipped_rows": self.counts.skipped_rows,
            },
        )

    @classmethod
    def restore(cls, state: PipelineState, channels: int) -> "CleanerState":
        """Return an exported state.

        Raises:
            EngineStateError: It is of another width or version.
        """
        row = (channels,)
        return cls(
            held=array_in(state, "held", row, np.float32),
            is_stuck=array_in(state, "is_stuck", row, np.uint8).astype(np.bool_),
            stuck=StuckState(
                array_in(state, "last", row, np.float32),
                array_in(state, "same_rows", row, np.int64),
            ),
            newest=Newest(time_in(state, "newest")),
            counts=Counts(
                array_in(state, "counts", (len(CAUSES), channels), np.int64),
                count_in(state, "late_rows"),
                count_in(state, "skipped_rows"),
            ),
        )


@dataclass(frozen=True)
class Ready:
    """A frame that may be learned.

    Attributes:
        row_count: rows of the frame.
        kept: int64, places of the rows that are taken.
        values: float32, shape (kept rows, channels): cleaned.
        observed: the same, without what was only held.
        latest: the latest good value of each channel at each row; NaN before the first.
        times: int64, shape (kept rows,); None where nobody needs them.
        state: what is remembered after these rows.
    """

    row_count: int
    kept: Int64
    values: Float32
    observed: Float32
    latest: Float32
    times: Int64 | None
    state: CleanerState

    def __len__(self) -> int:
        """Return how many rows are taken."""
        return len(self.kept)


class Cleaner:
    """Applies guards and policies; remembers nothing itself."""

    def __init__(self, options: PipelineOptions, inputs: Iterable[tuple[str, int]]) -> None:
        self._options = options
        self._policies = ChannelPolicies(options, inputs)

    def clean(
        self,
        rows: Float32,
        present: int,
        times: Int64 | None,
        state: CleanerState,
        *,
        place: str,
        apart: bool = False,
    ) -> Ready:
        """Return what is taken of rows.

        Args:
            rows: as they came, but as wide as the state.
            present: channels that the rows brought; the others are absent.
            times: nanoseconds since 1970-01-01 UTC, one a row.
            state: before these rows.
            place: put before the names of fields in errors.
            apart: take each row as if it came next, and leave the state as it is.

        Raises:
            InvalidArgument: TENSOR_INVALID or FIELD_INVALID, with the row.
        """
        lateness = self._options.late
        late = np.zeros(len(rows), np.bool_)
        newest = state.newest
        if self._options.needs_times:
            times = check_times(times, len(rows), place)
            if lateness is not None:
                late = newest.find_late(times, lateness, apart=apart)
                refuse_late(late, lateness, place)
                newest = newest.after(times)
        on_time = np.flatnonzero(~late)
        values = rows[on_time]
        guard = StuckGuard(self._policies.stuck_limits(rows.shape[1]))
        stuck, stuck_state = guard.find(values, state.stuck, apart=apart)
        found = _findings(values, stuck, present)
        self._policies.refuse(found, on_time, place)
        skipped = self._policies.find_skipped(found)
        observed = np.where(found.any, np.float32(np.nan), values)
        held, latest = self._policies.hold(observed, found, state.held, apart=apart)
        after = CleanerState(
            held=latest[-1] if len(latest) else state.held,
            is_stuck=stuck[-1] if len(stuck) else state.is_stuck,
            stuck=stuck_state,
            newest=newest,
            counts=_add(state.counts, found, late, skipped),
        )
        kept = on_time[~skipped]
        return Ready(
            row_count=len(rows),
            kept=kept,
            values=held[~skipped],
            observed=observed[~skipped],
            latest=latest[~skipped],
            times=times[kept] if self._options.needs_times and times is not None else None,
            state=state if apart else after,
        )


def _findings(values: Float32, stuck: Flags, present: int) -> Findings:
    is_absent = np.arange(values.shape[1]) >= present
    missing = np.isnan(values)
    return Findings(
        missing=missing & ~is_absent,
        non_finite=np.isinf(values),
        stuck=stuck,
        absent=np.broadcast_to(is_absent, values.shape),
    )


def _add(counts: Counts, found: Findings, late: Flags, skipped: Flags) -> Counts:
    late_rows = int(np.count_nonzero(late))
    return Counts(
        counts.values + found.count(),
        counts.late_rows + late_rows,
        counts.skipped_rows + late_rows + int(np.count_nonzero(skipped)),
    )
