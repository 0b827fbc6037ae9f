"""Running centre and deviation of raw values, so that layers see every channel at unit size.

The scale is reviewed after the first 1, 2, 4, 8, 16, 32 and 64 rows, then after every 64, and from
row 1,024 on after every 256 rows, of which the last 64 are looked at. Between reviews it stands
still, so frames do not matter.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

__all__ = ["BLOCK_ROWS", "FAULT", "LIMIT", "Scaling"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

BLOCK_ROWS: Final = 64
# Scaled values end here. A share of 1 % beyond it widens the deviation by a seventh, no more; from
# 4 % on (1 / LIMIT^2) it would grow until fewer lie beyond.
LIMIT: Final = 5.0
# Values further away than this are taken for faults, and count as missing, until so many come that
# the scale itself has jumped. Ending at LIMIT, they still cost a small table three points.
FAULT: Final = 1000.0
_MEMORY_VALUES: Final = 2048.0
_RESTING_SHARE: Final = 7 / 8
_FEWEST_FOR_JUMP: Final = 8
_QUIET_RANGE: Final = 0.01
_QUIET_BLOCKS: Final = 16
_EAGER_BLOCKS: Final = 16
_SETTLED_ROWS: Final = 256


@dataclass(frozen=True)
class Scaling:
    """Centre and deviation of each column, and what they are computed from; C columns.

    A column whose values are mostly one and the same number *rests*: that number is its centre,
    and only the others count for its deviation. So a pixel that is nearly always dark has size 1
    when it is lit, not size 20.

    ===========  =======  =======  ================================================================
    name         dtype    shape    meaning (unit); invariant
    ===========  =======  =======  ================================================================
    center       float64  (C,)     what counts as 0 (raw unit); finite
    deviation    float64  (C,)     what counts as 1 (raw unit); 0 until the column has varied
    evidence     float64  (C,)     values that the deviation rests on, 0 to 2,048
    resting      uint8    (C,)     1 for columns that rest at their centre
    quiet        int64    (C,)     blocks in a row whose values hardly differed
    quiet_low    float64  (C,)     lowest value of them (raw unit)
    quiet_high   float64  (C,)     highest value of them (raw unit)
    inverse      float64  (C,)     1 / deviation; 0 where that is 0
    recent_rows  float32  (64, C)  raw rows for the next review
    progress     int64    (4,)     rows since the last review of a whole block; reviews of whole
                                   blocks; 1 while columns start; the first such column
    ===========  =======  =======  ================================================================
    """

    center: Float64
    deviation: Float64
    evidence: Float64
    resting: npt.NDArray[np.uint8]
    quiet: npt.NDArray[np.int64]
    quiet_low: Float64
    quiet_high: Float64
    inverse: Float64
    recent_rows: Float32
    progress: npt.NDArray[np.int64]

    @classmethod
    def create(cls, columns: int) -> Self:
        """Allocate for columns of which nothing is known."""
        return cls(
            center=np.zeros(columns),
            deviation=np.zeros(columns),
            evidence=np.zeros(columns),
            resting=np.zeros(columns, np.uint8),
            quiet=np.zeros(columns, np.int64),
            quiet_low=np.zeros(columns),
            quiet_high=np.zeros(columns),
            inverse=np.zeros(columns),
            recent_rows=np.zeros((BLOCK_ROWS, columns), np.float32),
            progress=np.array([0, 0, 1, 0]),
        )

    @staticmethod
    def count_bytes(columns: int) -> int:
        """Bytes that the arrays of so many columns take."""
        return columns * (7 * 8 + 1 + 4 * BLOCK_ROWS) + 32

    def widen(self, columns: int) -> Self:
        """Append columns of which nothing is known; a new block begins for all."""
        wider = type(self).create(columns)
        for item in fields(self):
            if item.name not in ("recent_rows", "progress"):
                old = getattr(self, item.name)
                getattr(wider, item.name)[: len(old)] = old
        wider.progress[:] = self.progress
        wider.progress[0] = 0
        if not self.progress[2]:
            wider.progress[2:] = 1, len(self.center)
        return wider

    def rows_until_review(self) -> int:
        """Count the rows that may be scaled alike before the scale is reviewed; at least 1."""
        rows, blocks, starting, _ = (int(value) for value in self.progress)
        if starting:
            return (1 << rows.bit_length()) - rows
        return (BLOCK_ROWS if blocks < _EAGER_BLOCKS else _SETTLED_ROWS) - rows

    def waiting_rows(self) -> int:
        """Count the rows in `recent_rows` that the next review will look at."""
        return max(0, int(self.progress[0]) - self._skipped_rows())

    def record(self, rows: Array) -> bool:
        """Take raw rows, not more than until the review; tell whether there was one."""
        due = len(rows) == self.rows_until_review()
        first = int(self.progress[0]) - self._skipped_rows()
        after = first + len(rows)
        if after > 0:
            self.recent_rows[max(first, 0) : after] = rows[max(-first, 0) :]
        self.progress[0] += len(rows)
        if due:
            self._review(self.recent_rows[:after].astype(np.float64))
            if after == BLOCK_ROWS:
                self.progress[0] = 0
                self.progress[1] += 1
                self.progress[2:] = 0
        return due

    def _skipped_rows(self) -> int:
        settled = not self.progress[2] and self.progress[1] >= _EAGER_BLOCKS
        return _SETTLED_ROWS - BLOCK_ROWS if settled else 0

    def _review(self, block: Float64) -> None:
        """Follow the columns that are known, and estimate those that are new or have jumped."""
        finite = np.isfinite(block)
        if not finite.all():
            block[~finite] = np.nan
        new = self.evidence == 0.0
        if self.progress[2]:
            # All that a starting column rests on is still in the block.
            new[self.progress[3] :] = True
        if len(block) == BLOCK_ROWS and not new.all():
            new |= self._follow(block, ~new, finite)
        if new.any():
            self._estimate(block, new)
        np.divide(1.0, self.deviation, out=self.inverse, where=self.deviation > 0.0)

    def _estimate(self, block: Float64, chosen: Bool) -> None:
        """Set centre and deviation from the block alone, hardly minding its extreme values."""
        places = np.flatnonzero(chosen & np.isfinite(block).any(axis=0))
        values = block[:, places]
        ordered = np.sort(values, axis=0)
        count = np.isfinite(values).sum(axis=0)
        cut = count // 16
        low = np.take_along_axis(ordered, cut[None], axis=0)[0]
        high = np.take_along_axis(ordered, (count - 1 - cut)[None], axis=0)[0]
        middle = np.take_along_axis(ordered, (count // 2)[None], axis=0)[0]
        clipped = np.clip(values, low, high)
        center = np.nansum(clipped, axis=0) / count
        deviation = np.sqrt(np.nansum((clipped - center) ** 2, axis=0) / count)
        evidence = count.astype(np.float64)
        rests = (values == middle).sum(axis=0) >= _RESTING_SHARE * count
        for place in np.flatnonzero(rests):
            center[place] = middle[place]
            offsets = np.abs(values[:, place] - middle[place])
            active = offsets[offsets > 0.0]
            deviation[place] = np.median(active) if len(active) else 0.0
            evidence[place] = len(active)
        self.center[places] = center
        self.deviation[places] = deviation
        self.evidence[places] = np.where(deviation > 0.0, evidence, 0.0)
        self.resting[places] = rests
        self.quiet[places] = 0

    def _follow(self, block: Float64, known: Bool, finite: Bool) -> Bool:
        """Merge a block into centre and deviation.

        Returns:
            Which columns have jumped to another scale or place, and must be estimated anew.

        Source: Chan, Golub & LeVeque 1983, "Algorithms for Computing the Sample Variance",
        equation 2.1, with values that end at LIMIT.
        """
        low, high = np.fmin.reduce(block, axis=0), np.fmax.reduce(block, axis=0)
        values = block - self.center
        values *= self.inverse
        size = np.abs(values)
        # Where a column rests, the values at its centre count for nothing.
        active = np.where(self.resting, size > 0.0, finite)
        valid = active & (size <= FAULT)
        present, count = active.sum(axis=0), valid.sum(axis=0)
        far = (size >= LIMIT).sum(axis=0)
        np.clip(values, -LIMIT, LIMIT, out=values)
        np.copyto(values, 0.0, where=~valid)
        square = (values * values).sum(axis=0)
        mean = np.where(self.resting, 0.0, values.sum(axis=0))
        # A block without any change teaches nothing: a deviation must not fade to 0.
        follows = known & (present > 0) & (low < high)
        jumped = follows & (2 * far >= present) & (present >= _FEWEST_FOR_JUMP)
        jumped |= self._grew_quiet(low, high, follows)

        total = np.maximum(count, 1)
        rate = total / (np.minimum(self.evidence, _MEMORY_VALUES - BLOCK_ROWS) + total)
        mean /= total
        spread = (1.0 - rate) + rate * (square / total - rate * mean * mean)
        moves = follows & ~jumped & (count > 0)
        self.center[moves] += (rate * mean * self.deviation)[moves]
        self.deviation[moves] *= np.sqrt(spread)[moves]
        self.evidence[moves] = np.minimum(self.evidence + count, _MEMORY_VALUES)[moves]
        return np.asarray(jumped)

    def _grew_quiet(self, low: Float64, high: Float64, follows: Bool) -> Bool:
        """Tell which columns have shrunk: many blocks in which nothing moved by 1 %."""
        begun = self.quiet > 0
        lowest = np.where(begun, np.minimum(self.quiet_low, low), low)
        highest = np.where(begun, np.maximum(self.quiet_high, high), high)
        calm = follows & (highest - lowest < _QUIET_RANGE * self.deviation)
        self.quiet_low[calm] = lowest[calm]
        self.quiet_high[calm] = highest[calm]
        self.quiet[calm] += 1
        self.quiet[follows & ~calm] = 0
        return np.asarray(calm & (self.quiet >= _QUIET_BLOCKS))
