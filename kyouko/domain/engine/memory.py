"""All arrays of a network in one piece of memory, always at the same distances."""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["Shapes", "allocate", "count_bytes", "count_gaps"]

Array = npt.NDArray[Any]
Shapes = Mapping[str, tuple[tuple[int, ...], Any]]

_LINE: Final = 64
# A compiled loop over two arrays asks how far apart they begin, and where that is less than some
# hundred bytes it takes another version of itself, whose last bits may differ.
_GAP: Final = 256


def _size(shape: tuple[int, ...], dtype: Any) -> int:
    return math.prod(shape) * int(np.dtype(dtype).itemsize)


def count_bytes(shapes: Shapes) -> int:
    """Return the bytes of arrays of these shapes, without the gaps between them."""
    return sum(_size(*entry) for entry in shapes.values())


def count_gaps(shapes: Shapes) -> int:
    """Return the most bytes that the gaps between so many arrays take."""
    return len(shapes) * (_GAP + _LINE) + _LINE


def allocate(shapes: Shapes) -> dict[str, Array]:
    """Allocate zeros, each array on the border of a cache line.

    What was never written costs no memory. One piece, so that the distances between the arrays,
    on which the last bits of a sum may depend, are the same in every process.
    """
    memory = np.zeros(count_bytes(shapes) + count_gaps(shapes), np.uint8)
    start = -memory.ctypes.data % _LINE
    arrays: dict[str, Array] = {}
    for name, (shape, dtype) in shapes.items():
        size = _size(shape, dtype)
        arrays[name] = memory[start : start + size].view(dtype).reshape(shape)
        start += -(-size // _LINE) * _LINE + _GAP
    return arrays
