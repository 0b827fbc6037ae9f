"""Rows that were let pass and wait for their targets, as the engine saw them when they came.

What a pipeline made of them then, with the rows that went before, is kept and not made again: so
targets that come later teach what they would have taught in time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["FRAME_BYTES", "WaitingRows", "count_row_bytes", "pack", "unpack"]

# What Python keeps of a frame besides its rows.
FRAME_BYTES: Final = 640
Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WaitingRows:
    """The rows of one frame.

    Attributes:
        inputs: shape (kept rows, numbers that enter the engine for a row).
        kept: places of these in the frame; a pipeline may have left out others.
        row_count: rows of the frame.
    """

    inputs: Array
    kept: Int64
    row_count: int

    @classmethod
    def all_of(cls, inputs: Array) -> "WaitingRows":
        """Return a frame that was taken as it came."""
        return cls(inputs, np.arange(len(inputs)), len(inputs))

    def as_wide_as(self, width: int) -> Array:
        """Return the inputs with what came to rows later, which is missing in these."""
        more = width - self.inputs.shape[1]
        if more <= 0:
            return self.inputs
        return np.pad(self.inputs, ((0, 0), (0, more)), constant_values=np.nan)


def count_row_bytes(width: int) -> int:
    """Return what a row takes at most: its numbers, and its place in the frame."""
    return 4 * width + 8


def pack(waiting: Mapping[int, WaitingRows]) -> dict[str, Array]:
    """Return the frames that wait, by sequence, as arrays of a snapshot."""
    if not waiting:
        return {}
    frames = waiting.values()
    width = max(frame.inputs.shape[1] for frame in frames)
    counts = [(sequence, frame.row_count) for sequence, frame in waiting.items()]
    arrays = {
        "waiting": np.concatenate([frame.as_wide_as(width) for frame in frames]),
        "waiting_frames": np.array(counts, np.int64),
    }
    if any(len(frame.kept) < frame.row_count for frame in frames):
        arrays["waiting_kept"] = np.concatenate([_flags(frame) for frame in frames])
    return arrays


def unpack(arrays: Mapping[str, Array]) -> Iterator[tuple[int, WaitingRows]]:
    """Yield sequence and rows of the frames that were packed, in their order.

    Raises:
        ValueError: The arrays do not fit together.
    """
    counts = arrays.get("waiting_frames", np.empty((0, 2), np.int64)).tolist()
    total = sum(rows for _, rows in counts)
    flags = arrays.get("waiting_kept", np.ones(total, np.uint8))
    inputs = arrays.get("waiting", np.empty((0, 0)))
    if flags.shape != (total,) or np.count_nonzero(flags) != len(inputs):
        raise ValueError(f"{len(inputs)} rows wait, of {total}")
    place = first = 0
    for sequence, rows in counts:
        kept = np.flatnonzero(flags[place : place + rows])
        yield int(sequence), WaitingRows(inputs[first : first + len(kept)].copy(), kept, int(rows))
        place += rows
        first += len(kept)


def _flags(frame: WaitingRows) -> npt.NDArray[np.uint8]:
    flags = np.zeros(frame.row_count, np.uint8)
    flags[frame.kept] = 1
    return flags
