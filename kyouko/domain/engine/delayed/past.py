"""The rows that went before, as far back as the longest delay, and the wide rows made from them."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.delayed.widening import WidePart, lay_out_row
from kyouko.domain.engine.structure import InputPopulation

__all__ = ["Past", "count_past_bytes"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

_MOST_ROWS: Final = 256
_MOST_STAGE_BYTES: Final = 1 << 20
# Shares of the memory limit: of the wide rows under way, and of what is kept for the past.
_STAGE_SHARE: Final = 64


class Past:
    """A ring of the columns that some delay asks for, with room for rows under way.

    Before the first row everything is missing (NaN). Wide rows are float32 whatever the rows'
    type, because no byte says that a value is missing; so both types give the same bits.
    """

    def __init__(self, inputs: tuple[InputPopulation, ...], memory_limit_bytes: int) -> None:
        """Keep an empty past.

        Args:
            inputs: the populations of the user's row.
            memory_limit_bytes: of the whole network; bounds the rows that are widened at once.
        """
        self.longest, kept, wide, self.rows_at_once = _sizes(inputs, memory_limit_bytes)
        self._parts: tuple[WidePart, ...] = lay_out_row(inputs)
        self._delays = [np.array(part.delays, np.int64) for part in self._parts]
        self._ring: Float32 = np.full((self.longest + self.rows_at_once, kept), np.nan, np.float32)
        self._stage: Float32 = np.empty((self.rows_at_once, wide), np.float32)
        self._next = 0

    @property
    def nbytes(self) -> int:
        """Memory in use."""
        return self._ring.nbytes + self._stage.nbytes

    def widen(self, inputs: Array) -> Float32:
        """Return up to `rows_at_once` rows that follow one another, with their delayed values.

        They become the past only by `advance`. The array is valid until the next call.
        """
        rows = len(inputs)
        stage = self._stage[:rows]
        places = self._next + np.arange(rows)[:, None]
        for part, delays in zip(self._parts, self._delays, strict=True):
            stage[:, part.present] = inputs[:, part.row]
            if part.delays:
                kept = self._ring[:, part.kept]
                kept[places[:, 0] % len(kept)] = inputs[:, part.row]
                taken = kept[(places - delays) % len(kept)]
                stage[:, part.delayed] = taken.reshape(rows, -1)
        return stage

    def widen_apart(self, inputs: Array) -> Float32:
        """Return up to `rows_at_once` rows, each as if it came next; valid until the next call."""
        stage = self._stage[: len(inputs)]
        for part, delays in zip(self._parts, self._delays, strict=True):
            stage[:, part.present] = inputs[:, part.row]
            if part.delays:
                kept = self._ring[:, part.kept]
                stage[:, part.delayed] = kept[(self._next - delays) % len(kept)].reshape(-1)
        return stage

    def advance(self, rows: int) -> None:
        """Let the rows that `widen` saw last become the past."""
        self._next = (self._next + rows) % len(self._ring)

    def export(self) -> Float32:
        """Copy the kept rows, oldest first, shape (longest delay, kept columns)."""
        places = (self._next + np.arange(-self.longest, 0)) % len(self._ring)
        return self._ring[places]

    def take_over(self, kept: Float32) -> None:
        """Become a past of no more rows and columns than this one has; the rest is missing."""
        rows, columns = kept.shape
        self._ring[:] = np.nan
        self._ring[self.longest - rows : self.longest, :columns] = kept
        self._next = self.longest


def count_past_bytes(inputs: tuple[InputPopulation, ...], memory_limit_bytes: int) -> int:
    """Return the memory that a past of these channels takes."""
    longest, kept, wide, at_once = _sizes(inputs, memory_limit_bytes)
    return 4 * ((longest + at_once) * kept + at_once * wide)


def _sizes(
    inputs: tuple[InputPopulation, ...], memory_limit_bytes: int
) -> tuple[int, int, int, int]:
    """Return the longest delay, the kept columns, the wide columns, and the rows at once."""
    longest = max((item.delays[-1] for item in inputs if item.delays), default=0)
    kept = sum(item.channels for item in inputs if item.delays)
    wide = sum(item.channels * (1 + len(item.delays)) for item in inputs)
    stage_bytes = min(_MOST_STAGE_BYTES, memory_limit_bytes // _STAGE_SHARE)
    at_once = min(max(stage_bytes // (4 * (wide + kept)), 1), _MOST_ROWS)
    return longest, kept, wide, at_once
